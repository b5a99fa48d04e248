"""Follows one database file: which tables it has, how far each has been read, whether it is still that file."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from prometheus_client.core import Metric

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.connection import (
    LAST_RESORT_BUDGET,
    LONGEST_VALUE,
    READ_BUDGET,
    Reader,
    TooLargeError,
    TooLongError,
)
from exporter.collectors.sqlite.table import Range, Table, Without
from exporter.collectors.sqlite.tables.control import SystemAlerts, SystemCommands, SystemConfig
from exporter.collectors.sqlite.tables.decisions import Decisions
from exporter.collectors.sqlite.tables.executions import Executions
from exporter.collectors.sqlite.tables.market import Market
from exporter.collectors.sqlite.tables.portfolio import History, Portfolio
from exporter.collectors.sqlite.tables.trades import Trades
from exporter.config import Config

T = TypeVar("T")

TABLES: tuple[type[Table], ...] = (
    Executions,
    Decisions,
    History,
    Portfolio,
    Trades,
    Market,
    SystemConfig,
    SystemAlerts,
    SystemCommands,
)

TARGET_HOLD = READ_BUDGET * 0.2
"""Seconds that a range is made to take. The longer a read, the likelier it is that a busy machine stops it in the
middle, where it holds its lock."""
FIRST_LIMIT = 256
ATTEMPTS = 5
SEED_ROWS = 2048
LARGE_VALUE = 2**16
"""Bytes from which on a value is left out of a row that cannot be read in time with it."""

SCHEMA = """
SELECT json_group_array(json_array(name, (
  SELECT json_group_array(json_array(name, upper(type) = 'INTEGER' AND pk = 1)) FROM pragma_table_info(list.name)
))) FROM pragma_table_list AS list WHERE schema = 'main' AND type = 'table' AND NOT wr
"""

log = structlog.get_logger()


class RestartError(Exception):
    """What was counted is not what would be counted of the file as it is: totals have to start anew."""


@dataclass(slots=True)
class Progress:
    """How far a table has been read. `position` is the number of the last row read, `newest` of the newest."""

    table: Table
    integer_key: bool
    position: int = 0
    newest: int = 0
    first_row: tuple[int, str] | None = None
    last_row: str | None = None
    limit: int = FIRST_LIMIT
    failures: int = 0
    seeded: bool = False
    caught_up: bool = False
    changed: bool = True
    too_large: bool = False
    """A value in a row that is looked at again cannot be read: nothing of the table is shown meanwhile."""
    metrics: list[Metric] = field(default_factory=list)

    @property
    def unread(self) -> int:
        """Row numbers between the last row read and the newest."""
        return max(0, self.newest - self.position)

    def has_read(self, last: int | None) -> None:
        """A range was read up to row number `last`; None where its rows are gone, and later ones may get their
        numbers."""
        if last is None:
            self.newest = self.position
            return
        self.position = last
        self.last_row = None
        self.changed = True


class Follower:
    """The tables of one file. `reader` raises what concerns the file; RestartError is raised here."""

    def __init__(self, reader: Reader, config: Config, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._config = config
        self._clock = clock
        self._schema_version: int | None = None
        self._has_sequence = False
        self._survey_sql = ""
        self._blind_survey_sql = ""
        self.tables: dict[str, Progress] = {}
        self.missing: list[str] = []

    @property
    def caught_up(self) -> bool:
        """Whether every table that there is has been read to the end once."""
        return self.surveyed and all(progress.caught_up for progress in self.tables.values())

    @property
    def surveyed(self) -> bool:
        """Whether it is known which tables there are."""
        return self._schema_version is not None

    def next_to_catch_up(self) -> Progress | None:
        """The first growing table that has not been read to the end once."""
        return next((progress for progress in self._growing().values() if not progress.caught_up), None)

    @property
    def behind(self) -> bool:
        """Whether there are rows that the last survey saw and that have not been read."""
        return any(progress.unread for progress in self.tables.values() if progress.table.identity)

    def forget_schema(self) -> None:
        """The file may be another one, with other tables and by chance the same version of its schema."""
        self._schema_version = None

    async def survey(self) -> None:
        """Looks at each table's ends: whether they are what was read, and how much there is to read."""
        (version,) = await self._patiently("PRAGMA schema_version", {})
        if version != self._schema_version:
            lost = await self._load_schema()
            self._schema_version = version
            if lost:
                raise RestartError(f"tables were dropped or have other columns: {', '.join(lost)}")
        if not self._survey_sql:
            return
        parameters: dict[str, Any] = {}
        for name, progress in self._growing().items():
            parameters[f"{name}_first"] = progress.first_row[0] if progress.first_row else None
            parameters[f"{name}_position"] = progress.position
        try:
            (found,) = await self._patiently(self._survey_sql, parameters)
        except TooLargeError:
            # A name in one of those rows is too large to be read. Then only the row numbers are compared.
            (found,) = await self._patiently(self._blind_survey_sql, parameters)
        self._compare(dict(zip(self._growing(), json.loads(found), strict=True)))

    def _growing(self) -> dict[str, Progress]:
        return {name: progress for name, progress in self.tables.items() if progress.table.identity}

    async def _load_schema(self) -> list[str]:
        """Learns which tables there are; the names of those whose totals are lost by that."""
        (found,) = await self._patiently(SCHEMA, {})
        schema = {name: dict(columns) for name, columns in json.loads(found)}
        self._has_sequence = "sqlite_sequence" in schema
        known, self.tables, missing = self.tables, {}, self.missing
        self.missing = []
        for kind in TABLES:
            columns = schema.get(kind.name)
            if columns is None:
                self.missing.append(f"table {kind.name}")
                continue
            progress = self._progress(kind, columns, known.get(kind.name))
            self.tables[kind.name] = progress
            self.missing += [f"column {column} of table {kind.name}" for column in progress.table.lacking]
        if (list(self.tables), self.missing) != (list(known), missing):
            log.info("database schema read", tables=",".join(self.tables), missing=",".join(self.missing))
        self._survey_sql = self._make_survey(_mark)
        self._blind_survey_sql = self._make_survey(lambda _: "NULL")
        return [name for name, old in known.items() if old.position and self.tables.get(name) is not old]

    def _progress(self, kind: type[Table], columns: dict[str, int], known: Progress | None) -> Progress:
        present = frozenset(columns) & {*kind.columns, *kind.identity}
        if known is not None and known.table.present == present:
            return known
        absent = [column for column in kind.columns if column not in present]
        if absent:
            log.info("database columns missing", table=kind.name, columns=",".join(absent))
        return Progress(kind(self._config, present, self._clock), integer_key=any(columns.values()))

    def _make_survey(self, mark: Callable[[Table], str]) -> str:
        parts = [self._survey_of(name, mark(progress.table)) for name, progress in self._growing().items()]
        return f"SELECT json_array({', '.join(parts)})" if parts else ""

    def _survey_of(self, name: str, mark: str) -> str:
        sequence = (
            f"(SELECT seq FROM sqlite_sequence WHERE name = '{name}')" if self._has_sequence else "NULL"
        )
        return (
            f'(SELECT json_array((SELECT max(rowid) FROM "{name}"), {sequence}, '
            f'(SELECT {mark} FROM "{name}" WHERE rowid = :{name}_first), '
            f'(SELECT {mark} FROM "{name}" WHERE rowid = :{name}_position), '
            f'(SELECT json_array(rowid, {mark}) FROM "{name}" ORDER BY rowid LIMIT 1)))'
        )

    def _compare(self, found: dict[str, Any]) -> None:
        """Takes note of each table's ends; RestartError where they are not those that were read."""
        other: list[Progress] = []
        same: list[Progress] = []
        for name, (newest, sequence, first, last, oldest) in found.items():
            progress = self.tables[name]
            if self._is_other(progress, newest, sequence, first, last):
                other.append(progress)
            elif first is not None or last is not None:
                same.append(progress)
            progress.newest = newest or 0
            progress.last_row = last
            progress.first_row = tuple(oldest) if oldest and oldest[1] is not None else None
        if other:
            self._restart(other, vouched=any(progress.integer_key for progress in same))

    @staticmethod
    def _is_other(
        progress: Progress, newest: int | None, sequence: Any, first: str | None, last: str | None
    ) -> bool:
        """Whether rows that were read have been replaced, not only deleted.

        Of an AUTOINCREMENT table the sequence tells that row numbers went further than the rows that are left.
        """
        if not progress.position:
            return False
        highest = max(newest or 0, sequence if isinstance(sequence, int) else 0)
        first_differs = progress.first_row is not None and first not in (None, progress.first_row[1])
        last_differs = progress.last_row is not None and last not in (None, progress.last_row)
        return highest < progress.position or first_differs or last_differs

    def _restart(self, other: list[Progress], vouched: bool) -> None:
        """VACUUM may renumber the rows of a table without an integer key. So where only such tables differ,
        and another one vouches that it is the same file, only they are read again; else all are."""
        renumbered = vouched and not any(progress.integer_key for progress in other)
        restarted = other if renumbered else list(self.tables.values())
        for progress in restarted:
            self._begin_anew(progress)
        names = ",".join(progress.table.name for progress in restarted)
        raise RestartError(f"rows of {names} were replaced or renumbered")

    def _begin_anew(self, progress: Progress, seeded: bool = False) -> None:
        table = progress.table
        self.tables[table.name] = Progress(
            type(table)(self._config, table.present, self._clock),
            progress.integer_key,
            newest=progress.newest,
            seeded=seeded,
        )

    async def advance(self, progress: Progress) -> bool:
        """Reads the next range of a table; whether there is more of it."""
        table, reader = progress.table, self._reader
        if not progress.seeded:
            await self._seed(progress)
        if progress.unread:
            reader.longest_hold = 0.0
            span = Range(progress.position, progress.newest, progress.limit)
            try:
                last = await table.fold(reader, span)
            except TooLongError:
                await self._shrink(progress)
                return True
            self._adapt(progress, reader.longest_hold)
            progress.has_read(last)
            if not progress.unread:
                progress.last_row = await self._last_row(progress)
        if not progress.unread and not progress.caught_up and table.passed_over:
            self._begin_anew(progress, seeded=True)
            raise RestartError(
                f"newest rows of {table.name} were deleted while it was read for the first time"
            )
        progress.caught_up = progress.caught_up or not progress.unread
        return bool(progress.unread)

    async def _last_row(self, progress: Progress) -> str | None:
        """The mark of the last row that was read, None where it cannot be had: then the next survey takes it."""
        table = progress.table
        statement = f'SELECT (SELECT {_mark(table)} FROM "{table.name}" WHERE rowid = :position)'
        try:
            found: tuple[str | None] = await self._patiently(statement, {"position": progress.position})
        except TooLargeError:
            return None
        return found[0]

    async def _seed(self, progress: Progress) -> None:
        limit = SEED_ROWS
        while limit and progress.unread > limit:
            try:
                await progress.table.seed(
                    self._reader, Range(progress.newest - limit, progress.newest, limit)
                )
                break
            except TooLongError:
                limit //= 2
        progress.seeded = True

    def _adapt(self, progress: Progress, hold: float) -> None:
        """Makes the next range longer or shorter, by the root of what it should be: one that was slow only
        because the machine was busy does not make the next ones too short."""
        factor = min(2.0, (TARGET_HOLD / hold) ** 0.5) if hold else 2.0
        progress.limit = max(1, min(sql.MAX_ROWS, round(progress.limit * factor)))

    async def _shrink(self, progress: Progress) -> None:
        if progress.limit > 1:
            progress.limit //= 2
            return
        table, span = progress.table, Range(progress.position, progress.newest, 1)
        self._reader.budget = LAST_RESORT_BUDGET
        try:
            given_up = progress.failures >= ATTEMPTS
            large = list(table.columns) if given_up else await self._large_columns(progress)
            last = await table.fold(Without(self._reader, table, large), span)
        except TooLongError:
            # The machine may be busy: the next try may get through.
            progress.failures += 1
            return
        finally:
            self._reader.budget = READ_BUDGET
        if large:
            log.warning("database values left out: too large", table=table.name, rowid=last, columns=large)
        progress.failures = 0
        table.malformed.update(large)
        progress.has_read(last)

    async def _large_columns(self, progress: Progress) -> list[str]:
        """The columns in which the next row has a value that is too large to be read in time."""
        table, large = progress.table, []
        for column in filter(table.present.__contains__, table.columns):
            length = f'SELECT length(CAST("{column}" AS BLOB)) FROM "{table.name}"'
            statement = f"SELECT ({length} WHERE rowid > :position ORDER BY rowid LIMIT 1)"
            try:
                (size,) = await self._reader.row(statement, {"position": progress.position})
            except TooLongError:
                size = LONGEST_VALUE
            if size is not None and size > LARGE_VALUE:
                large.append(column)
        return large

    async def follow(self) -> None:
        """Looks again at rows that may have changed."""
        for progress in self.tables.values():
            if progress.table.identity and not progress.caught_up:
                continue
            progress.too_large = False
            try:
                changed = await self._attempted(partial(progress.table.follow, self._reader))
                progress.changed = progress.changed or changed
            except TooLargeError:
                progress.too_large = True
            if not progress.table.identity:
                progress.caught_up = True

    async def revisit(self, share: float) -> None:
        """Looks again at the next `share` of all older decisions."""
        progress = self.tables.get(Decisions.name)
        if progress is not None and progress.caught_up and isinstance(progress.table, Decisions):
            await progress.table.revisit(self._reader, share)
            progress.changed = True

    async def _patiently(self, statement: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
        async def read() -> tuple[Any, ...]:
            return await self._reader.row(statement, parameters)

        return await self._attempted(read)

    async def _attempted(self, read: Callable[[], Awaitable[T]]) -> T:
        """A small read that may be cut off because the machine is busy."""
        for _ in range(ATTEMPTS):
            try:
                return await read()
            except TooLargeError:
                raise
            except TooLongError:
                await asyncio.sleep(READ_BUDGET)
        raise CollectorError(
            f"{self._reader.path} is read too slowly: {ATTEMPTS} reads took over {READ_BUDGET} s each"
        )

    def metrics(self) -> list[Metric]:
        """The families of all tables that have caught up."""
        self._tell_price()
        for progress in self.tables.values():
            table = progress.table
            if table.lacking or not progress.caught_up:
                continue
            if progress.too_large:
                progress.metrics, progress.changed = [], True
                continue
            if progress.changed or not table.identity or isinstance(table, History):
                progress.metrics, progress.changed = table.metrics(), False
        return [metric for progress in self.tables.values() for metric in progress.metrics]

    def _tell_price(self) -> None:
        """The portfolio is valued at the newest market price, else the newest snapshot's."""
        portfolio, market, history = (self.tables.get(kind.name) for kind in (Portfolio, Market, History))
        if portfolio is None or not isinstance(portfolio.table, Portfolio):
            return
        prices = [
            progress.table.price
            for progress in (market, history)
            if progress and progress.caught_up and isinstance(progress.table, Market | History)
        ]
        portfolio.table.price = next((price for price in prices if price is not None), None)


def _mark(table: Table) -> str:
    """What tells a row of the table from another one in its place."""
    columns = [column for column in table.identity if column in table.present]
    return " || ',' || ".join(f'quote(substr("{column}", 1, 100))' for column in columns) or "''"
