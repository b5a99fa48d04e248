"""One database file: its tables, how far each has been read, and whether it is still that file."""

import json
from collections.abc import Callable
from typing import Any

import structlog
from prometheus_client.core import Metric

from exporter.collectors.sqlite import identity
from exporter.collectors.sqlite.connection import Reader, TooLargeError, together
from exporter.collectors.sqlite.identity import Fingerprint, read_ends
from exporter.collectors.sqlite.progress import LiveProgress, Progress
from exporter.collectors.sqlite.ranges import patiently
from exporter.collectors.sqlite.schema import VERSION, Schema, Shape, read_schema
from exporter.collectors.sqlite.table import Context, GrowingTable, Table
from exporter.collectors.sqlite.tables.all import PRICED, TABLES
from exporter.collectors.sqlite.tables.history import midnight_ms, monday_ms
from exporter.config import Config

log = structlog.get_logger()

GROWING = [kind for kind in TABLES if issubclass(kind, GrowingTable)]
LIVE = [kind for kind in TABLES if not issubclass(kind, GrowingTable)]


class RestartError(Exception):
    """What was counted is not what would be counted of the file as it is: totals have to start anew."""


class Database:
    """The tables of one file. `reader` raises what concerns the file; RestartError is raised here."""

    def __init__(self, reader: Reader, config: Config, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._config = config
        self._clock = clock
        self._schema_version: tuple[Any, ...] | None = None
        self.surveyed = False
        """Whether it is known which tables there are, and that their rows are those that were read."""
        self._schema = Schema()
        self._missing_logged: list[str] = []
        self._saved: dict[str, Any] = {}
        self.growing: dict[str, Progress] = {}
        self.live: dict[str, LiveProgress] = {}

    @property
    def caught_up(self) -> bool:
        """Whether every table that there is has been read to the end once."""
        growing = all(progress.caught_up for progress in self.growing.values())
        return self.surveyed and growing and self.live_is_read

    @property
    def live_is_read(self) -> bool:
        """Whether every table whose rows change has been read once."""
        return all(live.caught_up for live in self.live.values())

    @property
    def behind(self) -> bool:
        """Whether there are rows that the last survey saw and that have not been read."""
        return any(progress.unread for progress in self.growing.values())

    @property
    def _every(self) -> list[Progress | LiveProgress]:
        """All tables that can be read, in the order of the page."""
        every: dict[str, Progress | LiveProgress] = {**self.growing, **self.live}
        return [every[kind.name] for kind in TABLES if kind.name in every]

    @property
    def tables(self) -> list[Table]:
        """All tables that can be read."""
        return [progress.table for progress in self._every]

    @property
    def missing(self) -> list[str]:
        """The tables and columns of ours that the file lacks."""
        there = {table.name: table for table in self.tables}
        found = []
        for kind in TABLES:
            if kind.name in there:
                table = there[kind.name]
                absent = [column for column in table.columns if column not in table.present]
                found += [f"column {column} of table {kind.name}" for column in absent]
            elif kind.name not in self._schema.unreadable:
                found.append(f"table {kind.name}")
        return found

    @property
    def faults(self) -> list[str]:
        """Why the file is not read as it should be: a table that cannot all be read, or none of ours at all."""
        if not self.surveyed:
            return []
        read = {name: progress.fault for name, progress in self.growing.items() if progress.fault}
        faults = [f"table {name} {why}" for name, why in {**self._schema.unreadable, **read}.items()]
        if not self.growing and not self.live and not faults:
            others = ", ".join(self._schema.others) or "none at all"
            faults.append(
                f"none of the bot's tables is there; check --database.path (tables found: {others})"
            )
        return faults

    def next_to_catch_up(self) -> Progress | None:
        """What is cheap and tells most comes first: the newest rows of all tables, then the least unread."""
        left = [progress for progress in self.growing.values() if not progress.caught_up]
        heads = [progress for progress in left if progress.wants_head]
        return next(iter(heads), None) or min(left, key=lambda progress: progress.unread, default=None)

    def forget_schema(self) -> None:
        """The file may be another one, with other tables and by chance the same version of its schema."""
        self._schema_version = None
        self.surveyed = False

    async def survey(self) -> None:
        """Looks at each table's ends: whether they are what was read, and how much there is to read."""
        version = await self._row(VERSION, {"names": json.dumps([kind.name for kind in TABLES])})
        if version != self._schema_version:
            lost = await self._load_schema()
            self._schema_version = version
            if lost:
                raise RestartError(f"tables were dropped or have lost columns: {', '.join(lost)}")
        if self.growing:
            await self._compare_ends()
        self.surveyed = True

    async def _compare_ends(self) -> None:
        parameters: dict[str, Any] = {}
        for name, progress in self.growing.items():
            first = progress.fingerprint.first_row
            parameters[f"{name}_first"] = first[0] if first else None
            parameters[f"{name}_position"] = progress.position
        marks = {name: progress.mark for name, progress in self.growing.items()}
        try:
            (text,) = await self._row(identity.survey(self._schema, marks), parameters)
        except TooLargeError:
            # A name in one of those rows is too large to be read. Then only the row numbers are compared.
            no_marks = dict.fromkeys(marks, identity.NO_MARK)
            (text,) = await self._row(identity.survey(self._schema, no_marks), parameters)
        found = dict(zip(self.growing, map(read_ends, json.loads(text)), strict=True))
        if all(isinstance(ends.newest, int | None) for ends in found.values()):
            self._compare(found)
        else:
            # An id that is no number has come to a table that is read by its ids.
            await self._load_schema()

    async def _load_schema(self) -> list[str]:
        """Learns which tables there are; the names of those whose totals are lost by that.

        One that only gained columns goes on counting.
        """
        names = ([kind.name for kind in GROWING], [kind.name for kind in LIVE])
        self._schema = await read_schema(self._row, *names)
        known, self.growing = self.growing, {}
        lost = [
            name for name in known if name not in self._schema.tables and known[name].position is not None
        ]
        for kind in GROWING:
            shape, progress = self._schema.tables.get(kind.name), known.get(kind.name)
            if shape is None:
                continue
            if progress is not None and not shape.columns.keys() >= progress.columns:
                lost += [kind.name] * (progress.position is not None)
                progress = None
            self.growing[kind.name] = progress or self._begin(kind, shape)
            self.growing[kind.name].use(shape)
        # A table that comes later is another one.
        self._saved = {name: saved for name, saved in self._saved.items() if name in self._schema.unreadable}
        self._load_live()
        self._log_schema()
        return lost

    def _begin(self, kind: type[GrowingTable], shape: Shape) -> Progress:
        """From the start, or from the totals that were saved, of which no column may be gone."""
        progress = Progress(self._reader, shape, kind(self._config), self._clock)
        saved = self._saved.pop(kind.name, None)
        if saved is not None and shape.columns.keys() >= {*saved["columns"]}:
            progress.load(saved)
        return progress

    def dump(self) -> dict[str, Any]:
        """What has been read of each growing table, as plain values."""
        read = {name: each for name, each in self.growing.items() if each.position is not None}
        return {name: progress.dump() for name, progress in read.items()}

    def load(self, found: dict[str, Any]) -> None:
        """Takes what `dump` gave, before the first survey."""
        self._saved = found

    def _load_live(self) -> None:
        known, self.live = self.live, {}
        for kind in LIVE:
            shape, live = self._schema.tables.get(kind.name), known.get(kind.name)
            if shape is not None:
                self.live[kind.name] = live or LiveProgress(self._reader, shape, kind(self._config))
                self.live[kind.name].use(shape)

    def _log_schema(self) -> None:
        missing = [*self.missing, *(table.name for table in self.tables)]
        if missing != self._missing_logged:
            self._missing_logged = missing
            tables = ",".join(table.name for table in self.tables)
            log.info("database schema read", tables=tables, missing=",".join(self.missing))
            for name, why in self._schema.unreadable.items():
                log.warning("database table cannot be read", table=name, why=why)

    def _compare(self, found: dict[str, identity.Ends]) -> None:
        """Takes note of each table's ends; RestartError where they are not those that were read."""
        other: list[Progress] = []
        same: list[Progress] = []
        for name, ends in found.items():
            progress = self.growing[name]
            if identity.is_other(progress.fingerprint, progress.position, ends):
                other.append(progress)
            elif ends.first_mark is not None or ends.last_mark is not None:
                same.append(progress)
            progress.rows_before_are_gone(ends.oldest)
            progress.newest, progress.oldest = ends.newest, ends.oldest
            first_row = (
                None if ends.oldest is None or ends.oldest_mark is None else (ends.oldest, ends.oldest_mark)
            )
            progress.fingerprint = Fingerprint(first_row, ends.last_mark)
        if other:
            self._restart(other, vouched=any(progress.shape.has_integer_key for progress in same))

    def _restart(self, other: list[Progress], vouched: bool) -> None:
        """VACUUM may renumber the rows of a table without an integer key. So where only such tables differ,
        and another one vouches that it is the same file, only they are read again; else all are."""
        renumbered = vouched and not any(progress.shape.has_integer_key for progress in other)
        restarted = other if renumbered else list(self.growing.values())
        for progress in restarted:
            table = progress.table
            begun = Progress(self._reader, progress.shape, type(table)(self._config), self._clock)
            begun.newest, begun.oldest = progress.newest, progress.oldest
            self.growing[table.name] = begun
        names = ",".join(progress.table.name for progress in restarted)
        raise RestartError(f"rows of {names} were replaced or renumbered")

    async def follow(self) -> None:
        """Looks again at rows that may have changed, and for rows below those that were read."""
        follow = (
            progress.follow(has_price=self._price(before=name) is not None)
            for name, progress in self.growing.items()
        )
        below = (progress.look_below() for progress in self.growing.values())
        await together(*follow, *below, self.read_live())

    async def read_live(self) -> None:
        """Reads the tables whose rows change."""
        await together(*(live.read(self._clock()) for live in self.live.values()))

    async def revisit(self, share: float) -> None:
        """Looks again at the next `share` of all older rows that may have changed."""
        for progress in self.growing.values():
            await progress.revisit(share)

    async def look_for_rewrites(self, share: float) -> None:
        """Looks whether the next `share` of all rows that were counted are still the same."""
        for progress in self.growing.values():
            await progress.look_for_rewrites(share)

    async def _row(self, statement: str, parameters: Any) -> tuple[Any, ...]:
        return await patiently(self._reader, statement, parameters)

    def metrics(self) -> list[Metric]:
        """The families of all tables, as far as they are known."""
        context = self._context()
        return [metric for progress in self._every for metric in progress.metrics(context)]

    def _context(self) -> Context:
        price = self._price()
        values = (live.table.value(price) for live in self.live.values() if live.caught_up)
        value = next((value for value in values if value is not None), None)
        now = self._clock() * 1000
        return Context(midnight_ms(now) / 1000, monday_ms(now) / 1000, price, value)

    def _price(self, before: str = "") -> float | None:
        """USD for a BTC, by the first table that has one; only by those that come before a table."""
        names = PRICED[: PRICED.index(before)] if before in PRICED else PRICED
        prices = (self.growing[name].price() for name in names if name in self.growing)
        return next((price for price in prices if price is not None), None)
