"""The exporter's metrics about itself as a program: its process, its Python and its HTTP handler.

Names are those of Prometheus's own client libraries, so that dashboards for exporters know them.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)


class HandlerMetrics:
    """Counts what promhttp counts: requests of the telemetry path by status code, and those being served."""

    def __init__(self) -> None:
        self._requests = Counter({"200": 0, "500": 0, "503": 0})
        self.in_flight = 0

    def count(self, status: int) -> None:
        """One request was answered with `status`."""
        self._requests[str(status)] += 1

    @contextmanager
    def serving(self) -> Iterator[None]:
        """A request is being served, until the block is left in whatever way."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def metrics(self) -> list[Metric]:
        """A snapshot."""
        requests = CounterMetricFamily(
            "promhttp_metric_handler_requests",
            "Total number of scrapes by HTTP status code.",
            labels=["code"],
        )
        for code, number in sorted(self._requests.items()):
            requests.add_metric([code], number)
        in_flight = GaugeMetricFamily(
            "promhttp_metric_handler_requests_in_flight",
            "Current number of scrapes being served.",
            value=self.in_flight,
        )
        return [requests, in_flight]


class ProcessMetrics:
    """Process, platform and garbage collection, as prometheus-client sees them. Blocks on /proc."""

    def __init__(self) -> None:
        # The garbage collector's only comes with a registry; the global one is everybody's.
        registry = CollectorRegistry(auto_describe=False)
        GCCollector(registry)
        self._collectors: list[Collector] = [
            ProcessCollector(registry=None),
            PlatformCollector(registry=None),
            registry,
        ]
        self._failed: set[str] = set()

    def metrics(self) -> list[Metric]:
        """A snapshot; what cannot be read is left out, and logged the first time."""
        return [metric for collector in self._collectors for metric in self._collect(collector)]

    def _collect(self, collector: Collector) -> list[Metric]:
        try:
            return list(collector.collect())
        except Exception as error:  # noqa: BLE001 (not worth a page: e.g. an unlimited number of files)
            name = type(collector).__name__
            if name not in self._failed:
                self._failed.add(name)
                log.warning("process metrics left out", collector=name, error=repr(error))
            return []
