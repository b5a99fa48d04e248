"""What every HTTP server of ours has in common: safe headers, logged faults, the page of metrics, an end in time.

TLS and basic authentication (`--web.config.file`) go into `serving` and a middleware of `application`.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiohttp import web, web_response
from prometheus_client.core import Metric

from exporter.exposition import Format, accepts_gzip, choose_format, compress, encode
from exporter.own import HandlerMetrics, ProcessMetrics
from exporter.scrape import merge

log = structlog.get_logger(__name__)

NOTHING_LOADED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A content security policy for pages that are plain text."""
# Longer than the usual scrape intervals, so that Prometheus keeps its connection.
KEEPALIVE_SECONDS = 120.0
# For each of aiohttp's two phases: a scrape that runs when we are told to end may still end well.
SHUTDOWN_SECONDS = 0.15

# What aiohttp would say of itself (also in answers to malformed requests, which no hook sees) names versions.
web_response.SERVER_SOFTWARE = "tweetbot-exporter"  # type: ignore[attr-defined]

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def application(content_security_policy: str = NOTHING_LOADED) -> web.Application:
    """An application without routes, whose answers have safe headers and whose faults are logged."""
    headers = {**_HEADERS, "Content-Security-Policy": content_security_policy}

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    app = web.Application(middlewares=[_faults_are_logged])
    app.on_response_prepare.append(add_headers)
    return app


@asynccontextmanager
async def serving(app: web.Application, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serves `app` on listening `sockets` while the block runs; then ends within half a second."""
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
    await runner.setup()
    try:
        for listener in sockets:
            await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


class MetricsPage:
    """The handler of the telemetry path: counts and bounds requests, negotiates, encodes beside the loop.

    `collect` delivers the families, or raises a web.HTTPException. `limit` is the number of requests served at a
    time (0: any); `about_itself` adds the metrics of this process and of this handler.
    """

    def __init__(
        self, collect: Callable[[web.Request], Awaitable[list[Metric]]], limit: int, about_itself: bool
    ) -> None:
        self._collect = collect
        self._limit = limit
        self._about_itself = about_itself
        self._handler = HandlerMetrics()
        self._process = ProcessMetrics()

    async def handle(self, request: web.Request) -> web.Response:
        """The permit is given back before anything is sent to a slow client."""
        if self._limit and self._handler.in_flight >= self._limit:
            self._handler.count(503)
            told = f"Limit of concurrent requests reached ({self._limit}), try again later.\n"
            return web.Response(status=503, text=told, headers={"Retry-After": "1"})
        status = 500
        try:
            with self._handler.serving():
                response = await self._page(request)
            status = response.status
            return response
        except web.HTTPException as refusal:
            status = refusal.status
            raise
        finally:
            self._handler.count(status)

    async def _page(self, request: web.Request) -> web.Response:
        metrics = await self._collect(request)
        chosen = choose_format(_header(request, "Accept"))
        gzip = accepts_gzip(_header(request, "Accept-Encoding"))
        # Taken here, as the loop changes the counts that they come from.
        metrics += self._handler.metrics() if self._about_itself else []
        page = await asyncio.to_thread(self._write, metrics, chosen, gzip)
        headers = {"Content-Type": chosen.content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=page, headers=headers)

    def _write(self, metrics: list[Metric], chosen: Format, gzip: bool) -> bytes:
        if self._about_itself:
            metrics = merge([*metrics, *self._process.metrics()])
        page = encode(metrics, chosen)
        return compress(page) if gzip else page


def _header(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, []))


@web.middleware
async def _faults_are_logged(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
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
