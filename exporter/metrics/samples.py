"""From values to the metric objects that prometheus-client encodes, by the declarations of the catalogue."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter

from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from exporter.metrics.catalogue import FAMILIES, Family

LABEL_SETS_KEPT = 4096

_POSITION = {family: position for position, family in enumerate(FAMILIES)}


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """`counts` are cumulative, one for each of the family's bounds and one for +Inf; `total` is in its unit.

    `exemplars` are by the bucket's position in `counts`.
    """

    counts: Sequence[int]
    total: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)


class Samples:
    """Collects values; `metrics` gives them in the catalogue's order, each family sorted by label values.

    So the page does not show in which order the values came. Families in `omitted` are left out.
    """

    def __init__(self, omitted: Collection[Family] = ()) -> None:
        self._omitted = omitted
        self._rows: defaultdict[Family, list[tuple[tuple[str, ...], float | HistogramValue]]] = defaultdict(
            list
        )

    def add(self, family: Family, value: float | HistogramValue | None, *labels: str) -> None:
        """One value, None is absent; `labels` in the order in which the family declares its label names."""
        if len(labels) != len(family.labels):
            raise ValueError(f"{family.name} takes the labels {family.labels}, not {labels}")
        if value is not None and family not in self._omitted:
            self._rows[family].append((labels, value))

    def metrics(self) -> list[Metric]:
        """A metric object for each family that got a value."""
        return [
            _metric(family, self._rows[family]) for family in sorted(self._rows, key=_POSITION.__getitem__)
        ]


def _metric(family: Family, rows: list[tuple[tuple[str, ...], float | HistogramValue]]) -> Metric:
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    metric = Metric(family.name.removesuffix(suffix), family.help, family.kind)
    samples = metric.samples
    for values, value in sorted(rows, key=itemgetter(0)):
        if isinstance(value, HistogramValue):
            samples += _histogram_samples(family, values, value)
        else:
            samples.append(Sample(family.name, _labels(family.labels, values), value))
    return metric


def _histogram_samples(family: Family, values: tuple[str, ...], value: HistogramValue) -> list[Sample]:
    labels, bucket, exemplars = _labels(family.labels, values), f"{family.name}_bucket", value.exemplars
    by_bound = _bucket_labels(family.labels, values, family.buckets)
    samples = [
        Sample(bucket, bound_labels, count, None, exemplars.get(position))
        for position, (bound_labels, count) in enumerate(zip(by_bound, value.counts, strict=True))
    ]
    # OpenMetrics: the sum of what may be negative is no counter, and without a sum there is no count.
    if family.buckets[0] >= 0:
        samples.append(Sample(f"{family.name}_count", labels, value.counts[-1]))
        samples.append(Sample(f"{family.name}_sum", labels, value.total))
    return samples


# The same labels come at each scrape, and nobody changes them.
@lru_cache(maxsize=LABEL_SETS_KEPT)
def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(names, values, strict=True))


@lru_cache(maxsize=LABEL_SETS_KEPT)
def _bucket_labels(
    names: tuple[str, ...], values: tuple[str, ...], buckets: tuple[float, ...]
) -> list[dict[str, str]]:
    labels = _labels(names, values)
    return [labels | {"le": bound} for bound in [*map(floatToGoString, buckets), "+Inf"]]
