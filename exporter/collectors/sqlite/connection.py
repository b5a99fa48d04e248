"""Short reads of the bot's database: the only code that touches the file.

The bot dies if a commit of its waits for a second, so a read holds its shared lock for READ_BUDGET at most
(a progress handler cuts it off), and the next one waits for as long as it held. Every statement gives one row,
made by SQLite: between two rows this thread would have to wait for Python's interpreter lock while it holds
the file's. The file is never opened by other means, which would drop SQLite's locks.
"""

import json
import logging
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import aiosqlite

from exporter.collectors.base import CollectorError
from exporter.metrics.catalogue import READ_BUCKETS

READ_BUDGET = 0.025
"""Seconds that a read may hold its lock."""
LAST_RESORT_BUDGET = 0.25
"""Seconds for a single row, without its large values, that READ_BUDGET is not enough for: what takes long then
is SQLite's way past those values, which cannot be cut off."""
STEPS_BETWEEN_CHECKS = 4000
"""Steps of SQLite's machine between two looks at the clock: about half a millisecond."""
LOCK_PATIENCE = 0.1
"""Seconds that a statement waits for the bot's lock at a try: the bot holds it for 91 ms at the most."""
LOCK_INTERVAL = 0.002
"""Seconds between two looks whether the lock is free."""
LONGEST_VALUE = 2**19
"""Bytes. SQLite's functions cannot be cut off, and take about the budget for a JSON text of that length."""
SHORTEST_PAUSE = 0.001
"""Seconds between two reads."""

# The bot's rows are no business of a debug log.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

_MEANING = {
    "SQLITE_READONLY_ROLLBACK": "has a hot journal (the bot was killed while it wrote): start the bot, which "
    "rolls it back when it opens the file",
    "SQLITE_READONLY_DIRECTORY": "is in WAL mode in a directory that cannot be written: give the exporter "
    "write access to the directory, or the database its default journal mode",
    "SQLITE_READONLY_CANTINIT": "is in WAL mode and its -shm file cannot be made: give the exporter write "
    "access to the directory, or the database its default journal mode",
    "SQLITE_READONLY_RECOVERY": "has a write-ahead log that needs recovery: start the bot, or give the "
    "exporter write access to the directory",
    "SQLITE_CANTOPEN": "cannot be opened: check that the exporter's user may read it and enter its directory",
    "SQLITE_NOTADB": "is not an SQLite database: check the path",
    "SQLITE_CORRUPT": "is damaged: stop the bot and check it with PRAGMA integrity_check",
    "SQLITE_BUSY": "stayed locked: look for a program that holds a lock on it",
    "SQLITE_IOERR": "cannot be read: check the disk",
}


class TooLongError(Exception):
    """A read was cut off because it was over its budget."""


class TooLargeError(TooLongError):
    """A read met a value that is over LONGEST_VALUE: another try of the same would end in the same."""


class ReplacedError(Exception):
    """The file at the path is not the one that is open."""


class Identity(NamedTuple):
    """Tells a file from another one at the same path."""

    device: int
    inode: int


Version = tuple[int, tuple[int, int] | None]
"""SQLite's counter of changes, and when the file was modified and its size."""


class _Rows(list[tuple[Any, ...]]):
    """All rows of a statement that has ended."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self


class _Connection(sqlite3.Connection):
    """Ends every statement at once, cuts off one that is over its budget, and pauses before the next.

    It waits for a lock by itself, so that it knows when a statement got it: `hold` is the time since. The
    pauses are its own too, so that nobody can have two reads follow each other closely.
    """

    budget = READ_BUDGET
    hold = 0.0
    _began = 0.0
    _rested = 0.0

    def over_budget(self) -> bool:
        return time.monotonic() - self._began > self.budget

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        time.sleep(max(0.0, self._rested - time.monotonic()))
        patience = time.monotonic() + LOCK_PATIENCE
        while True:
            self._began = time.monotonic()
            try:
                return _Rows(super().execute(sql, parameters).fetchall())
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or self._began > patience:
                    raise
            finally:
                ended = time.monotonic()
                self.hold = ended - self._began
                self._rested = ended + max(self.hold, SHORTEST_PAUSE)
            time.sleep(LOCK_INTERVAL)


class Reader:
    """One read-only connection, opened when it is needed and again after an error.

    `deadline` (on time.monotonic's clock) is until when a locked file is waited for; `budget` is how long a
    read may hold its lock; `longest_hold` is the longest hold, in seconds, since it was last set to 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.deadline = 0.0
        self.budget = READ_BUDGET
        self.longest_hold = 0.0
        self.holds = [0] * (len(READ_BUCKETS) + 1)
        self.hold_total = 0.0
        self._database: aiosqlite.Connection | None = None
        self._connection: _Connection | None = None
        self._identity: Identity | None = None
        self._version: Version | None = None

    async def open(self) -> None:
        """Opens the file if it is not open; CollectorError where that cannot be."""
        if self._database is not None:
            return
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        try:
            self._database = await aiosqlite.connect(
                uri, uri=True, timeout=0, isolation_level=None, factory=self._connect
            )
            await self._prepare(self._database)
        except sqlite3.Error as error:
            raise await self._failed(error) from error
        except BaseException:
            # Without its limits the connection must not be used.
            await self.close()
            raise

    def _connect(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        self._connection = _Connection(*args, **kwargs)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        return self._connection

    async def _prepare(self, database: aiosqlite.Connection) -> None:
        assert self._connection is not None
        # A text that is no UTF-8 would fail the whole statement.
        database.text_factory = lambda text: text.decode(errors="replace")
        await database.set_progress_handler(self._connection.over_budget, STEPS_BETWEEN_CHECKS)
        for pragma in ("query_only = 1", "temp_store = MEMORY", "cache_size = -2048", "mmap_size = 0"):
            await database.execute_fetchall(f"PRAGMA {pragma}")

    async def close(self) -> None:
        """Closes the file; the next read opens it again."""
        self._version = None
        database, self._database, self._connection = self._database, None, None
        if database is not None:
            await database.close()

    def _check_identity(self) -> None:
        """ReplacedError, once, if another file is at the path by now; CollectorError if there is none."""
        known, self._identity = self._identity, self._identity_at_path()
        if known not in (None, self._identity):
            raise ReplacedError

    def _identity_at_path(self) -> Identity:
        try:
            status = self.path.stat()
        except OSError as error:
            raise CollectorError(
                f"{self.path} cannot be read: {error.strerror}; check --database.path"
            ) from error
        if not S_ISREG(status.st_mode):
            raise CollectorError(f"{self.path} is not a file; check --database.path")
        return Identity(status.st_dev, status.st_ino)

    async def version(self) -> Version:
        """Changes whenever the file is written to. Raises as `row`.

        SQLite tells by a counter in the file. A copy over the file may happen to have the same one: then
        pages that SQLite kept would be of the old file, so it is opened anew.
        """
        modified = self._modified()
        (counter,) = await self.row("PRAGMA data_version", {})
        if self._version is not None and counter == self._version[0] and modified != self._version[1]:
            await self.close()
            (counter,) = await self.row("PRAGMA data_version", {})
        self._version = counter, modified
        return self._version

    def _modified(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def sizes(self) -> tuple[int, int] | None:
        """Bytes of the file and of its write-ahead log, 0 without one; None without a file."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return None
        try:
            return size, Path(f"{self.path}-wal").stat().st_size
        except OSError:
            return size, 0

    async def row(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The one row that the statement gives. Raises TooLongError, ReplacedError or CollectorError."""
        self._check_identity()
        await self.open()
        while True:
            assert self._database is not None
            assert self._connection is not None
            self._connection.budget = self.budget
            try:
                rows = await self._database.execute_fetchall(statement, parameters)
                return tuple(next(iter(rows)))
            except sqlite3.Error as error:
                name = error.sqlite_errorname
                if name == "SQLITE_TOOBIG":
                    raise TooLargeError from error
                if name == "SQLITE_INTERRUPT":
                    raise TooLongError from error
                if name != "SQLITE_BUSY" or time.monotonic() > self.deadline:
                    raise await self._failed(error) from error
            finally:
                self._note_hold()

    async def json(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        """The value of the row's only column, which is JSON text. Raises as `row`."""
        return json.loads((await self.row(statement, parameters))[0])

    def _note_hold(self) -> None:
        hold = self._connection.hold if self._connection else 0.0
        self.longest_hold = max(self.longest_hold, hold)
        self.holds[bisect_left(READ_BUCKETS, hold)] += 1
        self.hold_total += hold

    async def _failed(self, error: sqlite3.Error) -> CollectorError:
        await self.close()
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        meaning = _MEANING.get(name) or _MEANING.get(
            "_".join(name.split("_")[:2]), f"cannot be read: {error}"
        )
        return CollectorError(f"{self.path} {meaning} ({name})")
