"""The bot's database, for everybody but the thread that reads it (session.py): one statement, one row, no lock.

Nothing here calls the file system: a disk that hangs costs this collector, not the event loop.
"""

import asyncio
import json
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.session import (
    HOT_JOURNAL,
    LONGEST_VALUE,
    READ_BUDGET,
    BusyError,
    DisturbedError,
    HotJournalError,
    Query,
    ReplacedError,
    Row,
    Session,
    TooLargeError,
    TooLongError,
    Version,
)
from exporter.collectors.sqlite.worker import Worker
from exporter.metrics.catalogue import READ_BUCKETS

__all__ = [
    "LAST_RESORT_BUDGET",
    "LONGEST_VALUE",
    "READ_BUDGET",
    "DisturbedError",
    "Reader",
    "ReplacedError",
    "TooLargeError",
    "TooLongError",
    "Version",
    "together",
]

LAST_RESORT_BUDGET = 0.25
"""Seconds for a single row, without its large values, that READ_BUDGET is not enough for: what takes long then
is SQLite's way past those values, which cannot be cut off."""
HANGS_AFTER = 1.0
"""Seconds after the deadline from which on a read is not waited for any more."""

T = TypeVar("T")


async def together(*reading: Awaitable[T]) -> list[T]:
    """What each gives, in their order; once all have ended, the first error. Their first reads share a visit."""
    found = await asyncio.gather(*reading, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if not isinstance(each, BaseException)]


_MEANING = {
    HOT_JOURNAL: "has a hot journal (the bot was killed while it wrote): start the bot, which rolls it back when it "
    "opens the file",
    "SQLITE_BUSY": "stayed locked: look for a program that holds a lock on it",
    "SQLITE_CANTOPEN": "cannot be opened: check that the exporter's user may read it and what lies beside it, and "
    "enter its directory. A write-ahead log without its -shm file is read as soon as the bot has been started",
    "SQLITE_READONLY": "has a write-ahead log that only the bot can recover: start the bot",
    "SQLITE_NOTADB": "is not an SQLite database: check the path",
    "SQLITE_CORRUPT": "is damaged: stop the bot and check it with PRAGMA integrity_check",
    "SQLITE_IOERR": "cannot be read: check the disk",
}


class Reader:
    """Reads one file, as `session` says.

    `deadline` (on time.monotonic's clock) is until when a locked file is waited for; `budget` is how long a
    read may take; `longest_hold` is the longest that one took, in seconds, since it was last set to 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.deadline = 0.0
        self.budget = READ_BUDGET
        self.longest_hold = 0.0
        self.holds = [0] * (len(READ_BUCKETS) + 1)
        self.hold_total = 0.0
        self._session = Session(path, self._note_hold, None)
        self._worker = Worker("database")
        self._asked: list[tuple[Query, asyncio.Future[Row]]] = []
        self._visit: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Closes the file; the next read opens it again."""
        session, worker = self._session, self._worker
        self._session = Session(self.path, self._note_hold, session.identity)
        self._worker = Worker("database")
        with suppress(TimeoutError):
            await worker.run(session.close, HANGS_AFTER)
        worker.end()

    async def version(self) -> Version:
        """Changes whenever the file is written to. Raises as `row`, but for TooLongError."""
        return await self._called(self._session.version)

    async def exists(self) -> bool:
        """Whether there is anything at the path."""
        return await self._called(self.path.exists)

    async def describe(self) -> str:
        """How the file is read, for `check`. Raises as `version`."""
        stamp, _ = await self.version()
        journal = "write-ahead log" if stamp.is_wal else "rollback journal"
        return f"{journal}, on {self._session.mount.kind or 'an unknown file system'}"

    def sizes(self) -> tuple[int, int] | None:
        """Bytes of the file and of its write-ahead log, 0 without one, when it was last looked at; None without a
        file."""
        return self._session.sizes

    async def row(self, statement: str, parameters: Mapping[str, Any]) -> Row:
        """The one row that the statement gives. Raises TooLongError, ReplacedError or CollectorError.

        Rows that are asked for at the same time are read in one visit to the file.
        """
        while True:
            try:
                return await self._ask(Query(statement, parameters, self.budget))
            except BusyError as error:
                if time.monotonic() > self.deadline:
                    raise await self._failed("SQLITE_BUSY", error) from error
            except HotJournalError as error:
                raise await self._failed(HOT_JOURNAL, error) from error
            except sqlite3.Error as error:
                name = getattr(error, "sqlite_errorname", type(error).__name__)
                raise await self._failed(name, error) from error

    async def json(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        """The value of the row's only column, which is JSON text. Raises as `row`."""
        return json.loads((await self.row(statement, parameters))[0])

    async def _ask(self, query: Query) -> Row:
        answer: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._asked.append((query, answer))
        if len(self._asked) == 1:
            # It begins when all that can be asked by then has been.
            self._visit = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        asked, self._asked = self._asked, []
        found: Sequence[Row | Exception]
        try:
            found = await self._called(partial(self._session.read_each, [query for query, _ in asked]))
        except Exception as error:  # noqa: BLE001 - belongs to whoever asked
            found = [error] * len(asked)
        for (_, answer), each in zip(asked, found, strict=True):
            if answer.done():
                continue
            if isinstance(each, Exception):
                answer.set_exception(each)
            else:
                answer.set_result(each)

    async def _called(self, call: Callable[[], T]) -> T:
        try:
            return await self._worker.run(call, max(0.0, self.deadline - time.monotonic()) + HANGS_AFTER)
        except TimeoutError as error:
            raise CollectorError(f"{self.path} does not answer: check the disk") from error
        except OSError as error:
            raise CollectorError(
                f"{self.path} or what lies beside it cannot be read: {error.strerror}"
            ) from error

    def _note_hold(self, hold: float) -> None:
        self.longest_hold = max(self.longest_hold, hold)
        self.holds[bisect_left(READ_BUCKETS, hold)] += 1
        self.hold_total += hold

    async def _failed(self, name: str, error: Exception) -> CollectorError:
        await self.close()
        kind = "_".join(name.split("_")[:2])
        meaning = _MEANING.get(name) or _MEANING.get(kind, f"cannot be read: {error}")
        return CollectorError(f"{self.path} {meaning} ({name})")
