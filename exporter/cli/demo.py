"""`demo`: the metrics of a simulated bot."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from socket import socket
from typing import TYPE_CHECKING

from exporter.cli import flags
from exporter.cli.command import Command, CommandError, configure
from exporter.cli.serve import serve
from exporter.config import Address, Config, ConfigError
from exporter.http.sockets import open_sockets
from exporter.runtime import signals

if TYPE_CHECKING:
    from exporter.demo import DemoBot

ADDRESS = "127.0.0.1:9464"
SCENARIOS = ("healthy", "degraded", "failing", "harmful", "tradeoff")


def add_flags(parser: argparse.ArgumentParser) -> None:
    _add_demo_flags(parser)
    flags.add_web_flags(parser, ADDRESS)
    flags.add_log_flags(parser)


def _add_demo_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the demo bot")
    group.add_argument(
        "--scenario", choices=SCENARIOS, default="healthy", help=f"{', '.join(SCENARIOS)} (default healthy)"
    )
    group.add_argument(
        "--directory",
        type=flags.path,
        metavar="DIR",
        help="keep the bot's file here (default: a temporary one)",
    )
    group.add_argument("--seed", type=int, metavar="NUMBER", help="the same number makes the same history")
    group.add_argument(
        "--speed", type=float, metavar="FACTOR", help="how much faster than real time (default 1)"
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
    """Serves until a signal comes, or until the bot ends."""
    from exporter.demo import DemoBot, DemoError  # a program of its own, which the other commands do not need

    config = configure(parsed, {"web.listen_addresses": [ADDRESS]})
    names = ("seed", "speed", "state_port", "actions_token_file")
    options = {name: getattr(parsed, name) for name in names if getattr(parsed, name) is not None}
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in open_sockets(config.web.listen_addresses)]
        try:
            bot = DemoBot(directory=parsed.directory, scenario=parsed.scenario, **options)
        except DemoError as error:
            raise ConfigError(str(error)) from None
        try:
            return signals.run(_demo(config, sockets, bot))
        except DemoError as error:
            raise CommandError(str(error)) from None


async def _demo(config: Config, sockets: Sequence[socket], bot: "DemoBot") -> None:
    """Serves what `bot` writes, until cancelled or until the bot ends, which is a DemoError."""
    from exporter.demo import DemoError

    def announce(addresses: Sequence[Address]) -> None:
        _announce(addresses[0], config.web.telemetry_path, bot)

    try:
        await bot.start()
        server = asyncio.create_task(serve(_with_bot(config, bot), sockets, announce))
        ended = asyncio.create_task(bot.wait())
        try:
            await asyncio.wait({server, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            server.cancel()
            with suppress(asyncio.CancelledError):
                await server
        raise DemoError(f"the demo bot ended: {ended.result()}")
    finally:
        await bot.stop()


def _with_bot(config: Config, bot: "DemoBot") -> Config:
    database = config.database.model_copy(update={"path": bot.database_path})
    live = config.bridge.model_copy(update={"url": bot.state_url})
    return config.model_copy(update={"database": database, "bridge": live})


def _announce(address: Address, telemetry_path: str, bot: "DemoBot") -> None:
    url = f"http://{address._replace(host=address.host or 'localhost')}"
    lines = [
        "The demo bot is running. Open",
        f"  {url}/  the exporter's own page",
        f"  {url}{telemetry_path}  what Prometheus scrapes",
        f"  {bot.database_path}  what the bot writes",
        f"  {bot.state_url}  what its bridge says",
        "Ctrl-C ends it.",
    ]
    print("\n".join(lines), flush=True)


COMMAND = Command("Try it without a bot: simulate one and serve its metrics.", add_flags, run)
