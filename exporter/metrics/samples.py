"""From values to snapshots of metric families, by the declarations of the catalogue."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from exporter.metrics.catalogue import FAMILIES, Family

_POSITION = {family: position for position, family in enumerate(FAMILIES)}
_NO_EXEMPLARS: Mapping[int, Exemplar] = MappingProxyType({})
SUFFIXES = {"counter": "_total", "info": "_info"}
"""What OpenMetrics takes off the name of a series to have that of its family."""


class HistogramValue(NamedTuple):
    """`counts` are cumulative, one for each of the family's bounds and one for +Inf; `total` is in its unit.

    `exemplars` are by the bucket's position in `counts`.
    """

    counts: Sequence[int]
    total: float
    exemplars: Mapping[int, Exemplar] = _NO_EXEMPLARS


Row = tuple[tuple[str, ...], float | HistogramValue]
"""One series, or one histogram: the label values in the family's order, and the value."""


class FamilySnapshot(Metric):
    """A declared family and its rows at one moment, never changed: the same object is the same text.

    It is prometheus-client's Metric for all who read one; the samples are made whenever they are asked for.
    """

    def __init__(self, family: Family, rows: tuple[Row, ...]) -> None:
        self.family, self.rows = family, rows
        self.name = family.name.removesuffix(SUFFIXES.get(family.kind, ""))
        self.documentation, self.type, self.unit = family.help, family.kind, ""

    @property
    def samples(self) -> list[Sample]:  # type: ignore[override]
        """In the order in which they are written."""
        samples: list[Sample] = []
        for values, value in self.rows:
            labels = dict(zip(self.family.labels, values, strict=True))
            if isinstance(value, HistogramValue):
                samples += _histogram_samples(self.family, labels, value)
            else:
                samples.append(Sample(self.family.name, labels, value))
        return samples


class Samples:
    """Collects values; `metrics` gives them in the catalogue's order, each family sorted by label values.

    So the page does not show in which order the values came. Families in `omitted` are left out.
    """

    def __init__(self, omitted: Collection[Family] = ()) -> None:
        self._omitted = omitted
        self._rows: defaultdict[Family, list[Row]] = defaultdict(list)

    def add(self, family: Family, value: float | HistogramValue | None, *labels: str) -> None:
        """One value, None is absent; `labels` in the order in which the family declares its label names."""
        if len(labels) != len(family.labels):
            raise ValueError(f"{family.name} takes the labels {family.labels}, not {labels}")
        if value is not None and family not in self._omitted:
            self._rows[family].append((labels, _frozen(value)))

    def metrics(self) -> list[Metric]:
        """A FamilySnapshot for each family that got a value."""
        return [
            FamilySnapshot(family, tuple(sorted(self._rows[family], key=itemgetter(0))))
            for family in sorted(self._rows, key=_POSITION.__getitem__)
        ]


def _frozen(value: float | HistogramValue) -> float | HistogramValue:
    """The value as it is now, whatever becomes of its parts. No zero has a sign: equal values are the same text."""
    if isinstance(value, HistogramValue):
        counts, total, exemplars = value
        return HistogramValue(tuple(counts), total or 0.0, dict(exemplars) if exemplars else _NO_EXEMPLARS)
    return value or 0.0


def has_sum(family: Family) -> bool:
    """OpenMetrics: the sum of what may be negative is no counter, and without a sum there is no count."""
    return family.buckets[0] >= 0


def _histogram_samples(family: Family, labels: dict[str, str], value: HistogramValue) -> list[Sample]:
    bounds = [*map(floatToGoString, family.buckets), "+Inf"]
    samples = [
        Sample(f"{family.name}_bucket", {**labels, "le": bound}, count, None, value.exemplars.get(position))
        for position, (bound, count) in enumerate(zip(bounds, value.counts, strict=True))
    ]
    if has_sum(family):
        samples.append(Sample(f"{family.name}_count", labels, value.counts[-1]))
        samples.append(Sample(f"{family.name}_sum", labels, value.total))
    return samples
