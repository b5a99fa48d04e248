"""What every series was at each of some moments, as OpenMetrics.

A value that stays is kept once, with the steps from which and to which it stayed, and is written for each of them, as
each scrape would have stored it. In the text all moments of a series stand together, as OpenMetrics demands.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import NamedTuple

from prometheus_client.core import Metric

from exporter.metrics.catalogue import FAMILIES, Family
from exporter.metrics.lines import FamilyLines, lines_of
from exporter.metrics.samples import FamilySnapshot, HistogramValue, Row

END = b"# EOF\n"

Labels = tuple[str, ...]


class _Run(NamedTuple):
    """The text of a series around its timestamps, from one step to before another."""

    first: int
    end: int
    parts: Sequence[bytes]


@dataclass(slots=True)
class _Series:
    """A series, or all those of a histogram. `first` is the step from which on it has had its value."""

    value: float | HistogramValue | None = None
    first: int = 0
    parts: Sequence[bytes] = ()
    size: int = 0
    """Bytes of `parts`."""
    runs: list[_Run] = field(default_factory=list)

    def change(self, step: int, value: float | HistogramValue | None, parts: Sequence[bytes]) -> int:
        """Takes what it is from a step on; without parts it is absent. By how many bytes it has grown."""
        if self.parts and self.first < step:
            self.runs.append(_Run(self.first, step, self.parts))
        before, self.size = self.size, sum(map(len, parts))
        self.value, self.first, self.parts = value, step, parts
        return self.size - before

    def text(self, moments: Sequence[bytes]) -> bytes:
        """Its lines at all moments."""
        runs = [*self.runs, _Run(self.first, len(moments), self.parts)] if self.parts else self.runs
        return b"".join([moment.join(parts) for first, end, parts in runs for moment in moments[first:end]])


class _History:
    """The series of one family. `lines` and `size` are those of the newest step, `size` without timestamps."""

    def __init__(self, family: Family, labels: Mapping[str, str]) -> None:
        labelled = replaced(family, labels=(*family.labels, *labels))
        self.head = lines_of(family, True).head.encode()
        self._lines: FamilyLines = lines_of(labelled, False)
        self._more = tuple(labels.values())
        self._series: dict[Labels, _Series] = {}
        self._snapshot: FamilySnapshot | None = None
        self._shown = 0
        self.size = 0

    @property
    def lines(self) -> int:
        return self._shown * self._lines.per_row

    @property
    def has_lines(self) -> bool:
        """Whether there are any at one of the steps."""
        return any(series.parts or series.runs for series in self._series.values())

    def take(self, step: int, snapshot: FamilySnapshot | None) -> None:
        """Takes what the family is from a step on; None where it is absent."""
        if snapshot is self._snapshot:
            return
        self._snapshot = snapshot
        rows = () if snapshot is None else snapshot.rows
        for labels, value in rows:
            series = self._series.get(labels)
            if series is None:
                series = self._series[labels] = _Series()
            if series.value != value:
                self.size += series.change(step, value, self._parts((labels, value)))
        if len(rows) < self._shown or len(rows) < len(self._series):
            self._end_others(step, {labels for labels, _ in rows})
        self._shown = len(rows)

    def _end_others(self, step: int, shown: set[Labels]) -> None:
        for labels, series in self._series.items():
            if labels not in shown and series.parts:
                self.size += series.change(step, None, ())

    def _parts(self, row: Row) -> Sequence[bytes]:
        labels, value = row
        lines = self._lines.rows([((*labels, *self._more), value)]).encode().split(b"\n")[:-1]
        return [lines[0] + b" ", *(b"\n" + line + b" " for line in lines[1:]), b"\n"]

    def write(self, moments: Sequence[bytes]) -> Iterator[bytes]:
        """The family's text at all moments."""
        head = self.head
        for _, series in sorted(self._series.items()):
            if text := series.text(moments):
                yield head + text
                head = b""

    def clear(self) -> None:
        """Forgets all steps; what the series are now, they are from the next first step on."""
        self._series = {labels: series for labels, series in self._series.items() if series.parts}
        for series in self._series.values():
            series.runs.clear()
            series.first = 0


class Timeline:
    """Takes page after page; `labels` are added to each series, as a scrape adds those of its target."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._histories: dict[Family, _History] = {}
        self._moments: list[bytes] = []
        self._lines_size = 0
        self.samples = 0
        """How many `write` will give."""

    @property
    def size(self) -> int:
        """How many bytes `write` will give."""
        heads = sum(len(history.head) for history in self._histories.values() if history.has_lines)
        return self._lines_size + heads + len(END)

    def add(self, moment: int, metrics: Iterable[Metric]) -> None:
        """Takes a page; `moment` is in seconds since 1970, and later than that of the page before."""
        step, text = len(self._moments), b"%d" % moment
        self._moments.append(text)
        shown = {metric.family: metric for metric in metrics if isinstance(metric, FamilySnapshot)}
        for family in shown.keys() - self._histories.keys():
            self._histories[family] = _History(family, self._labels)
        for family, history in self._histories.items():
            history.take(step, shown.get(family))
            self.samples += history.lines
            self._lines_size += history.size + history.lines * len(text)

    def write(self) -> Iterator[bytes]:
        """The text of all pages since `clear`, in pieces."""
        for family in FAMILIES:
            if family in self._histories:
                yield from self._histories[family].write(self._moments)
        yield END

    def clear(self) -> None:
        """Forgets the pages."""
        for history in self._histories.values():
            history.clear()
        self._moments, self._lines_size, self.samples = [], 0, 0
