"""The bot's counters, passed on so that they never fall while it runs."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from exporter.metrics.catalogue import Family
from exporter.metrics.samples import HistogramValue

MOST_ORIGINS = 50_000
"""More than what one document can have; further ones are left out."""

Series = tuple[Family, tuple[str, ...]]


@dataclass(slots=True)
class _Origin:
    before: Sequence[float]
    """What it had counted when it was last found to have restarted."""
    now: Sequence[float]


@dataclass(slots=True)
class Counters:
    """What each origin counted, added up by series. Several origins may share one: two spellings, or `other`.

    An origin that counts less than before has restarted, as an agent that is made again does: what it had
    counted stays. One that is gone keeps its part in what others still count.
    """

    _series: dict[Series, dict[Hashable, _Origin]] = field(default_factory=dict)
    _seen: dict[Series, None] = field(default_factory=dict)
    _origins: int = 0

    def begin(self) -> None:
        """A new document: only what is added from now on is shown."""
        self._seen.clear()

    def add(self, family: Family, labels: tuple[str, ...], origin: Hashable, counts: Sequence[float]) -> None:
        """The counts of one origin: a counter's value, or a histogram's buckets and sum."""
        origins = self._series.setdefault((family, labels), {})
        known = origins.get(origin)
        if known is None:
            if self._origins >= MOST_ORIGINS:
                return
            self._origins += 1
            origins[origin] = _Origin([0] * len(counts), counts)
        else:
            if any(now < earlier for now, earlier in zip(counts, known.now, strict=True)):
                known.before = _sum(known.before, known.now)
            known.now = counts
        self._seen[family, labels] = None

    def total(self, family: Family, *labels: str) -> float | None:
        """The value of a counter; None where it is not shown."""
        return self._total((family, labels))[0] if (family, labels) in self._seen else None

    def shown(self) -> Iterator[tuple[Family, float | HistogramValue, tuple[str, ...]]]:
        """The series of the document."""
        for family, labels in self._seen:
            counts = self._total((family, labels))
            if family.kind == "histogram":
                *buckets, total = counts
                yield family, HistogramValue([int(count) for count in buckets], total), labels
            else:
                yield family, counts[0], labels

    def _total(self, series: Series) -> Sequence[float]:
        first, *others = (_sum(origin.before, origin.now) for origin in self._series[series].values())
        for other in others:
            first = _sum(first, other)
        return first


def _sum(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]
