"""What a table is to its reader: a fold over ranges of rows."""

import json
import operator
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from prometheus_client.core import Metric

from exporter.collectors.sqlite import expressions as sql
from exporter.config import Config
from exporter.metrics.catalogue import DATABASE_MALFORMED, DATABASE_ROWS, Family
from exporter.metrics.labels import LabelBounds
from exporter.metrics.samples import Samples


class Reads(Protocol):
    """Runs one statement that gives one row, within the budget of a read. Raises what the reader raises."""

    async def row(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The row."""

    async def json(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        """The value of the row's only column, which is JSON text."""


@dataclass(frozen=True, slots=True)
class Range:
    """The first `limit` rows after row number `after`, up to `upto`."""

    after: int
    upto: int
    limit: int = sql.MAX_ROWS

    def parameters(self) -> dict[str, int]:
        return {"after": self.after, "upto": self.upto, "limit": self.limit}


class Sums:
    """Vectors of integers that are added up by key."""

    def __init__(self) -> None:
        self._by_key: dict[Any, list[int]] = {}

    def add(self, key: Any, vector: Sequence[int]) -> None:
        known = self._by_key.get(key)
        self._by_key[key] = list(vector) if known is None else list(map(operator.add, known, vector))

    def items(self) -> Iterator[tuple[Any, list[int]]]:
        return iter(self._by_key.items())

    def by_first(self) -> "Sums":
        """Added up over all keys, which are tuples, with the same first part."""
        result = Sums()
        for key, vector in self._by_key.items():
            result.add(key[0], vector)
        return result


Number = TypeVar("Number", int, float)


def greatest(*values: Number | None) -> Number | None:
    """The greatest of the known values."""
    return max((value for value in values if value is not None), default=None)


def seconds(ms: float | None) -> float | None:
    """Seconds since 1970 of milliseconds; None where a moment is not known."""
    return None if ms is None or ms == float("-inf") else ms / 1000


def per_unit(value: float | None, unit: int) -> float | None:
    """A value in 1/unit as a float; None where it is not known."""
    return None if value is None else value / unit


class Table(ABC):
    """Totals of one table's rows. Subclasses say how a range is read and what the totals are shown as."""

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    """What is read, where the table has it."""
    identity: ClassVar[tuple[str, ...]] = ()
    """Columns that never change and tell a row from another one in its place; none where all may change."""
    required: ClassVar[tuple[str, ...]] = ()
    """Columns without which nothing of the table can be shown."""
    needs: ClassVar[Mapping[str, set[Family]]] = {}
    """Families that are left out where the table lacks a column."""

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        self.config = config
        self.present = present
        self.clock = clock
        self.labels = LabelBounds(config.agents.aliases, config.limits.agents, config.limits.label_pairs)
        self.rows = 0
        self.malformed: Counter[str] = Counter()
        self.window = config.database.window
        self.source = sql.source(self.name, self.columns, present)
        self.lacking = [column for column in self.required if column not in present]

    async def fold(self, read: Reads, span: Range) -> int | None:
        """Adds a range; the last row number read, None where the range was empty.

        Changes nothing unless every read of it succeeded. Not called for a table without `identity`, whose
        rows are changed in place: `follow` is.
        """
        raise NotImplementedError

    async def seed(self, read: Reads, span: Range) -> None:  # noqa: B027 - most tables have no need of it
        """Reads the newest rows ahead of the first catch-up, for what only depends on the newest."""

    @property
    def passed_over(self) -> bool:
        """Whether windows lack rows, because newer ones that `seed` saw were deleted before they were read."""
        return False

    async def follow(self, read: Reads) -> bool:
        """Looks again at rows that may have changed, a bounded number of them, because the file changed.

        Whether anything may be shown differently after it.
        """
        return False

    def metrics(self) -> list[Metric]:
        """The families of the columns that the table has."""
        lacking = [families for column, families in self.needs.items() if column not in self.present]
        samples = Samples(omitted=set[Family]().union(*lacking))
        self.samples(samples)
        return samples.metrics()

    @abstractmethod
    def samples(self, out: Samples) -> None:
        """Everything that the totals say; called only once the table has caught up."""

    def count(self, rows: int, malformed: Mapping[str, int]) -> None:
        """Counts a range's rows and unusable values."""
        self.rows += rows
        self.malformed.update(malformed)

    def count_json(self, rows: int, malformed: str) -> None:
        """As `count`, the unusable values as JSON text."""
        self.count(rows, json.loads(malformed))

    def self_metrics(self, out: Samples) -> None:
        """Families about the reading of the table."""
        out.add(DATABASE_ROWS, self.rows, self.name)
        for column in self.columns:
            if column in self.present:
                out.add(DATABASE_MALFORMED, self.malformed[column], self.name, column)


class Without:
    """Reads a table's rows as if it lacked some of its columns."""

    def __init__(self, read: Reads, table: Table, columns: Iterable[str]) -> None:
        self._read = read
        self._source = table.source
        self._narrowed = sql.source(table.name, table.columns, table.present.difference(columns))

    async def row(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        return await self._read.row(statement.replace(self._source, self._narrowed), parameters)

    async def json(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        return await self._read.json(statement.replace(self._source, self._narrowed), parameters)
