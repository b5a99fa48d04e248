"""`demo`: a simulated bot, and all that watches one."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from socket import socket
from typing import TYPE_CHECKING

from exporter.cli import flags
from exporter.cli.command import Command, configure
from exporter.cli.errors import CommandError
from exporter.cli.serve import serve
from exporter.config import Address, Config, ConfigError
from exporter.http.sockets import bound_address, listening_sockets
from exporter.runtime import signals

if TYPE_CHECKING:
    from exporter.cli.demo_stack import Programs, Stack
    from exporter.demo import DemoBot
    from exporter.http.access import Access

SCENARIOS = ("healthy", "degraded", "failing", "harmful", "tradeoff")


def add_flags(parser: argparse.ArgumentParser) -> None:
    _add_demo_flags(parser)
    flags.add_web_flags(parser)
    flags.add_log_flags(parser)


def _add_demo_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the demo bot")
    group.add_argument(
        "--scenario",
        choices=SCENARIOS,
        help=f"{', '.join(SCENARIOS)} (default degraded; healthy with --exporter-only)",
    )
    group.add_argument(
        "--exporter-only", action="store_true", help="without Prometheus, Alertmanager and the rules"
    )
    group.add_argument(
        "--directory",
        type=flags.path,
        metavar="DIR",
        help="keep the bot's file here (default: a temporary one)",
    )
    group.add_argument("--seed", type=int, metavar="NUMBER", help="the same number makes the same history")
    group.add_argument(
        "--speed",
        type=float,
        metavar="FACTOR",
        help="how much faster than real (default 30; 1 with --exporter-only)",
    )
    group.add_argument(
        "--state-port", type=int, metavar="PORT", help="of the bot's state on 127.0.0.1 (default: a free one)"
    )
    group.add_argument(
        "--actions-token-file",
        type=flags.path,
        metavar="FILE",
        help="whoever shows the token in it may change the bot with POST /actions (default: nobody may)",
    )


def run(parsed: argparse.Namespace) -> int:
    """Serves until a signal comes, or until one of the programs ends."""
    from exporter.cli import demo_stack
    from exporter.demo import DemoBot, DemoError  # a program of its own, which the other commands do not need
    from exporter.http.access import Access

    config = configure(parsed, {"log.level": "warn"})
    programs = None if parsed.exporter_only else demo_stack.programs()
    if programs is None and not parsed.exporter_only:
        print("Prometheus or Alertmanager is not installed: only the exporter is started.", flush=True)
    factor = parsed.speed or (demo_stack.FACTOR if programs else 1.0)
    scenario = parsed.scenario or ("degraded" if programs else "healthy")
    names = ("seed", "state_port", "actions_token_file")
    options = {name: getattr(parsed, name) for name in names if getattr(parsed, name) is not None}
    access = Access.of(config.web)
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in listening_sockets(config.web, config.web.addresses)]
        try:
            bot = DemoBot(directory=parsed.directory, scenario=scenario, speed=factor, **options)
        except DemoError as error:
            raise ConfigError(str(error)) from None
        try:
            return signals.run(_Demo(config, sockets, access, bot, programs, factor).run())
        except DemoError as error:
            raise CommandError(str(error)) from None


@dataclass(frozen=True)
class _Demo:
    config: Config
    sockets: Sequence[socket]
    access: "Access"
    bot: "DemoBot"
    programs: "Programs | None"
    factor: float

    async def run(self) -> None:
        """Serves until cancelled or until one of the programs ends, which is a DemoError."""
        from exporter.demo import DemoError

        print("Starting the demo bot …", flush=True)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.bot.stop)
            await self.bot.start()
            around = await self._start_stack(stack)
            ended = [asyncio.create_task(self.bot.wait()), *([around.ended] if around else [])]
            config, announce = _with_bot(self.config, self.bot), partial(self._announce, around)
            serving = serve(config, self.sockets, self.access, announce)
            await _until_one_ends(asyncio.create_task(serving), ended)
            raise DemoError(
                f"a program of the demo ended: {next(each.result() for each in ended if each.done())}"
            )

    async def _start_stack(self, stack: AsyncExitStack) -> "Stack | None":
        from exporter.cli import demo_stack

        if self.programs is None:
            return None
        target = demo_stack.Target(
            bound_address(self.sockets[0]), self.config.web.telemetry_path, self.factor
        )
        return await stack.enter_async_context(demo_stack.running(self.programs, target, _say))

    def _announce(self, around: "Stack | None", addresses: Sequence[Address]) -> None:
        url = f"http://{addresses[0]._replace(host=addresses[0].host or 'localhost')}"
        lines = [
            "The demo bot is running. Open",
            f"  {url}/  the exporter's own page",
            f"  {url}{self.config.web.telemetry_path}  what Prometheus scrapes",
            f"  {self.bot.database_path}  what the bot writes",
            f"  {self.bot.state_url}  what its bridge says",
        ]
        if around is not None:
            lines += [
                f"  {around.prometheus_url}/alerts  Prometheus: the alerts, and what they wait for",
                f"  {around.alertmanager_url}  Alertmanager: what it has sent",
                f"  {around.grafana_url}  Grafana: the dashboards"
                if around.grafana_url
                else "  (No Grafana is installed to show dashboards: https://grafana.com/grafana/download has one.)",
                f"Bot and rules are {self.factor:g} times faster than real. What would reach a person's phone is",
                "printed here: the first ticket within a minute or two, the first page within four.",
            ]
        _say("\n".join([*lines, "Ctrl-C ends it."]))


async def _until_one_ends(server: "asyncio.Task[None]", ended: "Sequence[asyncio.Task[str]]") -> None:
    try:
        await asyncio.wait({server, *ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in ended:
            if not each.done():
                each.cancel()
        server.cancel()
        with suppress(asyncio.CancelledError):
            await server


def _with_bot(config: Config, bot: "DemoBot") -> Config:
    database = config.database.model_copy(update={"path": bot.database_path})
    live = config.bridge.model_copy(update={"url": bot.state_url})
    return config.model_copy(update={"database": database, "bridge": live})


def _say(text: str) -> None:
    print(text, flush=True)


COMMAND = Command("Try it without a bot: simulate one, and show what is noticed of it.", add_flags, run)
