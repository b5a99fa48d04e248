"""A table as plain rows, the bounded labels of its rows, and the samples that come of them."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeVar

from . import values
from .values import LONGEST_NAME, OTHER, UNKNOWN, UnusableError

ROW_NUMBERS = ("rowid", "_rowid_", "oid")

T = TypeVar("T")
Key = tuple[str, tuple[tuple[str, str], ...]]


class Dated(Protocol):
    """What `newest_last` sorts by."""

    @property
    def rowid(self) -> int: ...

    @property
    def at(self) -> int | None: ...


D = TypeVar("D", bound=Dated)


@dataclass(frozen=True)
class Settings:
    window: int
    starting_value_usd: float
    goal_value_usd: float
    aliases: Mapping[str, str]
    now: float
    max_agents: int
    max_pairs: int


class Samples(dict[Key, float]):
    """Sample name and sorted labels → value."""

    def put(self, name: str, value: float | Fraction, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        assert key not in self, f"twice: {key}"
        self[key] = float(value)

    def put_known(self, name: str, value: float | Fraction | None, **labels: str) -> None:
        """A gauge: absent where there is no value."""
        if value is not None:
            self.put(name, value, **labels)

    def put_histogram(
        self, name: str, observed: Iterable[int], buckets: Iterable[str], scale: int, **labels: str
    ) -> None:
        """`observed` are integers of 1/`scale`; a bucket holds what is up to and including its bound."""
        observed = list(observed)
        for bucket in buckets:
            below = sum(1 for value in observed if value <= Fraction(bucket) * scale)
            self.put(f"{name}_bucket", below, le=str(float(bucket)), **labels)
        self.put(f"{name}_bucket", len(observed), le="+Inf", **labels)
        self.put(f"{name}_count", len(observed), **labels)
        self.put(f"{name}_sum", Fraction(sum(observed), scale), **labels)


class Table:
    """The rows in row order, the columns there are, and how many values of each could not be used."""

    def __init__(self, name: str, columns: Iterable[str], rows: list[dict[str, Any]]) -> None:
        self.name = name
        self.columns = set(columns)
        self.rows = rows
        """All that ever were there, as they were when they were counted."""
        self.there = rows
        """Those that are there now."""
        self.is_numbered = True
        """Whether its rows have numbers to be read by."""
        self.has_integer_key = True
        """Whether VACUUM leaves those as they are."""
        self.malformed: Counter[str] = Counter()
        self.future = 0

    def has(self, *columns: str) -> bool:
        return self.columns.issuperset(columns)

    def read(self, row: Mapping[str, Any], column: str, reader: Callable[[Any], T]) -> T | None:
        """None is missing or unusable; only the second is counted."""
        return self.use(row.get(column), column, reader)

    def moment(self, row: Mapping[str, Any], column: str, now: float) -> int | None:
        """A row dated more than five minutes ahead of the clock is counted, and has no moment.

        That it is so is said when the row is counted, which was at its `the moment`.
        """
        at = self.read(row, column, values.timestamp)
        if at is None or at <= row.get("the moment", now) * 1000 + 300_000:
            return at
        self.future += 1
        return None

    def read_key(
        self, document: Mapping[str, Any] | None, key: str, column: str, reader: Callable[[Any], T]
    ) -> T | None:
        """One key of a JSON column: counted under the column's name."""
        return self.use((document or {}).get(key), column, reader)

    def use(self, value: Any, column: str, reader: Callable[[Any], T]) -> T | None:
        if value is None:
            return None
        try:
            return reader(value)
        except UnusableError:
            self.malformed[column] += 1
            return None


def read_tables(path: str, names: Iterable[str]) -> dict[str, Table]:
    """The tables and views with one of the names, in any case."""
    uri = f"{Path(path).resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        found = connection.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
        spelt = {name.lower(): (name, kind == "view") for name, kind in found}
        return {name: _read_table(connection, name, *spelt[name]) for name in names if name in spelt}
    finally:
        connection.close()


def _read_table(connection: sqlite3.Connection, name: str, spelling: str, is_view: bool) -> Table:
    cursor = connection.execute(f'SELECT * FROM "{spelling}" LIMIT 0')
    columns = [column.lower() for column, *_ in cursor.description]
    numbers = [] if is_view else [number for number in ROW_NUMBERS if number not in columns]
    for number in (*numbers, "id"):
        statement = f'SELECT {number} AS "the rowid", * FROM "{spelling}" ORDER BY {number}'
        try:
            found = connection.execute(statement).fetchall()
        except sqlite3.OperationalError:
            continue
        if _are_numbers(connection, spelling, number, [row[0] for row in found]):
            table = _table(name, columns, found)
            table.has_integer_key = number == "id" or _has_integer_key(connection, spelling)
            return table
    table = _table(name, columns, connection.execute(f'SELECT NULL, * FROM "{spelling}"').fetchall())
    table.is_numbered = False
    return table


def _are_numbers(connection: sqlite3.Connection, spelling: str, number: str, found: list[Any]) -> bool:
    """A table without any id is read by its ids where they are declared as numbers."""
    if number != "id" or found:
        return all(isinstance(each, int) for each in found)
    type_ = "SELECT upper(type) FROM pragma_table_xinfo(?) WHERE lower(name) = 'id'"
    return "INT" in connection.execute(type_, (spelling,)).fetchone()[0]


def _has_integer_key(connection: sqlite3.Connection, spelling: str) -> bool:
    key = "SELECT upper(type) FROM pragma_table_xinfo(?) WHERE pk"
    return connection.execute(key, (spelling,)).fetchall() == [("INTEGER",)]


def _table(name: str, columns: list[str], rows: list[tuple[Any, ...]]) -> Table:
    return Table(name, columns, [dict(zip(["the rowid", *columns], row, strict=True)) for row in rows])


def rowid(row: Mapping[str, Any]) -> int:
    number: int = row["the rowid"]
    return number


class Bound:
    """The first `most` distinct items are let in."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.known: set[Any] = set()

    def admits(self, item: Any) -> bool:
        if item not in self.known and len(self.known) < self.most:
            self.known.add(item)
        return item in self.known


@dataclass
class Labels:
    """Label values of one table in row order, and how many of its rows (or entries) fell under `other`."""

    settings: Settings
    overflow: int = 0
    agents: Bound = field(init=False)
    pairs: Bound = field(init=False)
    messages: Bound = field(init=False)

    def __post_init__(self) -> None:
        self.agents = Bound(self.settings.max_agents)
        self.pairs = Bound(self.settings.max_pairs)
        self.messages = Bound(self.settings.max_pairs)

    def agent(self, raw: str | None) -> str:
        label, over = self._bounded_agent(raw)
        self.overflow += over
        return label

    def agent_and_kind(self, raw_agent: str | None, raw_kind: str | None) -> tuple[str, str]:
        """A row counts as overflow once, be it for its agent, for its type or for both."""
        agent, agent_over = self._bounded_agent(raw_agent)
        kind, kind_over = bounded(spell_kind(raw_kind), lambda kind: self.pairs.admits((agent, kind)))
        self.overflow += agent_over or kind_over
        return agent, kind

    def recipient(self, sender: str, raw: str) -> str:
        label, over = bounded(
            spell_agent(raw, self.settings.aliases), lambda to: self.messages.admits((sender, to))
        )
        self.overflow += over
        return label

    def _bounded_agent(self, raw: str | None) -> tuple[str, bool]:
        return bounded(spell_agent(raw, self.settings.aliases), self.agents.admits)


def bounded(label: str | None, admits: Callable[[str], bool]) -> tuple[str, bool]:
    """(label, whether it overflowed); data that says "other" itself takes no place and never overflows."""
    if label == OTHER:
        return OTHER, False
    if label is None or not admits(label):
        return OTHER, True
    return label, False


def spell_agent(raw: str | None, aliases: Mapping[str, str]) -> str | None:
    """None: too long."""
    if raw is None:
        return UNKNOWN
    if len(raw) > LONGEST_NAME:
        return None
    known = {values.slugify(name): values.slugify(label) for name, label in aliases.items()}
    label = values.slugify(raw.replace("\0", "\ufffd"))
    return known.get(label, label) or UNKNOWN


def spell_kind(raw: str | None) -> str | None:
    """None: too long. The spelling is kept."""
    if raw is not None and len(raw) > LONGEST_NAME:
        return None
    return raw.replace("\0", "\ufffd") if raw else UNKNOWN


def grouped(rows: Iterable[T], key: Callable[[T], Any]) -> dict[Any, list[T]]:
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def known(found: Iterable[T | None]) -> list[T]:
    return [value for value in found if value is not None]


def mean(units: Iterable[int | Fraction], scale: int = 1) -> Fraction | None:
    units = list(units)
    return Fraction(sum(units), len(units) * scale) if units else None


def newest_last(rows: Iterable[D]) -> list[D]:
    """By timestamp, ties by rowid; a row without a readable timestamp sorts as the oldest."""
    return sorted(rows, key=lambda row: (row.at is not None, row.at or 0, row.rowid))


def seconds(milliseconds: int | None) -> Fraction | None:
    return None if milliseconds is None else Fraction(milliseconds, values.MILLISECONDS)
