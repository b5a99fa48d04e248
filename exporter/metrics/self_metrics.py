"""The exporter's metrics about itself as a program: its process, its Python and its HTTP handler.

Names are those of Prometheus's own client libraries, so that dashboards for exporters know them.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.metrics.catalogue.family import Declarations, Family, Kind
from exporter.metrics.samples import FamilySnapshot

log = structlog.get_logger(__name__)

_declare = Declarations("exporter")
_REQUESTS = _declare.counter(
    "promhttp_metric_handler_requests_total", "Total number of scrapes by HTTP status code.", "code"
)
_IN_FLIGHT = _declare.gauge(
    "promhttp_metric_handler_requests_in_flight", "Current number of scrapes being served."
)
_KINDS: dict[str, Kind] = {"counter": "counter", "gauge": "gauge"}


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
        requests = tuple(((code,), number) for code, number in sorted(self._requests.items()))
        return [FamilySnapshot(_REQUESTS, requests), FamilySnapshot(_IN_FLIGHT, (((), self.in_flight),))]


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
            return [_as_snapshot(metric) for metric in collector.collect()]
        except Exception as error:  # noqa: BLE001 (not worth a page: e.g. an unlimited number of files)
            name = type(collector).__name__
            if name not in self._failed:
                self._failed.add(name)
                log.warning("process metrics left out", collector=name, error=repr(error))
            return []


def _as_snapshot(metric: Metric) -> Metric:
    """The same as a snapshot, which is written faster; the metric itself if it is no plain counter or gauge."""
    series = {(sample.name, *sample.labels) for sample in metric.samples}
    if metric.type not in _KINDS or len(series) != 1:
        return metric
    ((name, *labels),) = series
    rows = tuple((tuple(sample.labels.values()), sample.value) for sample in metric.samples)
    return FamilySnapshot(_family(name, _KINDS[metric.type], metric.documentation, tuple(labels)), rows)


# Families are told apart by identity, and prometheus-client's collectors always have the same few.
@lru_cache(maxsize=64)
def _family(name: str, kind: Kind, help_text: str, labels: tuple[str, ...]) -> Family:
    return Family(name, kind, help_text, labels, (), "exporter")
