"""How far one table has been read, and reading on: the newest rows first for what they are enough for, then all."""

from collections.abc import Callable
from contextlib import suppress
from operator import itemgetter
from typing import Any

import structlog
from prometheus_client.core import Metric

from exporter.collectors.sqlite.connection import (
    LAST_RESORT_BUDGET,
    LONGEST_VALUE,
    READ_BUDGET,
    Reader,
    TooLargeError,
    TooLongError,
    together,
)
from exporter.collectors.sqlite.identity import Fingerprint, mark
from exporter.collectors.sqlite.ranges import (
    ATTEMPTS,
    HIGHEST,
    LOWEST,
    MAX_ROWS,
    Covered,
    Row,
    RowReader,
    patiently,
)
from exporter.collectors.sqlite.rewrites import BLOCK, Rewrites
from exporter.collectors.sqlite.schema import Shape
from exporter.collectors.sqlite.table import Context, GrowingTable, LiveTable, Table
from exporter.metrics.labels import TOO_LONG, UNKNOWN

TARGET_HOLD = READ_BUDGET * 0.2
"""Seconds that a range is made to take. The longer a read, the likelier it is that a busy machine stops it in the
middle, where it holds its lock."""
TARGET_BYTES = LONGEST_VALUE // 2
FIRST_LIMIT = 256
HEAD_ROWS = 2048
"""The newest rows that are read ahead of a first catch-up."""
GAPS_LOOKED_AT = 64

log = structlog.get_logger()


class Shown:
    """The families of a table, made again only when they may be other than before."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._made_with: tuple[object, ...] | None = None
        self._metrics: list[Metric] = []
        self.changed = True

    def metrics(self, context: Context) -> list[Metric]:
        made_with = tuple(getattr(context, name) for name in self._table.depends)
        if self.changed or made_with != self._made_with:
            self._metrics = self._table.metrics(context)
            self.changed, self._made_with = False, made_with
        return self._metrics


class LiveProgress:
    """A table whose rows are changed in place, and so read again whenever the file changed."""

    def __init__(self, reader: Reader, shape: Shape, table: LiveTable) -> None:
        self._reader = reader
        self.table = table
        self.shown = Shown(table)
        self.use(shape)
        self.caught_up = False
        self.too_large = False
        """A value cannot be read: nothing of the table is shown meanwhile."""

    def use(self, shape: Shape) -> None:
        """Reads the table in this form from now on."""
        shape = shape.with_former(self.table.former)
        self._rows = RowReader(self._reader, shape, self.table.tested)
        self.table.present = frozenset(shape.columns).intersection(self.table.columns)
        self.shown.changed = True

    async def read(self, now: float) -> None:
        """Reads the table as it is now."""
        try:
            changed = await self.table.read(self._rows, now)
        except TooLargeError:
            self.too_large = True
        else:
            self.shown.changed = self.shown.changed or changed or self.too_large
            self.too_large = False
        self.caught_up = True

    def metrics(self, context: Context) -> list[Metric]:
        """Its families, none before it was read."""
        return [] if self.too_large or not self.caught_up else self.shown.metrics(context)


class Progress:
    """A growing table: `position` is the number of the last row read, `newest` and `oldest` are of rows there are."""

    def __init__(self, reader: Reader, shape: Shape, table: GrowingTable, clock: Callable[[], float]) -> None:
        self._reader, self._clock = reader, clock
        self.table = table
        self.shown = Shown(table)
        self.fingerprint = Fingerprint()
        self.use(shape)
        self._identity = tuple(column for column in table.identity if column in shape.columns)
        self.position: int | None = None
        self.newest: int | None = None
        self.oldest: int | None = None
        self.caught_up = False
        self.fault = ""
        """Why not all of its rows are counted."""
        self._covered = Covered()
        self.rewrites = Rewrites()
        self._below: list[int] = []
        self._limit = FIRST_LIMIT
        self._failures = 0
        self._head: GrowingTable | None = None
        self._head_rows = 0
        self._head_done = False
        self._head_metrics: list[Metric] = []

    def use(self, shape: Shape) -> None:
        """Reads the table in this form from now on."""
        self.shape = shape
        self.rows = RowReader(self._reader, shape, self.table.tested)
        self.table.present = frozenset(shape.columns).intersection(self.table.columns)
        self.shown.changed = True

    @property
    def _kept(self) -> list[str]:
        """The columns that are read and never change."""
        return [column for column in self._identity if column in self.table.read_columns]

    @property
    def columns(self) -> frozenset[str]:
        """The table's columns without which what was read is lost."""
        return self.table.present.union(self._identity)

    @property
    def mark(self) -> str:
        """SQL for what tells a row from another one, by the columns that were there when the reading began."""
        return mark(self.shape, self._identity)

    @property
    def unread(self) -> int:
        """Row numbers between the last row read and the newest, and rows found below it."""
        return self._ahead + len(self._below)

    @property
    def _ahead(self) -> int:
        if self.newest is None or self.oldest is None:
            return 0
        return max(0, self.newest - (self.oldest - 1 if self.position is None else self.position))

    @property
    def _first(self) -> int:
        """The number from which on nothing has been read."""
        return LOWEST if self.position is None else min(self.position, HIGHEST - 1) + 1

    @property
    def wants_head(self) -> bool:
        """Whether the newest rows are to be read ahead of all others."""
        return not self.caught_up and not self._head_done and self._ahead > HEAD_ROWS

    def price(self) -> float | None:
        """USD for a BTC by the newest rows that are known."""
        known = self.table if self.caught_up else self._head
        return None if known is None else known.price()

    def metrics(self, context: Context) -> list[Metric]:
        """Its families; before it was read to its end only those for which the newest rows are enough."""
        if self.caught_up:
            return self.shown.metrics(context)
        if self._head is not None and self._head_done and not self._head_metrics:
            self._head_metrics = self._head.of_newest(context)
        return self._head_metrics

    async def advance(self) -> bool:
        """Reads the next range; whether there is more."""
        if self.wants_head:
            await self._read_head()
            return True
        if self._ahead:
            await self._read_range()
        elif self._below:
            await self._read_below()
        if not self._ahead and not self.caught_up:
            await self.mark_last_row()
            self.caught_up = True
            self._head, self._head_metrics = None, []
        return bool(self.unread)

    async def newest_agents(self) -> list[str]:
        """The labels of the agents in the newest rows, sorted."""
        agent = self.table.agent
        if agent is None or agent.column not in self.table.present:
            return []
        try:
            rows = await self.rows.newest([agent.column], HEAD_ROWS)
        except TooLargeError:
            return []
        names = {name for _, cell in rows if isinstance(name := agent.read(cell), str)}
        labels = set(map(self.table.labels.spelling, names))
        return sorted(label for label in labels if label not in (TOO_LONG, UNKNOWN))

    async def _read_head(self) -> None:
        """The newest rows, a range at a time, into totals of their own."""
        if self._head is None:
            self._head = type(self.table)(self.table.config)
            self._head.present = self.table.present
            self._head_upto = self.newest if self.newest is not None else HIGHEST
        limit = min(self._limit, HEAD_ROWS - self._head_rows)
        try:
            rows = await self.rows.before(self.table.read_columns, self._head_upto, limit)
        except TooLongError:
            self._limit = max(1, self._limit // 2)
            self._head_done = limit == 1
            return
        if rows:
            self._head.fold(rows, self._clock())
            self._head_rows += len(rows)
            self._head_upto = rows[0][0] - 1
        self._head_done = len(rows) < limit or self._head_rows >= HEAD_ROWS

    async def _read_range(self) -> None:
        assert self.newest is not None
        self._reader.longest_hold = 0.0
        try:
            rows = await self.rows.range(self.table.read_columns, self._first, self.newest, self._limit)
        except TooLongError:
            await self._shrink()
            return
        self._adapt(self._reader.longest_hold, self.rows.bytes_read)
        self._take(rows)

    def _take(self, rows: list[Row]) -> None:
        """Adds the rows of a range; without any, its rows are gone, and later ones may get their numbers."""
        if not rows:
            self.newest = self.position
            return
        self._count(rows)
        row_ids = [row[0] for row in rows]
        if len(set(row_ids)) < len(rows):
            self.fault = "has several rows with the same id, not all of which are counted"
        self._covered.add(row_ids)
        self.position = row_ids[-1]
        self.fingerprint.last_row = None
        self.shown.changed = True

    def _count(self, rows: list[Row]) -> None:
        self.table.fold(rows, self._clock())
        columns = self.table.read_columns
        self.rewrites.add(rows, [0, *(1 + columns.index(column) for column in self._kept)])

    def _adapt(self, hold: float, size: int) -> None:
        """Makes the next range longer or shorter, by the root of what it should be: one that was slow only
        because the machine was busy does not make the next ones too short."""
        factor = min(2.0, (TARGET_HOLD / hold) ** 0.5) if hold else 2.0
        factor = min(factor, TARGET_BYTES / size) if size else factor
        self._limit = max(1, min(MAX_ROWS, round(self._limit * factor)))

    async def _shrink(self) -> None:
        if self._limit > 1:
            self._limit //= 2
            return
        assert self.newest is not None
        columns, span = self.table.read_columns, (self._first, self.newest)
        self._reader.budget = LAST_RESORT_BUDGET
        try:
            given_up = self._failures >= ATTEMPTS
            large = list(columns) if given_up else await self.rows.large_columns(columns, *span)
            rows = await self._single(large)
        except TooLongError:
            # The machine may be busy: the next try may get through.
            self._failures += 1
            return
        finally:
            self._reader.budget = READ_BUDGET
        if large and rows:
            log.warning(
                "database values left out: too large", table=self.table.name, rowid=rows[0][0], columns=large
            )
            self.table.malformed.update(column for column in large if column in self.table.columns)
        self._failures = 0
        self._take(rows)

    async def _single(self, large: list[str]) -> list[Row]:
        """The next row, if it can be had with all values that a read may have; else without the large ones."""
        assert self.newest is not None
        columns, span = self.table.read_columns, (self._first, self.newest)
        try:
            found = await self.rows.single(columns, [], *span)
            large.clear()
        except TooLongError:
            return await self.rows.single(columns, large, *span)
        return found

    async def mark_last_row(self) -> None:
        """Takes the mark of the last row that was read; where it cannot be had, the next survey takes it."""
        if self.position is None or self.fingerprint.last_row is not None:
            return
        statement = f"SELECT (SELECT {self.mark} FROM {self.shape.quoted} WHERE {self.shape.key} = :position)"
        with suppress(TooLargeError):
            (found,) = await patiently(self._reader, statement, {"position": self.position})
            self.fingerprint.last_row = None if found is None else str(found)

    def rows_before_are_gone(self, oldest: int | None) -> None:
        """Takes note of the oldest row there is."""
        if oldest is not None and self.caught_up:
            self._covered.forget_below(oldest)

    async def look_below(self) -> None:
        """Looks for rows among the numbers that were passed over, some of them at a time."""
        if not self.caught_up or self._below or self.oldest is None:
            return
        gaps = self._covered.next_gaps(GAPS_LOOKED_AT, self.oldest)
        if gaps:
            self._below = await self.rows.in_gaps(gaps, MAX_ROWS)

    async def _read_below(self) -> None:
        """Adds rows that appeared below the last row read; one that cannot be read in time is passed over."""
        some, self._below = self._below[: self._limit], self._below[self._limit :]
        rows = sorted(await self.rows.chosen(self.table.read_columns, some), key=itemgetter(0))
        if rows:
            self._count(rows)
            self.shown.changed = True
        for row_id in some:
            self._covered.add([row_id])

    def dump(self) -> Any:
        """How far the table has been read, and its totals, as plain values."""
        return {
            "columns": sorted(self.columns),
            "identity": self._identity,
            "position": self.position,
            "caught_up": self.caught_up,
            "fault": self.fault,
            "covered": self._covered.dump(),
            "rewrites": self.rewrites.dump(),
            "first_row": self.fingerprint.first_row,
            "last_row": self.fingerprint.last_row,
            "totals": self.table.dump(),
        }

    def load(self, found: Any) -> None:
        """Goes on from what `dump` gave; whether the rows are still those is for the next survey to say."""
        first_row, self._identity = found["first_row"], tuple(found["identity"])
        self.position, self.caught_up, self.fault = found["position"], found["caught_up"], found["fault"]
        self.fingerprint = Fingerprint(tuple(first_row) if first_row else None, found["last_row"])
        self._covered.load(found["covered"])
        self.rewrites.load(found["rewrites"])
        self.table.load(found["totals"])

    async def follow(self, has_price: bool) -> None:
        """Looks again at rows that may have changed, and at the last one that was read."""
        if self.caught_up:
            await together(self.mark_last_row(), self._follow(has_price))

    async def _follow(self, has_price: bool) -> None:
        changed = await self.table.follow(self.rows, self._clock(), has_price)
        self.shown.changed = self.shown.changed or changed

    async def revisit(self, share: float) -> None:
        """Looks again at the next `share` of all rows that may have changed."""
        if self.caught_up:
            changed = await self.table.revisit(self.rows, self._clock(), share)
            self.shown.changed = self.shown.changed or changed

    async def look_for_rewrites(self, share: float) -> None:
        """Compares the next `share` of all rows with what was counted."""
        if not self.caught_up or not self._kept:
            return
        for first, last in self.rewrites.due(share):
            rows = await self._rows_of_block(first, last)
            # A row that was not counted yet will be.
            if rows is None or not all(self._covered.has(row[0]) for row in rows):
                continue
            if self.rewrites.look(first, rows):
                log.warning(
                    "rows that were counted are others now", table=self.table.name, first=first, last=last
                )

    async def _rows_of_block(self, first: int, last: int) -> list[Row] | None:
        """What is compared of the rows in a span, up to BLOCK + 1 of them; None where one cannot be read in time."""
        found: list[Row] = []
        limit = BLOCK + 1
        while first <= last and len(found) <= BLOCK:
            try:
                rows = await self.rows.range(self._kept, first, last, limit)
            except TooLongError:
                if limit == 1:
                    return None
                limit //= 2
                continue
            found += rows
            if len(rows) < limit:
                break
            first = rows[-1][0] + 1
        return found
