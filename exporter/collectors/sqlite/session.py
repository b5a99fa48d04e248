"""Reads of one database file, made by one thread. Every call here may wait for the disk.

A file in rollback mode on a local file system is read without a lock, and the read is kept only if the file stayed
as it was (seqlock.py). So is one in WAL mode whose log is empty. Rows in a log are read under SQLite's locks, which no
commit has to wait for, and files that cannot be watched under short ones.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.filesystem import Mount
from exporter.collectors.sqlite.seqlock import DatabaseFile, Stamp, stamping_clock

READ_BUDGET = 0.025
"""Seconds that a read may take."""
LOCKED_BUDGET = 0.0005
"""Seconds that a read may take where the bot's commit has to wait for it. After one that was cut off the next may take
twice as long, up to READ_BUDGET."""
STEPS_BETWEEN_CHECKS = 4000
"""Steps of SQLite's machine between two looks at the clock: about half a millisecond, a tenth of it under a lock. At
each the thread may have to wait for Python's interpreter."""
PATIENCE = 0.1
"""Seconds that a read waits for the bot at a try: it has the file for itself for 91 ms at the most."""
INTERVAL = 0.00025
"""Seconds between two looks whether the clock that stamps files has ticked."""
DISCARDS = 3
"""How often a read that the bot wrote into is made again before a smaller one is asked for."""
LONGEST_VALUE = 2**19
"""Bytes. SQLite's functions cannot be cut off, and take about the budget for a JSON text of that length."""
SHORTEST_PAUSE = 0.001
"""Seconds between two reads."""

HOT_JOURNAL = "SQLITE_READONLY_ROLLBACK"

READ_ONLY_INDEX = "readonly_shm=1"
"""SQLite must not make the index of a write-ahead log either."""

Row = tuple[Any, ...]
Version = tuple[Stamp, tuple[int, bytes]]
"""Differs whenever the file, or its write-ahead log, has been written to."""

read_clock = time.monotonic
"""Measures how long a read takes, in seconds."""

log = structlog.get_logger()


class TooLongError(Exception):
    """A read was cut off because it was over its budget."""


class DisturbedError(TooLongError):
    """The bot wrote into each of some tries of a read: a shorter one, or one at another moment, may be kept."""


class TooLargeError(TooLongError):
    """A read met a value that is over LONGEST_VALUE: another try of the same would end in the same."""


class ReplacedError(Exception):
    """The file at the path is not the one that was read before."""


class BusyError(Exception):
    """The bot has the file for itself."""


class HotJournalError(Exception):
    """A program died while it changed the file."""


class DiscardedError(Exception):
    """The bot wrote while the file was read."""


class Query(NamedTuple):
    """A statement that gives one row, and the seconds that it may take."""

    statement: str
    parameters: Mapping[str, Any]
    budget: float


class Way(Enum):
    """How a file is read, and why."""

    UNLOCKED = "without a lock"
    LOG = "under a lock that no commit waits for, because there are rows in the write-ahead log"
    LOCKED = (
        f"under locks of {LOCKED_BUDGET * 1000} ms, because it lies on a file system that cannot be watched"
    )


class _Connection(sqlite3.Connection):
    """Gives one row, and cuts off a statement that is over its budget."""

    budget = READ_BUDGET
    began = 0.0

    def prepare(self) -> None:
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        self.check_every(STEPS_BETWEEN_CHECKS)
        # A text that is no UTF-8 would fail the whole statement.
        self.text_factory = lambda text: text.decode(errors="replace")
        # A page of a mapped file would be gone where the bot truncates it.
        for pragma in ("query_only = 1", "temp_store = MEMORY", "mmap_size = 0"):
            self.execute(f"PRAGMA {pragma}")

    def check_every(self, steps: int) -> None:
        self.set_progress_handler(self._is_over_budget, steps)

    def row(self, query: Query) -> Row:
        """All rows are fetched, though there is but one: an unfinished statement would hold its lock on."""
        self.budget, self.began = query.budget, read_clock()
        return tuple(self.execute(query.statement, query.parameters).fetchall()[0])

    def _is_over_budget(self) -> bool:
        return read_clock() - self.began > self.budget


class Session:
    """The file at a path, and the connection to it. `identity` is the file's that was read last; `sizes` are the bytes
    of the file and of its log when it was looked at last; `note` is told the seconds that each read took."""

    def __init__(self, path: Path, note: Callable[[float], None], identity: tuple[int, int] | None) -> None:
        self.path = path
        self.identity = identity
        self.sizes: tuple[int, int] | None = None
        self.way: Way | None = None
        self._mount: Mount | None = None
        self._note = note
        self._kept: tuple[_Connection, str, Stamp] | None = None
        self._locked_budget = LOCKED_BUDGET
        self._rested = 0.0

    @property
    def mount(self) -> Mount:
        return self._mount or Mount()

    def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[0].close()

    def version(self) -> Version:
        with self._opened() as file:
            stamp = self._look(file)
            return stamp, file.log_state() if stamp.log else (0, b"")

    def read_each(self, queries: Sequence[Query]) -> list[Row | Exception]:
        """The one row of each query, or why there is none; all in one look at the file where the bot leaves the time.

        Raises what concerns them all, ReplacedError and CollectorError.
        """
        if len(queries) > 1:
            with suppress(DiscardedError, BusyError, HotJournalError):
                found = self._attempt(queries)
                return [
                    self._outcome(query) if isinstance(each, BusyError | HotJournalError) else each
                    for query, each in zip(queries, found, strict=True)
                ]
        return [self._outcome(query) for query in queries]

    def _outcome(self, query: Query) -> Row | Exception:
        try:
            return self.read(query)
        except (sqlite3.Error, TooLongError, BusyError, HotJournalError) as error:
            return error

    def read(self, query: Query) -> Row:
        """The one row of a query. BusyError and HotJournalError may be over at the next try."""
        time.sleep(max(0.0, self._rested - time.monotonic()))
        patience = time.monotonic() + PATIENCE
        discarded = 0
        while True:
            began = stamping_clock()
            try:
                return _only(self._attempt([query]))
            except DiscardedError as error:
                discarded += 1
                if discarded == DISCARDS:
                    raise DisturbedError from error
            except (BusyError, HotJournalError):
                if time.monotonic() > patience:
                    raise
            finally:
                self._rested = max(self._rested, time.monotonic() + SHORTEST_PAUSE)
            _wait_for_a_tick(began)

    def _attempt(self, queries: Sequence[Query]) -> list[Row | Exception]:
        with self._opened() as file:
            began = stamping_clock()
            stamp = self._look(file)
            way = self._way_of(stamp)
            self._say(way)
            if way is Way.UNLOCKED:
                return self._unlocked(file, stamp, began, queries)
            if way is Way.LOG:
                return self._from_log(file, queries)
            if len(queries) > 1:
                # The bot is let in between two of them.
                raise DiscardedError
            return [self._locked(stamp, queries[0])]

    def _opened(self) -> DatabaseFile:
        try:
            return DatabaseFile(self.path)
        except PermissionError as error:
            self._lose()
            raise CollectorError(
                f"{self.path} cannot be opened: check that the exporter's user may read it and enter its directory"
            ) from error
        except IsADirectoryError as error:
            self._lose()
            raise CollectorError(f"{self.path} is not a file; check --database.path") from error
        except OSError as error:
            self._lose()
            raise CollectorError(
                f"{self.path} cannot be read: {error.strerror}; check --database.path"
            ) from error

    def _lose(self) -> None:
        self.close()
        self.sizes = None

    def _look(self, file: DatabaseFile) -> Stamp:
        """The file's stamp. ReplacedError, once, if it is another file than before."""
        try:
            stamp = file.stamp()
        except OSError as error:
            raise CollectorError(f"{self.path} cannot be read: {error.strerror}; check the disk") from error
        self.sizes = stamp.size, stamp.log
        known, self.identity = self.identity, stamp.identity
        if known != stamp.identity:
            self.close()
            self._mount, self.way = None, None
        self._mount = self._mount or file.mount
        if self.mount.is_of(file.path):
            raise CollectorError(
                f"{self.path} is mounted without its directory, so that a journal or write-ahead log beside it cannot "
                "be seen: mount the directory"
            )
        if known not in (None, stamp.identity):
            raise ReplacedError
        return stamp

    def _way_of(self, stamp: Stamp) -> Way:
        if stamp.is_wal:
            return Way.LOG if stamp.log else Way.UNLOCKED
        return Way.UNLOCKED if self.mount.is_local else Way.LOCKED

    def _say(self, way: Way) -> None:
        if way is not self.way:
            self.way = way
            log.info(
                "database reading",
                path=str(self.path),
                filesystem=self.mount.kind or "unknown",
                how=way.value,
            )

    def _unlocked(
        self, file: DatabaseFile, stamp: Stamp, began: int, queries: Sequence[Query]
    ) -> list[Row | Exception]:
        if file.is_being_changed() or stamp.may_be_repeated(began):
            raise BusyError
        in_transaction = file.has_open_transaction()
        if stamp.is_wal and file.has_journal() and not in_transaction:
            raise HotJournalError
        # With `nolock` SQLite takes the journal of a program that lives for a hot one, and knows no WAL mode.
        flag = "immutable=1" if stamp.is_wal or in_transaction else "nolock=1"
        found = self._rows(partial(self._connection, stamp, flag), queries)
        if file.is_being_changed() or file.stamp() != stamp or not file.is_at_path(stamp):
            # What SQLite keeps of the file, pages and schema, may be of two states of it.
            self.close()
            raise DiscardedError
        return found

    def _rows(self, connect: Callable[[], _Connection], queries: Sequence[Query]) -> list[Row | Exception]:
        found: list[Row | Exception] = []
        for query in queries:
            try:
                found.append(self._timed(connect(), query))
            except sqlite3.Error as error:
                found.append(_meaning(error))
        return found

    def _connection(self, stamp: Stamp, flag: str) -> _Connection:
        """A connection serves one state of the file: no page that it keeps can be of another one."""
        if self._kept is not None and self._kept[1:] == (flag, stamp):
            return self._kept[0]
        self.close()
        connection = self._connect(flag)
        self._kept = connection, flag, stamp
        return connection

    def _from_log(self, file: DatabaseFile, queries: Sequence[Query]) -> list[Row | Exception]:
        """With a shared lock nobody can remove the log, which SQLite would else make, as the exporter's user."""
        self.close()
        if not file.share():
            raise BusyError
        if not file.log_size:
            raise DiscardedError
        try:
            with closing(self._connect(READ_ONLY_INDEX)) as connection:
                return self._rows(lambda: connection, queries)
        except sqlite3.Error as error:
            raise _meaning(error) from error

    def _locked(self, stamp: Stamp, query: Query) -> Row:
        # The last resort, for a row that may otherwise be left out, is given the time of other reads.
        allowed = self._locked_budget if query.budget <= READ_BUDGET else READ_BUDGET
        began = time.monotonic()
        try:
            row = self._timed(self._locking(stamp), query._replace(budget=min(query.budget, allowed)))
        except sqlite3.Error as error:
            meaning = _meaning(error)
            if isinstance(meaning, TooLongError):
                self._locked_budget = min(READ_BUDGET, self._locked_budget * 2)
            raise meaning from error
        else:
            self._locked_budget = max(LOCKED_BUDGET, self._locked_budget * 0.9)
            return row
        finally:
            # The bot gets as much time as the lock took.
            self._rested = 2 * time.monotonic() - began

    def _locking(self, stamp: Stamp) -> _Connection:
        """SQLite itself sees whether the pages that it keeps are of the file as it is, but for a copy over the file
        that is at the same change."""
        if self._kept is not None:
            connection, flag, known = self._kept
            if flag == READ_ONLY_INDEX and (known == stamp or known.header != stamp.header):
                self._kept = connection, flag, stamp
                return connection
        self.close()
        connection = self._connection(stamp, READ_ONLY_INDEX)
        connection.check_every(STEPS_BETWEEN_CHECKS // 10)
        return connection

    def _connect(self, flag: str) -> _Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=ro&{flag}",
            uri=True,
            timeout=0,
            isolation_level=None,
            factory=_Connection,
            # Closed by another thread than the one that made it where that one hangs.
            check_same_thread=False,
        )
        try:
            connection.prepare()
        except BaseException:
            # Without its limits the connection must not be used.
            connection.close()
            raise
        return connection

    def _timed(self, connection: _Connection, query: Query) -> Row:
        began = read_clock()
        try:
            return connection.row(query)
        finally:
            self._note(read_clock() - began)


def _wait_for_a_tick(since: int) -> None:
    """What was written in this tick of the clock cannot be read before the next, which begins with the longest time
    until the bot writes again."""
    while stamping_clock() == since:
        time.sleep(INTERVAL)


def _only(found: list[Row | Exception]) -> Row:
    (row,) = found
    if isinstance(row, Exception):
        raise row
    return row


def _meaning(error: sqlite3.Error) -> Exception:
    """What an error of SQLite says, but for a fault of the file, which stays what it is."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_TOOBIG":
        return TooLargeError()
    if name == "SQLITE_INTERRUPT":
        return TooLongError()
    if name.startswith("SQLITE_BUSY"):
        return BusyError()
    if name == HOT_JOURNAL:
        return HotJournalError()
    return error
