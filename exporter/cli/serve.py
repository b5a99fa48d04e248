"""`serve`: the metrics of one bot."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from socket import socket
from typing import TYPE_CHECKING, Any

import structlog

from exporter import __version__
from exporter.cli import flags
from exporter.cli.command import Command, configure, require_bot
from exporter.cli.reload import Reloader
from exporter.config import Address, Config
from exporter.http.sockets import bound_address, listening_sockets
from exporter.runtime import signals, systemd

if TYPE_CHECKING:
    from exporter.http.access import Access

log = structlog.get_logger(__name__)


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_bot_flags(parser)
    flags.add_web_flags(parser)
    flags.add_log_flags(parser)


def run(parsed: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    from exporter.http.access import Access

    def load() -> Config:
        config = configure(parsed)
        require_bot(config)
        return config

    def serve_with(config: Config, sockets: Sequence[socket]) -> Coroutine[Any, Any, None]:
        return serve(config, sockets, Access.of(config.web))

    config = load()
    reloader = Reloader(load, serve_with)
    with ExitStack() as stack:
        opened = listening_sockets(config.web, config.web.addresses)
        sockets = [stack.enter_context(each) for each in opened]
        return signals.run(reloader.run(config, sockets), reloader.request)


async def serve(
    config: Config,
    sockets: Sequence[socket],
    access: "Access",
    announce: Callable[[Sequence[Address]], None] | None = None,
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
        async with running(make_app(scraper, config.web), sockets, access):
            addresses = [bound_address(each) for each in sockets]
            path = config.web.prefix + config.web.telemetry_path
            for address in addresses:
                log.info(
                    "listening", address=str(address), telemetry_path=path, tls=access.context() is not None
                )
            if not config.web.names_an_address:
                log.info("only this machine is served: see --web.listen-address and --web.config.file")
            if announce:
                announce(addresses)
            async with systemd.notified():
                await asyncio.Event().wait()
    finally:
        await scraper.close()


COMMAND = Command("Serve a TweetBot's metrics for Prometheus (the default).", add_flags, run)
