"""The command line. A command is a function here and a line in COMMANDS.

Exit codes: 0 fine, 1 it could not be done, 2 wrong flags or configuration.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING

import structlog

from exporter import __version__, flags, installing, logs, running
from exporter.config import Config, ConfigError, load
from exporter.listen import Address, ListenError, bound_address, open_sockets

if TYPE_CHECKING:
    from exporter.demo import DemoBot

log = structlog.get_logger(__name__)

DEMO_ADDRESS = "127.0.0.1:9464"
BROKEN_PIPE = 141
"""As of a program that SIGPIPE ended."""


class FailedError(Exception):
    """It could not be done. The message is for the user: what, and the mend."""


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the parsed flags and returns the exit code."""

    about: str
    add_flags: flags.AddFlags
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that `arguments` (default: the process's) name; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    named = given and not given[0].startswith("-")
    name = given.pop(0) if named else "serve"
    if name not in COMMANDS:
        flags.unknown_command(name, list(COMMANDS))
    command = COMMANDS[name]
    commands = {each: other.about for each, other in COMMANDS.items()} if not named else {}
    parsed = flags.parser(name, command.about, command.add_flags, commands).parse(given)
    try:
        code = command.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`): what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (ConfigError, ListenError, FailedError) as error:
        print(f"{flags.PROGRAM}: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return code


def serve(parsed: argparse.Namespace) -> int:
    """Serves the metrics of one bot until a signal comes."""
    config = _configured(parsed)
    _need_a_bot(config)
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in open_sockets(config.web.listen_addresses)]
        return running.run(_serve(config, sockets))


def demo(parsed: argparse.Namespace) -> int:
    """Serves the metrics of a simulated bot until a signal comes."""
    from exporter.demo import DemoBot, DemoError  # a program of its own, which the others do not need

    config = _configured(parsed, {"web.listen_addresses": [DEMO_ADDRESS]})
    names = ("seed", "speed", "state_port", "actions_token_file")
    options = {name: getattr(parsed, name) for name in names if getattr(parsed, name) is not None}
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in open_sockets(config.web.listen_addresses)]
        try:
            bot = DemoBot(directory=parsed.directory, scenario=parsed.scenario, **options)
        except DemoError as error:
            raise ConfigError(str(error)) from None
        try:
            return running.run(_demo(config, sockets, bot))
        except DemoError as error:
            raise FailedError(str(error)) from None


def check(parsed: argparse.Namespace) -> int:
    """Prints what is found of the bot, and what is missing; serves nothing."""
    from exporter import checking, sources  # rich takes its time, which only this command has

    config = _configured(parsed)
    _need_a_bot(config)
    rows = asyncio.run(checking.inspect(sources.build(config)))
    checking.show(rows)
    return checking.exit_code(rows)


def profile(parsed: argparse.Namespace) -> int:
    """Prints all that is known of agents."""
    from exporter.profile import command  # rich, as above

    config = _configured(parsed, {"log.level": "warn"})
    if parsed.url is None:
        _need_a_bot(config)
    try:
        command.run(config, parsed.agent, parsed.json, parsed.url)
    except command.ProfileError as error:
        raise FailedError(str(error)) from None
    return 0


def optimizer(parsed: argparse.Namespace) -> int:
    """Serves Alertmanager's webhook, and acts on its alerts if it may, until a signal comes."""
    from exporter.optimizer import ledger, service

    config = _configured(parsed)
    token_file = service.check(config)
    with ExitStack() as stack:
        opened = open_sockets(config.optimizer.listen_addresses, "--optimizer.listen-address")
        sockets = [stack.enter_context(each) for each in opened]
        try:
            return running.run(service.run(config, token_file, sockets))
        except ledger.LedgerError as error:
            raise FailedError(str(error)) from None


def optimizations(parsed: argparse.Namespace) -> int:
    """Prints the optimizer's ledger, or has something taken back."""
    from exporter.optimizer import command  # rich, as above

    config = _configured(parsed, {"log.level": "warn"})
    try:
        if parsed.take_back is not None:
            command.take_back(config.optimizer, parsed.take_back)
        else:
            command.show(config.optimizer.ledger, parsed.state, parsed.limit, parsed.json)
    except command.OptimizationsError as error:
        raise FailedError(str(error)) from None
    return 0


def bridge(parsed: argparse.Namespace) -> int:
    """Prints where the bridge is and how a bot is started with it."""
    if parsed.copy and parsed.directory is None:
        raise ConfigError("--copy needs the bot's directory: tweetbot-exporter bridge DIRECTORY --copy")
    try:
        copied = installing.copy_to(parsed.directory) if parsed.copy else None
    except installing.InstallError as error:
        raise FailedError(str(error)) from None
    print(installing.instructions(parsed.directory, copied))
    return 0


def _configured(parsed: argparse.Namespace, defaults: Mapping[str, object] | None = None) -> Config:
    """The configuration; from here on, logging is what it says."""
    config = load(vars(parsed).get("config.file"), {**(defaults or {}), **flags.set_keys(parsed)})
    logs.configure(config.log.level, config.log.format)
    return config


def _need_a_bot(config: Config) -> None:
    if not config.has_source:
        raise ConfigError(
            "no database is given; name the bot's SQLite file with --database.path, or as database.path in "
            "the file of --config.file, or its bridge with --bridge.url (or try `tweetbot-exporter demo`)"
        )


async def _serve(
    config: Config, sockets: Sequence[socket], announce: Callable[[Sequence[Address]], None] | None = None
) -> None:
    """Serves on listening `sockets` until cancelled; `announce` is called when everything is ready."""
    from exporter import sources, web
    from exporter.scrape import Scraper
    from exporter.serving import serving

    log.info("starting", version=__version__)
    scraper = Scraper(sources.build(config), config.source_timeouts())
    try:
        await scraper.start()
        async with serving(web.make_app(scraper, config.web), sockets):
            addresses = [bound_address(each) for each in sockets]
            for address in addresses:
                log.info("listening", address=str(address), telemetry_path=config.web.telemetry_path)
            if announce:
                announce(addresses)
            await asyncio.Event().wait()
    finally:
        await scraper.close()


async def _demo(config: Config, sockets: Sequence[socket], bot: "DemoBot") -> None:
    """Serves what `bot` writes, until cancelled or until the bot ends, which is a DemoError."""
    from exporter.demo import DemoError

    def announce(addresses: Sequence[Address]) -> None:
        _announce(addresses[0], config.web.telemetry_path, bot)

    try:
        await bot.start()
        serving = asyncio.create_task(_serve(_with_bot(config, bot), sockets, announce))
        ended = asyncio.create_task(bot.wait())
        try:
            await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
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


def _add_serve_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_source_flags(parser)
    flags.add_web_flags(parser, ":9464")
    flags.add_log_flags(parser)


def _add_demo_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_demo_flags(parser)
    flags.add_web_flags(parser, DEMO_ADDRESS)
    flags.add_log_flags(parser)


def _add_profile_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_profile_flags(parser)
    flags.add_source_flags(parser)
    flags.add_log_flags(parser)


def _add_optimizer_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_optimizer_flags(parser)
    flags.add_log_flags(parser)


def _add_check_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_source_flags(parser)
    flags.add_log_flags(parser)


COMMANDS = {
    "serve": Command("Serve a TweetBot's metrics for Prometheus (the default).", _add_serve_flags, serve),
    "demo": Command("Try it without a bot: simulate one and serve its metrics.", _add_demo_flags, demo),
    "profile": Command("Print all that is known of agents.", _add_profile_flags, profile),
    "optimizer": Command(
        "Answer bottlenecks: receive alerts, act, measure.", _add_optimizer_flags, optimizer
    ),
    "optimizations": Command(
        "Print the optimizer's ledger, or take back.", flags.add_optimizations_flags, optimizations
    ),
    "bridge": Command("Print how to start a bot with the bridge.", flags.add_bridge_flags, bridge),
    "check": Command("Print what is found of a bot, and what is missing.", _add_check_flags, check),
}
