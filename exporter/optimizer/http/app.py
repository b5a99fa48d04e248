"""The optimizer's HTTP: its API, its metrics, health and readiness."""

from pathlib import Path

from aiohttp import web
from prometheus_client.core import Metric

from exporter.config import Optimizer
from exporter.http.metrics_handler import MetricsHandler
from exporter.http.server import make_application
from exporter.optimizer.alerts.receiver import AlertReceiver
from exporter.optimizer.http.api import Api
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.metrics import Counts, metrics
from exporter.optimizer.reconcile.loop import ReconcileLoop

SCRAPES_AT_A_TIME = 40


def make_app(
    config: Optimizer, token_file: Path, ledger: Ledger, receiver: AlertReceiver, loop: ReconcileLoop
) -> web.Application:
    """The application, for an open `ledger`, and the `receiver` and the `loop` that write into it."""
    api = Api(config, token_file, ledger, receiver, loop)
    pages = _Pages(config, ledger, loop, api.counts)
    page = MetricsHandler(pages.collect, SCRAPES_AT_A_TIME, about_itself=True)
    app = make_application()
    app.router.add_routes(api.routes())
    app.router.add_get("/metrics", page.handle)
    app.router.add_get("/-/healthy", pages.healthy)
    app.router.add_get("/-/ready", pages.ready)
    return app


class _Pages:
    """What needs no token."""

    def __init__(self, config: Optimizer, ledger: Ledger, loop: ReconcileLoop, counts: Counts) -> None:
        self._config = config
        self._ledger = ledger
        self._loop = loop
        self._counts = counts

    async def collect(self, _: web.Request) -> list[Metric]:
        """All families; without those of a ledger that cannot be read."""
        try:
            tally = await self._ledger.tally()
        except LedgerError as error:
            self._loop.note(error)
            tally = None
        return metrics(self._config, tally, self._counts, self._loop.reconciler)

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="The optimizer is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Ready while the ledger can be used and the time is known: Prometheus and the bot may be away for a while."""
        reconciler = self._loop.reconciler
        if fault := self._loop.fault or reconciler.clock_fault:
            return web.Response(status=503, text=f"Not ready: {fault}\n")
        sides = {"Prometheus": reconciler.prometheus_up, "the bot's bridge": reconciler.bot_up}
        missing = "".join(
            f"- {side} did not answer when last asked\n" for side, up in sides.items() if up is False
        )
        return web.Response(text=f"The optimizer is ready.\n{missing}")
