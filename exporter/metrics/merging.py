"""One family of each name: several collectors may add series to one, but a page has it once."""

from collections.abc import Iterable

import structlog
from prometheus_client.core import Metric

from exporter.metrics.samples import FamilySnapshot

log = structlog.get_logger(__name__)


def merge(metrics: Iterable[Metric]) -> list[Metric]:
    """One family of each name: several sources may add series to one, but a page has it once."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(metric.name, []).append(metric)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in families.values()]


def _joined(parts: list[Metric]) -> Metric:
    joined, left_out = _joined_snapshots(parts) or _joined_metrics(parts)
    if left_out:
        log.error("series left out, as two sources have the same: a bug", family=joined.name)
    return joined


def _joined_snapshots(parts: list[Metric]) -> tuple[Metric, int] | None:
    """The family and how many rows were left out; None unless all parts are snapshots of it."""
    snapshots = [part for part in parts if isinstance(part, FamilySnapshot)]
    if len({part.family for part in snapshots}) != 1 or len(snapshots) < len(parts):
        return None
    # Of equal ones, the first stays.
    rows = dict(row for part in reversed(snapshots) for row in reversed(part.rows))
    left_out = sum(len(part.rows) for part in snapshots) - len(rows)
    return FamilySnapshot(snapshots[0].family, tuple(reversed(rows.items()))), left_out


def _joined_metrics(parts: list[Metric]) -> tuple[Metric, int]:
    first = parts[0]
    joined = Metric(first.name, first.documentation, first.type, first.unit)
    series = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample
        for part in reversed(parts)
        for sample in reversed(part.samples)
        if part.type == first.type
    }
    joined.samples = list(reversed(series.values()))
    return joined, sum(len(part.samples) for part in parts) - len(joined.samples)
