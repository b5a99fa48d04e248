"""The open file: statements in transactions, and whether it still is the file that was opened."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from exporter.optimizer.ledger.errors import LedgerError, translated

Parameters = Sequence[object] | Mapping[str, object]
Identity = tuple[int, int]


def identity(path: Path) -> Identity:
    """Device and inode of a file: another one at the same path has others."""
    found = path.stat()
    return found.st_dev, found.st_ino


class Database:
    """Every method may raise LedgerError. `watched` are the files that must stay as they are, by path."""

    def __init__(
        self, path: Path, connection: aiosqlite.Connection, watched: Mapping[Path, Identity] | None = None
    ) -> None:
        self.path = path
        self.connection = connection
        self.connection.row_factory = aiosqlite.Row
        self._watched = watched or {}
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, kind: str = "IMMEDIATE") -> AsyncIterator[aiosqlite.Connection]:
        """All or nothing, and nobody else's statements in between."""
        async with self._lock:
            with translated(self.path):
                self._check_in_place()
                try:
                    await self.execute(f"BEGIN {kind}")
                    yield self.connection
                    await self.connection.commit()
                except BaseException:
                    # Also when cancelled, even before BEGIN was carried out: without a transaction this does nothing.
                    await self.connection.rollback()
                    raise

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[aiosqlite.Row]:
        """Of one statement, in a transaction of its own."""
        async with self.transaction("DEFERRED"):
            return list(await self.connection.execute_fetchall(statement, parameters))

    async def execute(self, statement: str, parameters: Parameters = ()) -> None:
        """Within a transaction."""
        await self.connection.execute_fetchall(statement, parameters)

    def _check_in_place(self) -> None:
        """What is written into a file that was deleted is lost, and another optimizer may have started beside it."""
        for path, expected in self._watched.items():
            try:
                moved = identity(path) != expected
            except FileNotFoundError:
                moved = True
            if moved:
                raise LedgerError(
                    f"{path} was deleted or replaced while the optimizer runs: put it back and restart the optimizer"
                )
