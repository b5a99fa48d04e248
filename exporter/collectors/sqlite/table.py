"""What a table is to its reader: columns to read, and aggregates to add them to.

Nothing here knows a file: rows come as lists of cells, families go out.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from prometheus_client.core import Metric

from exporter.collectors.sqlite.aggregates import Aggregate
from exporter.collectors.sqlite.batch import Batch, Cleaner, Group, Value
from exporter.collectors.sqlite.schema import Shape
from exporter.config import Config
from exporter.metrics.catalogue import DATABASE_FUTURE, DATABASE_MALFORMED, DATABASE_ROWS, Family
from exporter.metrics.labels import LabelBounds
from exporter.metrics.samples import Samples

GROUPS_KEPT = 10_000
"""Spellings of names whose labels are remembered."""

Cells = list[Any]
"""A row number and the cells of the columns that were asked for."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a table's families may depend on besides its own rows; a table names the parts in `depends`."""

    midnight: float
    """Seconds since 1970 of the 00:00 UTC that began today."""
    monday: float
    """And of the Monday 00:00 UTC that began this week."""
    price: float | None = None
    """USD for a BTC."""
    value: float | None = None
    """USD that the portfolio is worth now."""


class Rows(Protocol):
    """Reads rows of one table, as (row number, cells …); in the order of their numbers, but for `newest`."""

    shape: Shape

    async def newest(self, columns: Sequence[str], limit: int) -> list[Cells]:
        """The rows with the highest numbers, highest first."""

    async def before(self, columns: Sequence[str], last: int, limit: int) -> list[Cells]:
        """The `limit` rows up to number `last`."""

    async def ends(self, columns: Sequence[str]) -> list[Cells]:
        """Row 1 and the row with the highest number."""

    async def count(self, limit: int) -> int:
        """How many rows there are, up to a limit."""

    async def chosen(self, columns: Sequence[str], row_ids: Sequence[int]) -> list[Cells]:
        """Those of some rows that are still there. One that cannot be read in time is left out."""

    async def looks(self, column: str, row_ids: Sequence[int]) -> list[str]:
        """Row number, type and text of a column, of those of some rows that are still there, the number first."""

    async def between(self, columns: Sequence[str], first: int, last: int) -> tuple[list[Cells], bool]:
        """The rows with numbers from `first` to `last`, and whether all of them could be read in time."""


class Table(ABC):
    """One table of the bot's, as it is known so far. `present` are the columns it has, by the names used here."""

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    """What is read, where the table has it, and for which unusable values are counted."""
    tested: ClassVar[frozenset[str]] = frozenset()
    """Columns of which only is read whether they are NULL."""
    depends: ClassVar[tuple[str, ...]] = ()
    """Parts of the context that the families are made with."""
    dated: ClassVar[bool] = True
    """Whether rows have a moment that may be ahead of the clock."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.labels = LabelBounds(config.agents.aliases, config.limits.agents, config.limits.label_pairs)
        self.present: frozenset[str] = frozenset(self.columns)
        self.rows = 0
        self.future = 0
        self.malformed: Counter[str] = Counter()

    @property
    @abstractmethod
    def needs(self) -> Mapping[Family, frozenset[str]]:
        """All families, each with the columns without which it is left out."""

    @property
    def shows_nothing(self) -> bool:
        """Whether the table lacks a column for each of its families."""
        return not any(columns <= self.present for columns in self.needs.values())

    def metrics(self, context: Context) -> list[Metric]:
        """The families of the columns that the table has."""
        omitted = {family for family, columns in self.needs.items() if not columns <= self.present}
        out = Samples(omitted)
        self.samples(out, context)
        return out.metrics()

    @abstractmethod
    def samples(self, out: Samples, context: Context) -> None:
        """Everything that the totals say."""

    def price(self) -> float | None:
        """USD for a BTC, by the newest row that has one."""
        return None

    def value(self, price: float | None) -> float | None:
        """USD that the portfolio is worth, with `price` for a BTC."""
        return None

    def self_metrics(self, out: Samples) -> None:
        """Families about the reading of the table."""
        out.add(DATABASE_ROWS, self.rows, self.name)
        if self.dated:
            out.add(DATABASE_FUTURE, self.future, self.name)
        for column in self.columns:
            if column in self.present:
                out.add(DATABASE_MALFORMED, self.malformed[column], self.name, column)


class GrowingTable(Table):
    """A table whose rows are added and stay: totals over all rows that there ever were."""

    identity: ClassVar[tuple[str, ...]]
    """Columns that never change and tell a row from another one in its place."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._cleaner = Cleaner(self.values, self.at)
        self._groups: dict[tuple[str | None, ...], tuple[Group, bool]] = {}
        self.aggregates = self.declare()

    values: ClassVar[tuple[Value, ...]]
    """All that is read of a row."""
    agent: ClassVar[Value | None] = None
    """Whose row it is."""
    at: ClassVar[Value | None] = None
    """The row's moment."""

    @abstractmethod
    def declare(self) -> tuple[Aggregate, ...]:
        """The totals, each of nothing yet."""

    @property
    def needs(self) -> Mapping[Family, frozenset[str]]:
        return {
            family: columns for aggregate in self.aggregates for family, columns in aggregate.needs.items()
        }

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns whose cells `fold` takes, in their order."""
        return self._cleaner.columns

    def fold(self, rows: Sequence[Cells], now: float) -> None:
        """Adds rows, in the order of their numbers; `now` is in seconds since 1970."""
        batch = self._cleaner.clean(rows, now)
        self.rows += len(batch)
        self.future += batch.future
        self.malformed.update(batch.malformed)
        batch = self.prepare(batch)
        if len(batch):
            for aggregate in self.aggregates:
                aggregate.fold(batch)

    @abstractmethod
    def prepare(self, batch: Batch) -> Batch:
        """Groups a batch's rows; what it gives may be without some of them."""

    def label(self, names: Sequence[str | None], kinds: Sequence[str | None] | None = None) -> list[Group]:
        """The labels of each row's agent, and of its type where there are `kinds`; bounded in the order of the rows."""
        known = self._groups
        if len(known) > GROUPS_KEPT:
            known.clear()
        found = []
        for pair in zip(names, strict=True) if kinds is None else zip(names, kinds, strict=True):
            group = known.get(pair)
            if group is None:
                group = known[pair] = self._bounded(*pair)
            self.labels.overflow += group[1]
            found.append(group[0])
        return found

    def _bounded(self, name: str | None, *kind: str | None) -> tuple[Group, bool]:
        """A label stays: bounds are reached once, and names that have their place keep it."""
        labels, before = self.labels, self.labels.overflow
        group = labels.bound_type(name, kind[0], 1) if kind else (labels.bound_agent(name, 1),)
        overflows, labels.overflow = labels.overflow > before, before
        return group, overflows

    async def follow(self, rows: Rows, now: float, has_price: bool) -> bool:
        """Looks again at rows that may have changed, because the file did; whether anything is other than before.

        `has_price` says whether a table that comes first has a price.
        """
        return False

    async def revisit(self, rows: Rows, now: float, share: float) -> bool:
        """Looks again at the next `share` of all rows that may have changed; whether anything is other than before."""
        return False

    def samples(self, out: Samples, context: Context) -> None:
        for aggregate in self.aggregates:
            aggregate.samples(out)

    def of_newest(self, context: Context) -> list[Metric]:
        """The families for which the newest rows are enough, where only those have been read."""
        enough: set[Family] = set()
        for aggregate in self.aggregates:
            aggregate.only_full()
            enough.update(aggregate.of_newest())
        omitted = {
            family
            for family, columns in self.needs.items()
            if family not in enough or not columns <= self.present
        }
        out = Samples(omitted)
        self.samples(out, context)
        return out.metrics()

    def dump(self) -> dict[str, Any]:
        """All totals, as plain values."""
        return {
            "rows": self.rows,
            "future": self.future,
            "malformed": dict(self.malformed),
            "labels": self.labels.dump(),
            "aggregates": [aggregate.dump() for aggregate in self.aggregates],
        }

    def load(self, found: Mapping[str, Any]) -> None:
        """Takes what `dump` gave."""
        self.rows, self.future = found["rows"], found["future"]
        self.malformed.update(found["malformed"])
        self.labels.load(found["labels"])
        for aggregate, totals in zip(self.aggregates, found["aggregates"], strict=True):
            aggregate.load(totals)


class LiveTable(Table):
    """A table whose rows are changed in place: read again, a bounded number of rows, whenever the file changed."""

    limit: ClassVar[int]
    """How many rows are counted or read, the newest."""
    former: ClassVar[Mapping[str, str]] = {}
    """What columns were called in an older layout of the bot, by their names of now."""

    @abstractmethod
    async def read(self, rows: Rows, now: float) -> bool:
        """Reads the table; whether anything is other than before."""
