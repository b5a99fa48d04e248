"""The exporter's HTTP: the metrics, health and readiness, the landing page."""

import os
import signal
from collections.abc import Sequence

from aiohttp import web
from prometheus_client.core import Metric

from exporter.collectors.scrape import Scraper, scrape_timeout
from exporter.config import Web
from exporter.http.metrics_handler import MetricsHandler
from exporter.http.server import make_application
from exporter.web import profile as api
from exporter.web import runbooks
from exporter.web.landing import CONTENT_SECURITY_POLICY, landing_page


def make_app(scraper: Scraper, config: Web) -> web.Application:
    """The application: scrapes go to `scraper`."""
    pages = _Pages(scraper, config)
    metrics = MetricsHandler(pages.collect, config.max_requests, not config.disable_exporter_metrics)
    app = make_application(CONTENT_SECURITY_POLICY)
    prefix = config.prefix
    if prefix:
        app.router.add_get("/", pages.redirect)
    app.router.add_get(f"{prefix}/", pages.landing)
    app.router.add_get(f"{prefix}/-/healthy", pages.healthy)
    app.router.add_get(f"{prefix}/-/ready", pages.ready)
    if config.enable_lifecycle:
        app.router.add_post(f"{prefix}/-/reload", pages.reload)
    app.router.add_get(prefix + config.telemetry_path, metrics.handle)
    app.router.add_routes(api.routes(scraper, prefix, config.external_path))
    app.router.add_routes(runbooks.routes(prefix))
    return app


class _Pages:
    """The handlers, with what they share."""

    def __init__(self, scraper: Scraper, config: Web) -> None:
        self._scraper = scraper
        self._config = config

    async def landing(self, _: web.Request) -> web.Response:
        config = self._config
        page = landing_page(self._scraper.statuses(), config.telemetry_path, config.external_path)
        return web.Response(text=page, content_type="text/html")

    async def redirect(self, _: web.Request) -> web.Response:
        raise web.HTTPFound(f"{self._config.external_path}/")

    async def reload(self, _: web.Request) -> web.Response:
        os.kill(os.getpid(), signal.SIGHUP)
        return web.Response(text="The configuration is read again; the log says whether it can be used.\n")

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="The exporter is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        if pending := self._scraper.readiness():
            return web.Response(
                status=503, text="Not ready yet:\n" + "".join(f"- {each}\n" for each in pending)
            )
        return web.Response(text="The exporter is ready.\n")

    async def collect(self, request: web.Request) -> list[Metric]:
        """One scrape of the collectors that the request names."""
        try:
            names = _chosen_names(request, self._scraper.names)
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        seconds = scrape_timeout(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        return await self._scraper.scrape(names, seconds)


def _chosen_names(request: web.Request, known: Sequence[str]) -> Sequence[str]:
    """The collectors that `collect[]` and `exclude[]` leave; ValueError with a message for the user."""
    collect, exclude = (request.query.getall(key, []) for key in ("collect[]", "exclude[]"))
    if collect and exclude:
        raise ValueError("Combined collect[] and exclude[] queries are not allowed; use one of them.")
    for name in (*collect, *exclude):
        if name not in known:
            raise ValueError(f"Unknown collector {name[:100]!a}; known: {', '.join(known) or 'none'}.")
    return collect or [name for name in known if name not in exclude]
