"""A growing table whose rows are read ahead, and added when their moment has come."""

from collections import deque
from collections.abc import Sequence

from exporter.collectors.sqlite.connection import Reader
from exporter.collectors.sqlite.progress import Progress
from exporter.collectors.sqlite.ranges import Row, RowReader
from exporter.collectors.sqlite.schema import Shape
from exporter.collectors.sqlite.table import Cells, GrowingTable
from exporter.collectors.sqlite.values import OLDEST


class Ahead(Progress):
    """A row is added at its timestamp, but not before any row with a lower number, since it was written later.

    One whose timestamp cannot be read, or lies after `now` (seconds since 1970), is added with the row before it.
    """

    def __init__(self, reader: Reader, shape: Shape, table: GrowingTable, now: float) -> None:
        super().__init__(reader, shape, table, lambda: now)
        # What has been added so far is shown.
        self.caught_up = True
        self._latest_ms = now * 1000
        self._moment = OLDEST
        self._waiting: deque[tuple[int, Row]] = deque()
        self._added: int | None = None

    def _count(self, rows: list[Row]) -> None:
        at = self.table.at
        assert at is not None
        place = 1 + self.table.read_columns.index(at.column)
        for row in rows:
            ms = at.read(row[place])
            if type(ms) is int and ms <= self._latest_ms:
                self._moment = max(self._moment, ms)
            self._waiting.append((self._moment, row))

    async def first_moment(self) -> int | None:
        """Milliseconds since 1970 of the first row that has a moment, as long as none was added."""
        while self.unread and (not self._waiting or self._waiting[-1][0] == OLDEST):
            await self.advance()
        return next((ms for ms, _ in self._waiting if ms > OLDEST), None)

    async def reach(self, until: int) -> bool:
        """Adds the rows up to a moment, in milliseconds since 1970; whether there were any."""
        grown = False
        while True:
            grown = self._add(until) or grown
            if self._waiting or not self.unread:
                return grown
            await self.advance()

    def _add(self, until: int) -> bool:
        rows = []
        while self._waiting and self._waiting[0][0] <= until:
            rows.append(self._waiting.popleft()[1])
        if rows:
            self.table.fold(rows, self._clock())
            self._added = rows[-1][0]
            self.shown.changed = True
        return bool(rows)

    async def follow(self, has_price: bool) -> None:
        """Looks for what only decisions tell where no table has a price, among the rows that were added."""
        if self._added is not None:
            rows = _RowsUpTo(self._reader, self.shape, self.table.tested, self._added)
            changed = await self.table.follow(rows, self._clock(), has_price)
            self.shown.changed = self.shown.changed or changed


class _RowsUpTo(RowReader):
    """The rows up to a number, as the table was then. What a row says now was read when it was added."""

    def __init__(self, reader: Reader, shape: Shape, tested: frozenset[str], last: int) -> None:
        super().__init__(reader, shape, tested)
        self._last = last

    async def newest(self, columns: Sequence[str], limit: int) -> list[Cells]:
        return [*reversed(await self.before(columns, self._last, limit))]

    async def looks(self, column: str, row_ids: Sequence[int]) -> list[str]:
        return []
