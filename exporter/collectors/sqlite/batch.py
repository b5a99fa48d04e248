"""The rows of one range, cleaned and by column: what aggregates take."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from exporter.collectors.sqlite.values import OLDEST, UNUSABLE, Reader, json_object

FUTURE_MS = 300_000
"""A row that is further ahead of the clock sorts as the oldest."""

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What is read of a row: a column, or a member of the JSON object in it."""

    column: str
    read: Reader
    member: str = ""


@dataclass(frozen=True, slots=True)
class By:
    """What rows are grouped by; a column whose absence leaves out what is grouped so."""

    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """Rows in the order of their numbers.

    `values` are lists over the rows, None where a value is missing or unusable. `groups` are a label tuple a row,
    None where a row is in no group; `distinct` are the groups that are known to exist because of these rows.
    """

    row_ids: Sequence[int]
    moments: Sequence[int] = ()
    values: dict[Value, Sequence[Any]] = field(default_factory=dict)
    groups: dict[By, Sequence[Group | None]] = field(default_factory=dict)
    distinct: dict[By, Iterable[Group]] = field(default_factory=dict)
    malformed: Counter[str] = field(default_factory=Counter)
    future: int = 0

    def __len__(self) -> int:
        return len(self.row_ids)

    def group(self, by: By, groups: Sequence[Group | None], distinct: Iterable[Group] | None = None) -> None:
        """Sets what the rows are grouped by."""
        self.groups[by] = groups
        known = dict.fromkeys(groups if distinct is None else distinct)
        self.distinct[by] = [group for group in known if group is not None]

    def only(self, places: Sequence[int]) -> "Batch":
        """Some of the rows; what could not be used of the others stays counted in this one."""
        return Batch(
            [self.row_ids[place] for place in places],
            [self.moments[place] for place in places],
            {value: [found[place] for place in places] for value, found in self.values.items()},
        )


class Cleaner:
    """Makes batches of raw rows: a row number and the cells of `columns`."""

    def __init__(self, values: Sequence[Value], at: Value | None = None) -> None:
        self._at = at
        self._plain = [value for value in values if not value.member]
        members: dict[str, list[Value]] = {}
        for value in values:
            if value.member:
                members.setdefault(value.column, []).append(value)
        self._documents = [
            (column, json_object(*(value.member for value in of_column)), of_column)
            for column, of_column in members.items()
        ]
        self.columns = tuple(dict.fromkeys(value.column for value in values))

    def clean(self, rows: Sequence[Sequence[Any]], now: float) -> Batch:
        """`now` is in seconds since 1970."""
        row_ids, *cells = zip(*rows, strict=True)
        by_column = dict(zip(self.columns, cells, strict=True))
        batch = Batch(row_ids)
        for value in self._plain:
            batch.values[value] = self._read(batch, value, by_column[value.column])
        for column, read, values in self._documents:
            documents = _usable(batch, column, list(map(read, by_column[column])))
            for value in values:
                member = attrgetter(value.member)
                found = [document and member(document) for document in documents]
                batch.values[value] = self._read(batch, value, found)
        batch.moments = self._moments(batch, now * 1000 + FUTURE_MS)
        return batch

    @staticmethod
    def _read(batch: Batch, value: Value, cells: Sequence[Any]) -> list[Any]:
        return _usable(batch, value.column, list(map(value.read, cells)))

    def _moments(self, batch: Batch, latest: float) -> Sequence[int]:
        if self._at is None:
            return [OLDEST] * len(batch)
        moments = [OLDEST if ms is None else ms for ms in batch.values[self._at]]
        if max(moments) > latest:
            batch.future = sum(ms > latest for ms in moments)
            moments = [OLDEST if ms > latest else ms for ms in moments]
        return moments


def _usable(batch: Batch, column: str, found: list[Any]) -> list[Any]:
    unusable = found.count(UNUSABLE)
    if not unusable:
        return found
    batch.malformed[column] += unusable
    return [None if value is UNUSABLE else value for value in found]
