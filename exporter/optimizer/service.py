"""The optimizer as a process: what it needs of the configuration, and its life."""

import asyncio
import ipaddress
import stat
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Any

import structlog

from exporter import __version__
from exporter.config import Config, ConfigError, Optimizer
from exporter.http.access import Access
from exporter.http.server import running
from exporter.http.sockets import bound_address
from exporter.http.tokens import read_token
from exporter.optimizer import bottlenecks
from exporter.optimizer.adapters.bridge import TOKEN_KEY as ACTIONS_TOKEN_KEY
from exporter.optimizer.adapters.bridge import BridgedBot
from exporter.optimizer.adapters.prometheus import Prometheus
from exporter.optimizer.alerts.receiver import AlertReceiver
from exporter.optimizer.clock import SteadyClock
from exporter.optimizer.http.api import TOKEN_KEY
from exporter.optimizer.http.app import make_app
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import UnavailableError
from exporter.optimizer.reconcile.loop import ReconcileLoop
from exporter.optimizer.reconcile.reconciler import Reconciler
from exporter.runtime import systemd
from exporter.runtime.files import UnreadableFileError

log = structlog.get_logger(__name__)

SHORTEST_TOKEN = 12
_CAVEATS = {"execute_adaptation": "; today's upstream bot only logs it, and changes nothing"}


def check(config: Config) -> Path:
    """The file of the token that the API's clients must show; ConfigError if anything is missing."""
    settings = config.optimizer
    _check_bottlenecks(settings.implementation_seconds)
    token_file = _needed(settings.token_file, TOKEN_KEY, "who sends alerts shows the token in it")
    token = _token(token_file, TOKEN_KEY)
    if settings.mode == "act":
        if config.bridge.url is None:
            raise ConfigError(
                "optimizer.mode act needs the bridge in the bot's process; name it with --bridge.url, or as bridge.url"
            )
        actions = _needed(settings.actions_token_file, ACTIONS_TOKEN_KEY, "the bridge wants the token in it")
        if _token(actions, ACTIONS_TOKEN_KEY) == token:
            raise ConfigError(
                f"{TOKEN_KEY} and {ACTIONS_TOKEN_KEY} must hold different tokens: "
                "whoever sends alerts must not be able to act on the bot"
            )
    return token_file


def _check_bottlenecks(names: Iterable[str]) -> None:
    for name in names:
        if bottlenecks.find(name) is None:
            known = ", ".join(each.name for each in bottlenecks.BOTTLENECKS)
            raise ConfigError(
                f"optimizer.implementation_seconds: unknown bottleneck {name!a}; known: {known}"
            )


def _needed(file: Path | None, key: str, why: str) -> Path:
    if file is None:
        flag = f"--{key.replace('_', '-')}"
        raise ConfigError(
            f"{key} is needed ({why}); name the file with {flag}, or in the file of --config.file"
        )
    return file


def _token(file: Path, key: str) -> str:
    try:
        token = read_token(file, key)
    except UnreadableFileError as error:
        raise ConfigError(str(error)) from None
    if file.stat().st_mode & stat.S_IROTH:
        raise ConfigError(f"{file} ({key}) can be read by everybody on this machine: chmod 600 it")
    if len(token) < SHORTEST_TOKEN:
        raise ConfigError(
            f"{file} ({key}) holds a token that can be guessed: put at least {SHORTEST_TOKEN} characters in it, as "
            "`openssl rand -hex 32` makes them"
        )
    return token


async def run(config: Config, token_file: Path, sockets: Sequence[socket], access: Access) -> None:
    """Serves on listening `sockets` until cancelled. LedgerError if the ledger cannot be used."""
    settings = config.optimizer
    log.info(
        "optimizer starting", version=__version__, mode=settings.mode, ledger=str(settings.ledger.absolute())
    )
    async with Ledger.open(settings.ledger) as ledger:
        clock = SteadyClock(await ledger.newest_moment())
        bot = _bot(config, await ledger.identity())
        try:
            metrics = Prometheus(settings.prometheus_url, settings.bot, settings.measure_seconds)
            reconciler = Reconciler(settings, ledger, metrics, bot, clock, clock.fault)
            receiver = AlertReceiver(settings, ledger, lambda: reconciler.agents, clock)
            loop = ReconcileLoop(reconciler, settings.interval_seconds)
            app = make_app(settings, token_file, ledger, receiver, loop)
            async with running(app, sockets, access), _in_background(loop.run()), systemd.notified():
                _announce(sockets, tls=access.context() is not None)
                await _say_what_is_possible(bot, settings)
                await asyncio.Event().wait()
        finally:
            if bot is not None:
                await bot.close()


def _bot(config: Config, owner: str) -> BridgedBot | None:
    """None where it may not act."""
    actions_token_file = config.optimizer.actions_token_file
    if config.optimizer.mode != "act" or actions_token_file is None:
        return None
    return BridgedBot(config.bridge, actions_token_file, config.agents.aliases, owner)


async def _say_what_is_possible(bot: BridgedBot | None, settings: Optimizer) -> None:
    """What `act` can do on this bot at all: less than the configuration allows, mostly."""
    if bot is None:
        return
    try:
        abilities = await bot.abilities()
    except UnavailableError as error:
        log.warning("what can be done on the bot is not known yet", why=str(error))
        return
    for action in settings.actions:
        agents = sorted(agent or "the bot" for agent, possible in abilities.items() if action in possible)
        possible = (
            f"possible on {', '.join(agents)}" if agents else "not possible: no method, or not allowed there"
        )
        log.info(f"{action} is {possible}{_CAVEATS.get(action, '')}")


@asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name="reconcile loop")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _announce(sockets: Sequence[socket], *, tls: bool) -> None:
    for address in map(bound_address, sockets):
        log.info("listening", address=str(address), tls=tls)
        if tls:
            continue
        if not address.host or not ipaddress.ip_address(address.host).is_loopback:
            log.warning(
                "listening beyond this machine: the token goes over the network as it is",
                address=str(address),
            )
