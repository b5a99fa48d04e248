"""The optimizer as a process: what it needs of the configuration, and its life."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Any

import structlog

from exporter import __version__
from exporter.config import Config, ConfigError
from exporter.http.access import Access
from exporter.http.server import running
from exporter.http.sockets import bound_address
from exporter.http.tokens import read_token
from exporter.optimizer import bottlenecks
from exporter.optimizer.adapters.bridge import TOKEN_KEY as ACTIONS_TOKEN_KEY
from exporter.optimizer.adapters.bridge import BridgedBot
from exporter.optimizer.adapters.prometheus import Prometheus
from exporter.optimizer.alerts.receiver import AlertReceiver
from exporter.optimizer.http.api import TOKEN_KEY
from exporter.optimizer.http.app import make_app
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.reconcile.loop import ReconcileLoop
from exporter.optimizer.reconcile.reconciler import Reconciler
from exporter.runtime.files import UnreadableFileError

log = structlog.get_logger(__name__)


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
        return read_token(file, key)
    except UnreadableFileError as error:
        raise ConfigError(str(error)) from None


async def run(config: Config, token_file: Path, sockets: Sequence[socket], access: Access) -> None:
    """Serves on listening `sockets` until cancelled. LedgerError if the ledger cannot be used."""
    settings = config.optimizer
    log.info(
        "optimizer starting", version=__version__, mode=settings.mode, ledger=str(settings.ledger.absolute())
    )
    bot = _bot(config)
    try:
        async with Ledger.open(settings.ledger) as ledger:
            metrics = Prometheus(settings.prometheus_url, settings.bot)
            reconciler = Reconciler(settings, ledger, metrics, bot)
            receiver = AlertReceiver(settings, ledger, lambda: reconciler.agents)
            loop = ReconcileLoop(reconciler, settings.interval_seconds)
            app = make_app(settings, token_file, ledger, receiver, loop)
            async with running(app, sockets, access), _in_background(loop.run()):
                _announce(sockets, tls=access.context() is not None)
                await asyncio.Event().wait()
    finally:
        if bot is not None:
            await bot.close()


def _bot(config: Config) -> BridgedBot | None:
    """None where it may not act."""
    actions_token_file = config.optimizer.actions_token_file
    if config.optimizer.mode != "act" or actions_token_file is None:
        return None
    return BridgedBot(config.bridge, actions_token_file, config.agents.aliases)


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
