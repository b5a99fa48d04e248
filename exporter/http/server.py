"""What every HTTP server of ours has in common: who is let in, safe headers, logged faults, a bounded shutdown."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from aiohttp import web, web_response
from aiohttp.typedefs import Handler, Middleware

from exporter.http.access import Access
from exporter.http.connections import Connections, most_connections

log = structlog.get_logger(__name__)

NOTHING_LOADED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A content security policy for pages that are plain text."""
# Longer than the usual scrape intervals, so that Prometheus keeps its connection.
KEEPALIVE_SECONDS = 120.0
# For each of aiohttp's two phases: a scrape that runs at shutdown may still complete.
SHUTDOWN_SECONDS = 0.15

# What aiohttp would say of itself (also in answers to malformed requests, which no hook sees) names versions.
web_response.SERVER_SOFTWARE = "tweetbot-exporter"  # type: ignore[attr-defined]

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_application(content_security_policy: str = NOTHING_LOADED) -> web.Application:
    """An application without routes, whose answers have safe headers and whose faults are logged."""
    headers = {**_HEADERS, "Content-Security-Policy": content_security_policy}

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    app = web.Application(middlewares=[_faults_are_logged])
    app.on_response_prepare.append(add_headers)
    return app


@asynccontextmanager
async def running(
    app: web.Application, sockets: Sequence[socket.socket], access: Access | None = None
) -> AsyncIterator[None]:
    """Serves `app` on listening `sockets` while the block runs; then ends within half a second.

    `access` says who is let in; without it everybody is who knows the server by an address.
    """
    access = access or Access()
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_client_errors_logger(),
        # A small body must not become a large one: who wants a coding looks at the header.
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=1.0,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    connections = Connections(lambda: _protocol(runner), most_connections())
    app.middlewares.insert(0, _follows(connections))
    app.middlewares.append(access.middleware)
    app.on_response_prepare.extend([access.prepare, connections.prepare])
    await runner.setup()
    accepting = [asyncio.create_task(connections.accept(each, access.context)) for each in sockets]
    try:
        yield
    finally:
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        for listener in sockets:
            listener.close()
        await runner.cleanup()
        await connections.close()


def _protocol(runner: web.AppRunner) -> web.RequestHandler:
    assert runner.server is not None
    return runner.server()


def _follows(connections: Connections) -> Middleware:
    """A middleware that tells each connection what it is used for."""

    @web.middleware
    async def follow(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = connections.of(request)
        if connection is None:
            return await handler(request)
        connection.begin(request)
        try:
            return await handler(request)
        finally:
            connection.end()

    return follow


@web.middleware
async def _faults_are_logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("request failed: a bug", path=request.path)
        return web.Response(status=500, text="Internal error; the log has the details.\n")


def _client_errors_logger() -> logging.Logger:
    """For what aiohttp's protocol has to say: malformed requests, which are no errors of ours."""
    logger = logging.getLogger("exporter.http")
    logger.addFilter(_as_debug)
    return logger


def _as_debug(record: logging.LogRecord) -> bool:
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger().isEnabledFor(logging.DEBUG)
