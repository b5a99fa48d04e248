"""One family of each name: several collectors may add series to one, but a page has it once."""

from collections.abc import Iterable

import structlog
from prometheus_client.core import Metric

log = structlog.get_logger(__name__)


def merge(metrics: Iterable[Metric]) -> list[Metric]:
    """One family of each name: several sources may add series to one, but a page has it once."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(metric.name, []).append(metric)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in families.values()]


def _joined(parts: list[Metric]) -> Metric:
    first = parts[0]
    joined = Metric(first.name, first.documentation, first.type, first.unit)
    series = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample
        for part in reversed(parts)
        for sample in reversed(part.samples)
        if part.type == first.type
    }
    joined.samples = list(reversed(series.values()))
    if len(joined.samples) < sum(len(part.samples) for part in parts):
        log.error("series left out, as two sources have the same: a bug", family=first.name)
    return joined
