"""How a table is read: raw rows of a range as one JSON row, no longer than a read may take; and how far it was read.

SQLite loses nothing on that way: REALs have all their digits, whole numbers all 64 bits, text that is no UTF-8 has
U+FFFD in the place of what is none; a BLOB and an infinite REAL, which nothing here can use, become {}.
"""

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.connection import (
    READ_BUDGET,
    DisturbedError,
    TooLargeError,
    TooLongError,
    together,
)
from exporter.collectors.sqlite.schema import Shape, quoted
from exporter.collectors.sqlite.values import parse_json

LOWEST = -(2**63)
HIGHEST = 2**63 - 1
"""Of row numbers."""
MAX_ROWS = 1024
"""Rows of one read: folding them must not keep the event loop for long."""
LOOK = 250
"""Rows that are looked up by their numbers in one read."""
ATTEMPTS = 5
RETRY_PAUSE = READ_BUDGET
TRIES = 3
LARGE_VALUE = 2**16
"""Bytes from which on a value is left out of a row that cannot be read in time with it."""
GAPS_KEPT = 4096

Row = list[Any]
T = TypeVar("T")

# The order of the cases is that of their cost.
_CELL = (
    "CASE typeof({0}) WHEN 'text' THEN {0} WHEN 'integer' THEN {0} "
    "WHEN 'real' THEN json(iif({0} BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308, "
    "printf('%!.17g', {0}), '{{}}')) WHEN 'blob' THEN json('{{}}') END"
)

_decode = msgspec.json.Decoder(list[list[Any]]).decode


class Reads(Protocol):
    """The connection, as far as reading rows needs it."""

    path: Path
    deadline: float
    """Until when to try, by time.monotonic."""

    async def row(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The one row that the statement gives. Raises TooLongError, ReplacedError or CollectorError."""


async def patiently(read: Reads, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """The row of a small read that may be cut off because the machine is busy, or disturbed by a bot that is."""
    cut_off = 0
    while cut_off < ATTEMPTS:
        try:
            return await read.row(statement, parameters)
        except TooLargeError:
            raise
        except DisturbedError as error:
            if time.monotonic() > read.deadline:
                raise CollectorError(
                    f"{read.path} is written to without a pause long enough to read it"
                ) from error
        except TooLongError:
            cut_off += 1
        await asyncio.sleep(RETRY_PAUSE)
    raise CollectorError(f"{read.path} is read too slowly: {ATTEMPTS} reads took over {READ_BUDGET} s each")


async def _once(read: Reads, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    return await read.row(statement, parameters)


class RowReader:
    """Reads rows of one table as lists: the row number, then a cell for each column asked for.

    A cell is None, an int, a float, a str, or {} for what JSON cannot hold; None for a column that is not there.
    Of a column in `tested` it is whether there is something, as 1 or 0. Raises what the connection raises.
    """

    def __init__(self, read: Reads, shape: Shape, tested: frozenset[str] = frozenset()) -> None:
        self._read = read
        self._tested = tested
        self.shape = shape
        self.bytes_read = 0
        """Of the JSON of the last read."""

    async def range(self, columns: Sequence[str], first: int, last: int, limit: int) -> list[Row]:
        """The first `limit` rows with numbers from `first` to `last`."""
        where = f"WHERE {self.shape.key} BETWEEN :first AND :last ORDER BY {self.shape.key} LIMIT :limit"
        return await self._rows(columns, where, {"first": first, "last": last, "limit": limit})

    async def before(self, columns: Sequence[str], last: int, limit: int) -> list[Row]:
        """The `limit` rows up to number `last`, in the order of their numbers."""
        where = f"WHERE {self.shape.key} <= :last ORDER BY {self.shape.key} DESC LIMIT :limit"
        return [*reversed(await self._rows(columns, where, {"last": last, "limit": limit}))]

    async def newest(self, columns: Sequence[str], limit: int) -> list[Row]:
        """The rows with the highest numbers, highest first; any rows where there are no numbers."""
        order = f"ORDER BY {self.shape.key} DESC" if self.shape.key else ""
        return await self._rows(columns, f"{order} LIMIT :limit", {"limit": limit}, patiently)

    async def ends(self, columns: Sequence[str]) -> list[Row]:
        """Row 1 and the row with the highest number; any row where there are no numbers."""
        key, table = self.shape.key, self.shape.quoted
        where = f"WHERE {key} IN (1, (SELECT max({key}) FROM {table}))" if key else "LIMIT 1"
        return await self._rows(columns, where, {}, patiently)

    async def count(self, limit: int) -> int:
        """How many rows there are, up to a limit."""
        statement = f"SELECT count(*) FROM (SELECT 1 FROM {self.shape.quoted} LIMIT :limit)"
        (found,) = await patiently(self._read, statement, {"limit": limit})
        return int(found)

    async def chosen(self, columns: Sequence[str], row_ids: Sequence[int]) -> list[Row]:
        """Those of some rows that are there, in no order. One that cannot be read in time is left out."""

        async def read(some: Sequence[int]) -> list[Row]:
            return await self._rows(columns, self._among, {"row_ids": json.dumps(some)})

        return await self._in_parts(read, row_ids)

    async def looks(self, column: str, row_ids: Sequence[int]) -> list[str]:
        """Row number, type and text of a column, of those of some rows that are there: the same while it stays so.

        Several times faster than `chosen`. A text with a NUL in it gives two looks. One that cannot be read in time is
        left out.
        """
        statement = (
            "SELECT group_concat(row_id || ' ' || typeof(cell) || ' ' || coalesce(cell, ''), char(0)) FROM "
            f"(SELECT {self.shape.key} AS row_id, {self._name(column)} AS cell FROM {self.shape.quoted} {self._among})"
        )

        async def read(some: Sequence[int]) -> list[str]:
            (text,) = await self._read.row(statement, {"row_ids": json.dumps(some)})
            return text.split("\0") if text else []

        return await self._in_parts(read, row_ids)

    @property
    def _among(self) -> str:
        return f"WHERE {self.shape.key} IN (SELECT value FROM json_each(:row_ids))"

    async def _in_parts(
        self, read: Callable[[Sequence[int]], Awaitable[list[T]]], row_ids: Sequence[int]
    ) -> list[T]:
        """What `read` gives of each LOOK of the rows, or of fewer where it does not get through."""
        if not self.shape.key:
            return []
        parts = (row_ids[start : start + LOOK] for start in range(0, len(row_ids), LOOK))
        found = await together(*(self._in_halves(read, part) for part in parts))
        return [*chain.from_iterable(found)]

    async def _in_halves(
        self, read: Callable[[Sequence[int]], Awaitable[list[T]]], row_ids: Sequence[int]
    ) -> list[T]:
        found: list[T] = []
        left, tries = [row_ids], 0
        while left:
            some = left.pop()
            try:
                found += await read(some)
            except TooLargeError:
                left += _halves(some)
            except TooLongError:
                # The machine may be busy: one row gets several tries.
                tries = tries + 1 if len(some) == 1 else 0
                left += [some] if 0 < tries < TRIES else _halves(some)
        return found

    async def between(self, columns: Sequence[str], first: int, last: int) -> tuple[list[Row], bool]:
        """The rows with numbers from `first` to `last`, and whether all of them could be read in time."""
        found: list[Row] = []
        complete, limit = True, LOOK
        while first <= last:
            try:
                rows = await self.range(columns, first, last, limit)
            except TooLongError:
                if limit == 1:
                    first, complete = first + 1, False
                limit = max(1, limit // 2)
                continue
            if not rows:
                break
            found += rows
            first, limit = rows[-1][0] + 1, min(LOOK, limit * 2)
        return found, complete

    async def in_gaps(self, gaps: Sequence[tuple[int, int]], limit: int) -> list[int]:
        """The numbers of rows that are there in ranges of numbers, up to `limit`."""
        key = f"ours.{self.shape.key}"
        statement = (
            f"SELECT json_group_array(found) FROM (SELECT {key} AS found FROM json_each(:gaps) AS gap "
            f"CROSS JOIN {self.shape.quoted} AS ours WHERE {key} BETWEEN "
            "json_extract(gap.value, '$[0]') AND json_extract(gap.value, '$[1]') LIMIT :limit)"
        )
        (found,) = await patiently(self._read, statement, {"gaps": json.dumps(gaps), "limit": limit})
        numbers: list[int] = json.loads(found)
        return numbers

    async def single(
        self, columns: Sequence[str], without: Iterable[str], first: int, last: int
    ) -> list[Row]:
        """The first row of a range, as SQLite has it: so a value may be as long as a read allows.

        Of the columns in `without` nothing is read.
        """
        names = [f"{'NULL' if column in without else self._name(column)}" for column in columns]
        cells = ", ".join(
            f"typeof({name}) <> 'null'" if column in self._tested else name
            for column, name in zip(columns, names, strict=True)
        )
        key = self.shape.key
        statement = (
            f"SELECT * FROM (SELECT {key}, {cells} FROM {self.shape.quoted} "
            f"WHERE {key} BETWEEN :first AND :last ORDER BY {key} LIMIT 1) "
            f"UNION ALL SELECT {', '.join(['NULL'] * (len(columns) + 1))}"
        )
        found = await self._read.row(statement, {"first": first, "last": last})
        return [] if found[0] is None else [[_plain(cell) for cell in found]]

    async def large_columns(self, columns: Sequence[str], first: int, last: int) -> list[str]:
        """The columns in which the first row of a range has a value that is too large to be read in time."""
        large = []
        for column in (column for column in columns if column in self.shape.columns):
            statement = (
                f"SELECT (SELECT length(CAST({self._name(column)} AS BLOB)) FROM {self.shape.quoted} "
                f"WHERE {self.shape.key} BETWEEN :first AND :last ORDER BY {self.shape.key} LIMIT 1)"
            )
            try:
                (size,) = await self._read.row(statement, {"first": first, "last": last})
            except TooLongError:
                large.append(column)
                continue
            if size is not None and size > LARGE_VALUE:
                large.append(column)
        return large

    async def _rows(
        self,
        columns: Sequence[str],
        where: str,
        parameters: Mapping[str, Any],
        read: Callable[[Reads, str, Mapping[str, Any]], Awaitable[tuple[Any, ...]]] = _once,
    ) -> list[Row]:
        names = ", ".join(f"{self._tested_name(column)} AS c{place}" for place, column in enumerate(columns))
        cells = ", ".join(
            f"c{place}" if column in self._tested else _CELL.format(f"c{place}")
            for place, column in enumerate(columns)
        )
        (text,) = await read(
            self._read,
            f"SELECT json_group_array(json_array(row_id, {cells})) FROM "
            f"(SELECT {self.shape.key or 'NULL'} AS row_id, {names} FROM {self.shape.quoted} {where})",
            parameters,
        )
        self.bytes_read = len(text)
        try:
            return _decode(text)
        except msgspec.DecodeError:
            found: list[Row] = parse_json(text)
            return found

    def _tested_name(self, column: str) -> str:
        name = self._name(column)
        return f"typeof({name}) <> 'null'" if column in self._tested else name

    def _name(self, column: str) -> str:
        spelling = self.shape.columns.get(column)
        return "NULL" if spelling is None else quoted(spelling)


def _halves(row_ids: Sequence[int]) -> list[Sequence[int]]:
    """Of one row nothing."""
    middle = len(row_ids) // 2
    return [row_ids[:middle], row_ids[middle:]] if middle else []


def _plain(cell: Any) -> Any:
    unusable = isinstance(cell, bytes) or (isinstance(cell, float) and not isfinite(cell))
    return {} if unusable else cell


class Covered:
    """The row numbers that were read, as ranges; between them a row may still appear.

    Of very many gaps the widest are kept.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._next_gap = 0

    def add(self, row_ids: Sequence[int]) -> None:
        """Takes numbers in rising order."""
        start = row_ids[0]
        if row_ids[-1] - start + 1 == len(row_ids):
            self._insert(start, row_ids[-1])
            return
        for before, after in zip(row_ids, [*row_ids[1:], None], strict=True):
            if after != before + 1:
                self._insert(start, before)
                start = after if after is not None else start
        if len(self._starts) > 2 * GAPS_KEPT:
            self._close_small_gaps()

    def _insert(self, start: int, end: int) -> None:
        place = bisect_right(self._starts, start)
        if place and self._ends[place - 1] >= start - 1:
            place -= 1
            self._ends[place] = max(self._ends[place], end)
        else:
            self._starts.insert(place, start)
            self._ends.insert(place, end)
        while place + 1 < len(self._starts) and self._starts[place + 1] <= self._ends[place] + 1:
            self._ends[place] = max(self._ends[place], self._ends[place + 1])
            del self._starts[place + 1], self._ends[place + 1]

    def _close_small_gaps(self) -> None:
        widths = sorted(
            (start - end for start, end in zip(self._starts[1:], self._ends, strict=False)), reverse=True
        )
        narrowest = widths[GAPS_KEPT]
        starts, ends = self._starts[:1], []
        for start, end in zip(self._starts[1:], self._ends, strict=False):
            if start - end > narrowest:
                ends.append(end)
                starts.append(start)
        self._starts, self._ends = starts, [*ends, self._ends[-1]]

    def has(self, row_id: int) -> bool:
        """Whether a number was read."""
        place = bisect_right(self._starts, row_id)
        return place > 0 and row_id <= self._ends[place - 1]

    def forget_below(self, row_id: int) -> None:
        """The rows below a number are gone, so that others may come in their place."""
        place = bisect_right(self._ends, row_id - 1)
        del self._starts[:place], self._ends[:place]
        if self._starts and self._starts[0] < row_id:
            self._starts[0] = row_id

    def next_gaps(self, most: int, oldest: int) -> list[tuple[int, int]]:
        """Some ranges of numbers in which no row was read, and rows may be by now.

        That below all others, where there is a row (`oldest` is the lowest number), and the next ones in turn.
        """
        if not self._starts:
            return []
        gaps = [(oldest, self._starts[0] - 1)] if oldest < self._starts[0] else []
        between = len(self._starts) - 1
        for place in range(min(between, most)):
            place = (self._next_gap + place) % between
            gaps.append((self._ends[place] + 1, self._starts[place + 1] - 1))
        self._next_gap = (self._next_gap + most) % between if between else 0
        return gaps

    def dump(self) -> Any:
        """In JSON's types."""
        return [self._starts, self._ends]

    def load(self, found: Any) -> None:
        """Takes what `dump` gave."""
        self._starts, self._ends = found
