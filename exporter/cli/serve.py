"""`serve`: the metrics of one bot."""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from socket import socket

import structlog

from exporter import __version__
from exporter.cli import flags
from exporter.cli.command import Command, configure, require_bot
from exporter.config import Address, Config
from exporter.http.sockets import bound_address, open_sockets
from exporter.runtime import signals

log = structlog.get_logger(__name__)


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_bot_flags(parser)
    flags.add_web_flags(parser, ":9464")
    flags.add_log_flags(parser)


def run(parsed: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    config = configure(parsed)
    require_bot(config)
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in open_sockets(config.web.listen_addresses)]
        return signals.run(serve(config, sockets))


async def serve(
    config: Config, sockets: Sequence[socket], announce: Callable[[Sequence[Address]], None] | None = None
) -> None:
    """Serves on listening `sockets` until cancelled; `announce` is called when everything is ready."""
    # Imported here, so that commands that serve nothing start without aiohttp and the collectors.
    from exporter.collectors import registry
    from exporter.collectors.scrape import Scraper
    from exporter.http.server import running
    from exporter.web.app import make_app

    log.info("starting", version=__version__)
    scraper = Scraper(registry.build(config), config.collector_timeouts())
    try:
        await scraper.start()
        async with running(make_app(scraper, config.web), sockets):
            addresses = [bound_address(each) for each in sockets]
            for address in addresses:
                log.info("listening", address=str(address), telemetry_path=config.web.telemetry_path)
            if announce:
                announce(addresses)
            await asyncio.Event().wait()
    finally:
        await scraper.close()


COMMAND = Command("Serve a TweetBot's metrics for Prometheus (the default).", add_flags, run)
