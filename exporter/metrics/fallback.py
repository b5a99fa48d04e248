"""Families as prometheus-client writes them, whatever they hold."""

from collections.abc import Callable

import structlog
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from exporter.metrics.lines import exemplar_fits

log = structlog.get_logger(__name__)


def encode_by_client(metric: Metric, write: Callable[[Collector], bytes]) -> bytes:
    """One family by an encoder of prometheus-client. One that cannot be written is empty, and logged as a bug."""
    try:
        return write(_Registry(_with_fitting_exemplars(metric)))
    except Exception as error:
        log.exception(
            "family left out, as it cannot be written: a bug", family=metric.name, error=repr(error)
        )
        return b""


class _Registry(Collector):
    """The registry that the encoders want."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> list[Metric]:
        return [self._metric]


def _with_fitting_exemplars(metric: Metric) -> Metric:
    """The metric itself, or a copy without the exemplars that are too long or stand where none may."""
    samples = metric.samples
    if all(sample.exemplar is None or _fits(metric, sample) for sample in samples):
        return metric
    copy = Metric(metric.name, metric.documentation, metric.type, metric.unit)
    copy.samples = [sample if _fits(metric, sample) else sample._replace(exemplar=None) for sample in samples]
    return copy


def _fits(metric: Metric, sample: Sample) -> bool:
    if sample.exemplar is None:
        return True
    allowed = {"counter": "_total", "histogram": "_bucket", "gaugehistogram": "_bucket"}.get(metric.type)
    return allowed is not None and sample.name.endswith(allowed) and exemplar_fits(sample.exemplar.labels)
