"""What a table is to its reader: a fold over ranges of rows."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from exporter.catalogue import DATABASE_MALFORMED, DATABASE_ROWS, Family
from exporter.config import Config
from exporter.samples import HistogramValue, Samples
from exporter.sources.database import sql
from exporter.sources.database.names import Labels

Read = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Runs one statement that gives one JSON value, and gives that value. Raises what the reader raises."""


@dataclass(frozen=True, slots=True)
class Range:
    """The first `limit` rows after row number `after`, up to `upto`."""

    after: int
    upto: int
    limit: int = sql.MAX_ROWS

    def parameters(self) -> dict[str, int]:
        return {"after": self.after, "upto": self.upto, "limit": self.limit}


class Table(ABC):
    """Totals of one table's rows. Subclasses say how a range is read and what the totals are shown as."""

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    """What is read, where the table has it."""
    identity: ClassVar[tuple[str, ...]]
    """Columns that never change and tell a row from another one in its place."""
    needs: ClassVar[Mapping[str, frozenset[Family]]] = {}
    """Families that are left out where the table lacks a column."""

    def __init__(self, config: Config, present: frozenset[str]) -> None:
        self.config = config
        self.present = present
        self.labels = Labels(config.agents.aliases, config.limits.agents, config.limits.label_pairs)
        self.rows = 0
        self.malformed: Counter[str] = Counter()
        self._source = sql.source(self.name, self.columns, present)

    @abstractmethod
    async def fold(self, read: Read, span: Range) -> int | None:
        """Adds a range; the last row number read, None where the range was empty.

        Changes nothing unless every read of it succeeded.
        """

    async def seed(self, read: Read, span: Range) -> None:  # noqa: B027 - most tables have no need of it
        """Reads the newest rows ahead of the first catch-up, for what only depends on the newest."""

    async def follow(self, read: Read) -> None:  # noqa: B027 - most tables only grow
        """Looks again at rows that may have changed, a bounded number of them, because the file changed."""

    @abstractmethod
    def samples(self, out: "TableSamples") -> None:
        """Everything that the totals say; called only once the table has caught up."""

    def count(self, rows: int, malformed: Mapping[str, int]) -> None:
        """Counts a range's rows and unusable values."""
        self.rows += rows
        self.malformed.update(malformed)

    def about(self, out: Samples) -> None:
        """Families about the reading of the table."""
        out.add(DATABASE_ROWS, self.rows, self.name)
        for column in self.columns:
            if column in self.present:
                out.add(DATABASE_MALFORMED, self.malformed[column], self.name, column)


class TableSamples:
    """Takes a table's samples, and leaves out the families whose columns the table does not have."""

    def __init__(self, out: Samples, table: Table) -> None:
        self._out = out
        self._omitted: frozenset[Family] = frozenset().union(
            *(families for column, families in table.needs.items() if column not in table.present)
        )

    def add(self, family: Family, value: float | HistogramValue | None, *labels: str) -> None:
        """One value; None is absent."""
        if value is not None and family not in self._omitted:
            self._out.add(family, value, *labels)
