"""The handler of the telemetry path."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client.core import Metric

from exporter.http.negotiation import accepts_gzip, choose_format
from exporter.metrics.catalogue import LOG_LINES_DROPPED
from exporter.metrics.exposition import Format, Pages
from exporter.metrics.merging import merge
from exporter.metrics.samples import FamilySnapshot
from exporter.metrics.self_metrics import HandlerMetrics, ProcessMetrics
from exporter.runtime.logging import dropped_lines


class MetricsHandler:
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
        self._pages = Pages()

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
        metrics += [*self._handler.metrics(), _log_metric()] if self._about_itself else []
        page = await asyncio.to_thread(self._write, metrics, chosen, gzip)
        headers = {"Content-Type": chosen.content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=page, headers=headers)

    def _write(self, metrics: list[Metric], chosen: Format, gzip: bool) -> bytes:
        if self._about_itself:
            metrics = merge([*metrics, *self._process.metrics()])
        return self._pages.write(metrics, chosen, gzip)


def _log_metric() -> Metric:
    return FamilySnapshot(LOG_LINES_DROPPED, (((), dropped_lines()),))


def _header(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, []))
