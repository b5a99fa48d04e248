"""The optimizer's HTTP: its API, its metrics, health and readiness."""

from pathlib import Path

from aiohttp import web
from prometheus_client.core import Metric

from exporter.config import Optimizer
from exporter.http.metrics_handler import MetricsHandler
from exporter.http.server import make_application
from exporter.optimizer.http.api import Api
from exporter.optimizer.ledger.store import Ledger, LedgerError
from exporter.optimizer.metrics import Counts, metrics
from exporter.optimizer.reconcile.loop import Worker

SCRAPES_AT_A_TIME = 40


def make_app(config: Optimizer, token_file: Path, ledger: Ledger, worker: Worker) -> web.Application:
    """The application, for an open `ledger` and the `worker` that writes into it."""
    api = Api(config, token_file, ledger, worker)
    pages = _Pages(config, ledger, worker, api.counts)
    page = MetricsHandler(pages.collect, SCRAPES_AT_A_TIME, about_itself=True)
    app = make_application()
    app.router.add_routes(api.routes())
    app.router.add_get("/metrics", page.handle)
    app.router.add_get("/-/healthy", pages.healthy)
    app.router.add_get("/-/ready", pages.ready)
    return app


class _Pages:
    """What needs no token."""

    def __init__(self, config: Optimizer, ledger: Ledger, worker: Worker, counts: Counts) -> None:
        self._config = config
        self._ledger = ledger
        self._worker = worker
        self._counts = counts

    async def collect(self, _: web.Request) -> list[Metric]:
        """All families; without those of a ledger that cannot be read."""
        try:
            tally = await self._ledger.tally()
        except LedgerError as error:
            self._worker.note(error)
            tally = None
        return metrics(self._config, tally, self._counts, self._worker.engine)

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="The optimizer is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Ready while the ledger can be used: who cannot be asked now is asked again."""
        if self._worker.fault:
            return web.Response(status=503, text=f"Not ready: {self._worker.fault}\n")
        engine = self._worker.engine
        sides = {"Prometheus": engine.records_up, "the bot's bridge": engine.bot_up}
        away = "".join(
            f"- {side} did not answer when last asked\n" for side, up in sides.items() if up is False
        )
        return web.Response(text=f"The optimizer is ready.\n{away}")
