"""What a table declares: each aggregate knows its families, the columns they need, and how batches are added.

Totals are plain values (`dump` and `load` turn them into JSON's types and back), integers where they are sums.
So where a table is cut into ranges cannot be seen.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from typing import Any

from prometheus_client.samples import Exemplar

from exporter.collectors.sqlite.batch import Batch, By, Group, Value
from exporter.collectors.sqlite.values import OLDEST, seconds
from exporter.collectors.sqlite.window import Row, Window, mean
from exporter.metrics.catalogue import Family
from exporter.metrics.samples import HistogramValue, Samples

Needs = Mapping[Family, frozenset[str]]
Totals = dict[Any, Any]

ROWS_WAITING = 32768
"""Rows that are put into windows at once: the more, the fewer of them that later ones push out again."""


class Aggregate(ABC):
    """One total."""

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """Its families, each with the columns without which it is left out."""

    @abstractmethod
    def fold(self, batch: Batch) -> None:
        """Adds rows."""

    @abstractmethod
    def samples(self, out: Samples) -> None:
        """What the totals say."""

    def of_newest(self) -> Collection[Family]:
        """Those of its families for which the newest rows are enough."""
        return ()

    def only_full(self) -> None:  # noqa: B027 - most aggregates have nothing of the kind
        """Forgets what may lack rows where only the newest were added."""

    @abstractmethod
    def dump(self) -> Any:
        """The totals as plain values."""

    @abstractmethod
    def load(self, found: Any) -> None:
        """Takes what `dump` gave."""


class Grouped(Aggregate):
    """A total for each group, in `totals`."""

    def __init__(self, family: Family, by: By, value: Value | None = None) -> None:
        self.family, self.by, self.value = family, by, value
        self.totals: Totals = {}

    @property
    def needs(self) -> Needs:
        own = () if self.value is None else (self.value.column,)
        return {self.family: frozenset((*self.by.columns, *own))}

    def start(self, batch: Batch, zero: Callable[[], Any]) -> None:
        """A group that is known to exist has its total."""
        for group in batch.distinct[self.by]:
            if group not in self.totals:
                self.totals[group] = zero()

    def pairs(self, batch: Batch) -> Iterator[tuple[Group, Any]]:
        """The group and the value of each row that has both."""
        assert self.value is not None
        found = zip(batch.groups[self.by], batch.values[self.value], strict=True)
        return ((group, value) for group, value in found if value is not None and group is not None)

    def dump(self) -> Any:
        return [[list(group), total] for group, total in self.totals.items()]

    def load(self, found: Any) -> None:
        self.totals = {tuple(group): total for group, total in found}


class Count(Grouped):
    """How many rows there are; with a value, how many of them have it and it `equals`."""

    def __init__(self, family: Family, by: By, value: Value | None = None, equals: Any = None) -> None:
        super().__init__(family, by, value)
        self._equals = equals

    def fold(self, batch: Batch) -> None:
        self.start(batch, int)
        groups = batch.groups[self.by]
        if self.value is None:
            counted = Counter(groups)
        else:
            found = zip(groups, batch.values[self.value], strict=True)
            counted = Counter([group for group, value in found if value == self._equals])
        for group, rows in counted.items():
            if group is not None:
                self.totals[group] += rows

    def samples(self, out: Samples) -> None:
        for group, rows in self.totals.items():
            out.add(self.family, rows, *group)


class Total(Grouped):
    """The sum of a value, which is in 1/`unit`."""

    def __init__(self, family: Family, by: By, value: Value, unit: int = 1) -> None:
        super().__init__(family, by, value)
        self._unit = unit

    def fold(self, batch: Batch) -> None:
        self.start(batch, int)
        totals = self.totals
        for group, value in self.pairs(batch):
            totals[group] += value

    def samples(self, out: Samples) -> None:
        for group, total in self.totals.items():
            out.add(self.family, total if self._unit == 1 else total / self._unit, *group)


class Histogram(Grouped):
    """The distribution of a value, which is in 1/`unit`; totals are [sum, count of each bucket …].

    Where `names` are given, the last row counted in a bucket is its exemplar.
    """

    def __init__(
        self, family: Family, by: By, value: Value, unit: int = 1, names: "RowNames | None" = None
    ) -> None:
        super().__init__(family, by, value)
        self._unit, self._names = unit, names
        self._bounds = [round(bound * unit) for bound in family.buckets]
        self._last: dict[tuple[Any, int], tuple[Any, int, int]] = {}
        """The name, the value and the moment of the rows that are to become exemplars, by group and bucket."""
        self._exemplars: dict[Any, dict[int, Exemplar]] = {}

    def fold(self, batch: Batch) -> None:
        self.start(batch, self.empty)
        assert self.value is not None
        groups, values = batch.groups[self.by], batch.values[self.value]
        places: Sequence[int] = range(len(batch))
        if None in values or None in groups:
            places = [place for place in places if values[place] is not None and groups[place] is not None]
            groups, values = [groups[place] for place in places], [values[place] for place in places]
        buckets = [*zip(groups, map(bisect_left, repeat(self._bounds), values), strict=False)]
        for group, value in zip(groups, values, strict=True):
            self.totals[group][0] += value
        for (group, bucket), rows in Counter(buckets).items():
            self.totals[group][bucket + 1] += rows
        if self._names is not None:
            names, found, moments = self._names.of(batch), batch.values[self.value], batch.moments
            for key, place in dict(zip(buckets, places, strict=True)).items():
                if names[place] is not None:
                    self._last[key] = names[place], found[place], moments[place]

    @property
    def exemplars(self) -> Mapping[Any, Mapping[int, Exemplar]]:
        """By group and bucket. They are made when somebody looks: a catch-up sees thousands for each that stays."""
        if self._names is not None:
            for (group, bucket), (name, value, ms) in self._last.items():
                exemplar = Exemplar(self._names.labels(name), value / self._unit, seconds(ms))
                self._exemplars.setdefault(group, {})[bucket] = exemplar
        self._last.clear()
        return self._exemplars

    def empty(self) -> list[int]:
        """The total of no rows."""
        return [0] * (len(self._bounds) + 2)

    def samples(self, out: Samples) -> None:
        exemplars = self.exemplars
        for group, (total, *counts) in self.totals.items():
            value = HistogramValue([*accumulate(counts)], total / self._unit, exemplars.get(group, {}))
            out.add(self.family, value, *group)

    def dump(self) -> Any:
        return {
            "totals": super().dump(),
            "exemplars": [
                [list(group), [[bucket, *exemplar[:3]] for bucket, exemplar in of_group.items()]]
                for group, of_group in self.exemplars.items()
            ],
        }

    def load(self, found: Any) -> None:
        super().load(found["totals"])
        self._exemplars = {
            tuple(group): {bucket: Exemplar(*exemplar) for bucket, *exemplar in exemplars}
            for group, exemplars in found["exemplars"]
        }


@dataclass(frozen=True, slots=True)
class RowNames:
    """What an exemplar says of its row: the row's number or a value of it, as a label."""

    label: str
    value: Value | None = None

    def of(self, batch: Batch) -> Sequence[Any]:
        """What names each row; None for one without a name."""
        return batch.row_ids if self.value is None else batch.values[self.value]

    def labels(self, name: Any) -> dict[str, str]:
        """The exemplar's labels."""
        return {self.label: str(name).replace("\0", "\ufffd")}


class Newest(Grouped):
    """The newest moment of a group, in milliseconds since 1970."""

    def __init__(self, family: Family, by: By, at: Value) -> None:
        super().__init__(family, by, at)

    def fold(self, batch: Batch) -> None:
        totals = self.totals
        for group, ms in zip(batch.groups[self.by], batch.moments, strict=True):
            if ms > OLDEST and group is not None and ms > totals.get(group, OLDEST):
                totals[group] = ms

    def of_newest(self) -> Collection[Family]:
        return self.needs

    def samples(self, out: Samples) -> None:
        for group, ms in self.totals.items():
            out.add(self.family, seconds(ms), *group)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number made of the rows of a window; `column` reads one value of each row, newest first."""

    family: Family
    make: Callable[[list[Any]], float | None]
    value: Value | None = None
    """None for the rows themselves."""


def mean_of(family: Family, value: Value, unit: int = 1) -> Gauge:
    """The mean of what is known of a value."""
    return Gauge(family, lambda found: _per(mean(found), unit), value)


def newest_of(family: Family, value: Value, unit: int = 1) -> Gauge:
    """The value of the newest row."""
    return Gauge(family, lambda found: _per(found[0], unit), value)


def size_of(family: Family) -> Gauge:
    """How many rows the window has."""
    return Gauge(family, len)


def start_of(family: Family) -> Gauge:
    """When the oldest of its rows is from, of those of which that is known."""
    return Gauge(family, lambda rows: seconds(min((row[0] for row in rows if row[0] > OLDEST), default=None)))


def moment_of(family: Family) -> Gauge:
    """When the newest row is from."""
    return Gauge(family, lambda rows: seconds(rows[0][0]))


def _per(value: float | None, unit: int) -> float | None:
    return value if value is None or unit == 1 else value / unit


class Recent(Aggregate):
    """The newest `size` rows of each group, and gauges made of them."""

    def __init__(self, by: By, size: int, at: Value, gauges: Sequence[Gauge]) -> None:
        self._by, self._size, self._at, self._gauges = by, size, at, gauges
        self._kept = tuple(dict.fromkeys(gauge.value for gauge in gauges if gauge.value is not None))
        self._windows: dict[Group, Window] = {}
        self._made: dict[Group, list[float | None]] = {}
        """The gauges of the windows that are as they were when somebody looked last."""
        self._waiting: list[list[Any]] = [[] for _ in range(3 + len(self._kept))]

    @property
    def needs(self) -> Needs:
        base = {*self._by.columns, self._at.column}
        return {
            gauge.family: frozenset(base if gauge.value is None else {*base, gauge.value.column})
            for gauge in self._gauges
        }

    def fold(self, batch: Batch) -> None:
        """Rows wait until many have come, or until somebody looks: a merge for each range would be half of the cost."""
        columns = [batch.values[value] for value in self._kept]
        new = (batch.moments, batch.row_ids, batch.groups[self._by], *columns)
        for waiting, column in zip(self._waiting, new, strict=True):
            waiting.extend(column)
        if len(self._waiting[0]) > ROWS_WAITING:
            self._merge()

    @property
    def windows(self) -> dict[Group, Window]:
        """The newest rows of each group."""
        if self._waiting[0]:
            self._merge()
        return self._windows

    def _merge(self) -> None:
        moments, row_ids, groups, *columns = self._waiting
        for group, places in self._choose(moments, groups).items():
            window = self._windows.setdefault(group, Window(self._size))
            self._made.pop(group, None)
            window.merge(
                (moments[place], row_ids[place], *(column[place] for column in columns)) for place in places
            )
        for waiting in self._waiting:
            waiting.clear()

    def _choose(self, moments: Sequence[int], groups: Sequence[Group | None]) -> dict[Group, list[int]]:
        """The places of the newest rows of each group: no others can be among its newest of all."""
        size = self._size
        floors = {group: window.floor[0] for group, window in self._windows.items() if window.is_full}
        chosen: dict[Group, list[int]] = {}
        left = len({*groups} - {None})
        for place in sorted(range(len(moments) - 1, -1, -1), key=moments.__getitem__, reverse=True):
            group = groups[place]
            if group is None or moments[place] < floors.get(group, OLDEST):
                continue
            places = chosen.setdefault(group, [])
            if len(places) < size:
                places.append(place)
                left -= len(places) == size
                if not left:
                    break
        return chosen

    def drop(self, row_ids: Sequence[int]) -> None:
        """Forgets rows by their numbers."""
        for window in self.windows.values():
            window.drop(row_ids)
        self._made.clear()

    def samples(self, out: Samples) -> None:
        for group, window in self.windows.items():
            if group not in self._made:
                self._made[group] = [self._make(gauge, window.rows) for gauge in self._gauges]
            for gauge, value in zip(self._gauges, self._made[group], strict=True):
                out.add(gauge.family, value, *group)

    def _make(self, gauge: Gauge, rows: list[Row]) -> float | None:
        return gauge.make(rows if gauge.value is None else self.column(rows, gauge.value))

    def column(self, rows: Iterable[Row], value: Value) -> list[Any]:
        """One of the values of each row."""
        place = 2 + self._kept.index(value)
        return [row[place] for row in rows]

    def of_newest(self) -> Collection[Family]:
        return self.needs

    def only_full(self) -> None:
        self._windows = {group: window for group, window in self.windows.items() if window.is_full}

    def dump(self) -> Any:
        return [[list(group), window.rows] for group, window in self.windows.items()]

    def load(self, found: Any) -> None:
        self._windows = {tuple(group): Window(self._size, map(tuple, rows)) for group, rows in found}


class Latest(Aggregate):
    """The newest row, or the newest that has a usable value, in `row`; gauges are made of it alone."""

    def __init__(self, at: Value, gauges: Sequence[Gauge] = (), having: Value | None = None) -> None:
        self._at, self._gauges, self._having = at, gauges, having
        values = [gauge.value for gauge in gauges if gauge.value is not None]
        self._values = tuple(dict.fromkeys(values if having is None else [*values, having]))
        self.row: Row | None = None

    @property
    def needs(self) -> Needs:
        return {
            gauge.family: frozenset({self._at.column, *([gauge.value.column] if gauge.value else [])})
            for gauge in self._gauges
        }

    def fold(self, batch: Batch) -> None:
        places: Iterable[int] = range(len(batch))
        if self._having is not None:
            found = batch.values[self._having]
            places = (place for place in places if found[place] is not None)
        newest = max(((batch.moments[place], batch.row_ids[place], place) for place in places), default=None)
        if newest is not None and (self.row is None or newest[:2] >= self.row[:2]):
            *moment, place = newest
            self.row = (*moment, *(batch.values[value][place] for value in self._values))

    def of_newest(self) -> Collection[Family]:
        return self.needs

    def value(self, value: Value) -> Any:
        """One of the row's values; None without a row."""
        return None if self.row is None else self.row[2 + self._values.index(value)]

    def samples(self, out: Samples) -> None:
        if self.row is not None:
            for gauge in self._gauges:
                out.add(gauge.family, gauge.make([self.value(gauge.value) if gauge.value else self.row]))

    def dump(self) -> Any:
        return self.row

    def load(self, found: Any) -> None:
        self.row = None if found is None else tuple(found)
