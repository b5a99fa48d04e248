"""HTTP: the metrics, health and readiness, the landing page.

TLS and basic authentication (`--web.config.file`) go into `serving` and a middleware of `make_app`.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiohttp import web, web_response
from prometheus_client.core import Metric

from exporter.config import Web
from exporter.exposition import Format, accepts_gzip, choose_format, compress, encode
from exporter.landing import CONTENT_SECURITY_POLICY, landing_page
from exporter.own import HandlerMetrics, ProcessMetrics
from exporter.profile import api
from exporter.scrape import Scraper, merge, scrape_timeout

log = structlog.get_logger(__name__)

# Longer than the usual scrape intervals, so that Prometheus keeps its connection.
KEEPALIVE_SECONDS = 120.0
# For each of aiohttp's two phases: a scrape that runs when we are told to end may still end well.
SHUTDOWN_SECONDS = 0.15

# What aiohttp would say of itself (also in answers to malformed requests, which no hook sees) names versions.
web_response.SERVER_SOFTWARE = "tweetbot-exporter"  # type: ignore[attr-defined]

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_app(scraper: Scraper, config: Web) -> web.Application:
    """The application: scrapes go to `scraper`."""
    pages = _Pages(scraper, config)
    app = web.Application(middlewares=[_faults_are_logged])
    app.on_response_prepare.append(_add_headers)
    app.router.add_get("/", pages.landing)
    app.router.add_get("/-/healthy", pages.healthy)
    app.router.add_get("/-/ready", pages.ready)
    app.router.add_get(config.telemetry_path, pages.metrics)
    app.router.add_routes(api.routes(scraper))
    return app


@asynccontextmanager
async def serving(app: web.Application, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serves `app` on listening `sockets` while the block runs; then ends within half a second."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_client_errors_logger(),
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


class _Pages:
    """The handlers, with what they share."""

    def __init__(self, scraper: Scraper, config: Web) -> None:
        self._scraper = scraper
        self._config = config
        self._handler = HandlerMetrics()
        self._process = ProcessMetrics()

    async def landing(self, _: web.Request) -> web.Response:
        page = landing_page(self._scraper.states(), self._config.telemetry_path)
        return web.Response(text=page, content_type="text/html")

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="The exporter is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        if pending := self._scraper.pending():
            return web.Response(
                status=503, text="Not ready yet:\n" + "".join(f"- {each}\n" for each in pending)
            )
        return web.Response(text="The exporter is ready.\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Counts and bounds requests; the permit is given back before anything is sent to a slow client."""
        limit = self._config.max_requests
        if limit and self._handler.in_flight >= limit:
            self._handler.count(503)
            told = f"Limit of concurrent requests reached ({limit}), try again later.\n"
            return web.Response(status=503, text=told, headers={"Retry-After": "1"})
        status = 500
        try:
            with self._handler.serving():
                response = await self._scrape(request)
            status = response.status
            return response
        finally:
            self._handler.count(status)

    async def _scrape(self, request: web.Request) -> web.Response:
        try:
            names = _chosen_names(request, self._scraper.names)
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        seconds = scrape_timeout(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        metrics = await self._scraper.scrape(names, seconds)
        chosen = choose_format(_header(request, "Accept"))
        gzip = accepts_gzip(_header(request, "Accept-Encoding"))
        # Taken here, as the loop changes the counts that they come from.
        metrics += [] if self._config.disable_exporter_metrics else self._handler.metrics()
        page = await asyncio.to_thread(self._write, metrics, chosen, gzip)
        headers = {"Content-Type": chosen.content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=page, headers=headers)

    def _write(self, metrics: list[Metric], chosen: Format, gzip: bool) -> bytes:
        if not self._config.disable_exporter_metrics:
            metrics = merge([*metrics, *self._process.metrics()])
        page = encode(metrics, chosen)
        return compress(page) if gzip else page


def _chosen_names(request: web.Request, known: Sequence[str]) -> Sequence[str]:
    """The sources that `collect[]` and `exclude[]` leave; ValueError with a message for the user."""
    collect, exclude = (request.query.getall(key, []) for key in ("collect[]", "exclude[]"))
    if collect and exclude:
        raise ValueError("Combined collect[] and exclude[] queries are not allowed; use one of them.")
    for name in (*collect, *exclude):
        if name not in known:
            raise ValueError(f"Unknown collector {name[:100]!a}; known: {', '.join(known) or 'none'}.")
    return collect or [name for name in known if name not in exclude]


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
        return web.Response(status=500, text="Internal error; the exporter's log has the details.\n")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _client_errors_logger() -> logging.Logger:
    """For what aiohttp's protocol has to say: malformed requests, which are no errors of ours."""
    logger = logging.getLogger("exporter.http")
    logger.addFilter(_as_debug)
    return logger


def _as_debug(record: logging.LogRecord) -> bool:
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger().isEnabledFor(logging.DEBUG)
