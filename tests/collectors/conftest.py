"""A bridge of the tests: an HTTP server that serves what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from exporter.config import Config, load

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeBridge:
    """`document` is served, unless there is a `handler`. Notes the requests."""

    def __init__(self) -> None:
        self.document: Any = {}
        self.handler: Handler | None = None
        self.requests: list[web.Request] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.handler is not None:
            return await self.handler(request)
        return web.Response(text=json.dumps(self.document), content_type="application/json")

    def config(self, **keys: object) -> Config:
        return load(None, {"bridge.url": self.url, **{key.replace("__", "."): keys[key] for key in keys}})


@pytest.fixture
async def bridge() -> AsyncIterator[FakeBridge]:
    fake = FakeBridge()
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/state"
    yield fake
    await runner.cleanup()


@pytest.fixture
async def raw_server() -> AsyncIterator[Callable[[bytes], Awaitable[str]]]:
    """Serves these very bytes to whoever connects, and closes."""
    servers: list[asyncio.Server] = []

    async def serve(answer: bytes) -> str:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/state"

    yield serve
    for server in servers:
        server.close()
