"""Serving with the configuration as it is now, and at SIGHUP as it is then."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from socket import socket
from typing import Any

import structlog

from exporter.cli.errors import CommandError
from exporter.config import Config, ConfigError

log = structlog.get_logger(__name__)

Serve = Callable[[Config, Sequence[socket]], Coroutine[Any, Any, None]]


class Reloader:
    """Runs `serve` until cancelled. `request` has it end and begin with what `load` gives.

    The sockets stay open meanwhile: who connects waits, and is not refused. A configuration that cannot be used leaves
    everything as it is.
    """

    def __init__(self, load: Callable[[], Config], serve: Serve) -> None:
        self._load = load
        self._serve = serve
        self._requested = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def request(self) -> None:
        """From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._requested.set)

    async def run(self, config: Config, sockets: Sequence[socket]) -> None:
        self._loop = asyncio.get_running_loop()
        while True:
            with ExitStack() as stack:
                # The server closes what it is given.
                lent = [stack.enter_context(each.dup()) for each in sockets]
                config = await self._serve_until_requested(config, lent)

    async def _serve_until_requested(self, config: Config, sockets: Sequence[socket]) -> Config:
        server = asyncio.create_task(self._serve(config, sockets))
        try:
            return await self._next(server, config)
        finally:
            server.cancel()
            with suppress(asyncio.CancelledError):
                await server

    async def _next(self, server: "asyncio.Task[None]", present: Config) -> Config:
        """The next configuration; raises what ended the server."""
        while True:
            requested = asyncio.create_task(self._requested.wait())
            await asyncio.wait({server, requested}, return_when=asyncio.FIRST_COMPLETED)
            requested.cancel()
            if server.done():
                await server
            self._requested.clear()
            try:
                config = self._load()
            except (ConfigError, CommandError) as error:
                log.error("configuration not reloaded", error=str(error))
                continue
            if config.web.addresses != present.web.addresses:
                log.warning("another address to listen on needs a restart")
            log.info("configuration reloaded")
            return config
