"""The ledger's file: how it is made, recognised, locked and opened. What is in it is `ledger`'s business."""

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import get_args

import aiosqlite

from exporter.optimizer.evaluation import Verdict
from exporter.optimizer.ledger.entries import ActionStatus
from exporter.optimizer.model import Bottleneck, Outcome, Severity, State

APPLICATION_ID = 0x54424F4C
"""In the file's header: tells a ledger from every other SQLite file. "TBOL"."""
VERSION = 1
"""Of the schema; `user_version` in the file's header."""
PATIENCE = 5.0
"""Seconds that a statement waits for whoever has the file locked."""


def _one_of(literal: object) -> str:
    return ", ".join(f"'{value}'" for value in get_args(literal))


SCHEMA = f"""
CREATE TABLE optimizations (
  id INTEGER PRIMARY KEY,
  bottleneck TEXT NOT NULL CHECK (bottleneck IN ({_one_of(Bottleneck)})),
  agent TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ({_one_of(Severity)})),
  state TEXT NOT NULL CHECK (state IN ({_one_of(State)})),
  state_since REAL NOT NULL,
  outcome TEXT CHECK (outcome IN ({_one_of(Outcome)})),
  reason TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  alert_starts_at REAL NOT NULL,
  created_at REAL NOT NULL,
  acted_at REAL,
  closed_at REAL,
  strategy TEXT,
  track_record TEXT,
  verdict TEXT CHECK (verdict IN ({_one_of(Verdict)})),
  improvement_ratio REAL,
  threshold REAL,
  threshold_met INTEGER CHECK (threshold_met IN (0, 1)),
  aim TEXT CHECK (aim IN ({_one_of(Outcome)})),
  CHECK ((state = 'closed') = (outcome IS NOT NULL)),
  CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
  CHECK (state <> 'restoring' OR aim IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX one_open_for_a_subject ON optimizations (bottleneck, agent)
  WHERE state IN ('waiting', 'acting', 'measuring');
CREATE INDEX open_optimizations ON optimizations (state) WHERE state <> 'closed';
CREATE INDEX optimizations_by_end ON optimizations (closed_at);
CREATE INDEX optimizations_judged ON optimizations (bottleneck) WHERE verdict IS NOT NULL;

CREATE TABLE actions (
  id TEXT PRIMARY KEY,
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  number INTEGER NOT NULL,
  name TEXT NOT NULL CHECK (name IN ('execute_adaptation', 'adjust_autonomy', 'pause', 'resume', 'restore')),
  agent TEXT NOT NULL,
  arguments TEXT NOT NULL,
  restores TEXT REFERENCES actions,
  bot_start REAL,
  status TEXT NOT NULL CHECK (status IN ({_one_of(ActionStatus)})),
  changes TEXT NOT NULL DEFAULT '[]',
  error TEXT NOT NULL DEFAULT '',
  sent_at REAL,
  answered_at REAL,
  CHECK (name <> 'restore' OR restores IS NOT NULL),
  CHECK (status IN ('planned', 'dropped') OR sent_at IS NOT NULL),
  UNIQUE (optimization_id, number)
) STRICT;
CREATE INDEX actions_by_time ON actions (sent_at);

CREATE TABLE performance_history (
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  phase TEXT NOT NULL CHECK (phase IN ('before', 'after')),
  started_at REAL NOT NULL,
  ended_at REAL NOT NULL,
  value REAL,
  samples INTEGER NOT NULL,
  note TEXT NOT NULL,
  events TEXT NOT NULL,
  PRIMARY KEY (optimization_id, phase)
) STRICT;

-- Each time an optimization came to an end: one that is taken back afterwards has two.
CREATE TABLE endings (
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  outcome TEXT NOT NULL CHECK (outcome IN ({_one_of(Outcome)})),
  ended_at REAL NOT NULL
) STRICT;

-- The episodes that were taken note of: none of them leads to an optimization again, but for one that was over
-- while its alert went on. Repeats renew seen_at.
CREATE TABLE alerts (
  fingerprint TEXT NOT NULL,
  starts_at REAL NOT NULL,
  optimization_id INTEGER REFERENCES optimizations,
  resolved INTEGER NOT NULL CHECK (resolved IN (0, 1)),
  seen_at REAL NOT NULL,
  PRIMARY KEY (fingerprint, starts_at)
) STRICT;
CREATE INDEX alerts_by_age ON alerts (seen_at);
CREATE INDEX alerts_of_an_optimization ON alerts (optimization_id);
"""

_MEANING = {
    "SQLITE_NOTADB": "is not a ledger of the optimizer: set optimizer.ledger to a file of its own",
    "SQLITE_CORRUPT": "is damaged: put a copy of it back, or move it away to begin a new ledger",
    "SQLITE_FULL": "cannot be written, the disk is full: make room",
    "SQLITE_READONLY": "cannot be written: give the optimizer's user write access to the file and its directory",
    "SQLITE_CANTOPEN": "cannot be opened: check that the optimizer's user may read and write it and its directory",
    "SQLITE_BUSY": "stayed locked: look for a program that holds a lock on it",
    "SQLITE_IOERR": "cannot be read or written: check the disk",
}


class LedgerError(Exception):
    """The ledger cannot be used. The message is for the user: which file, what is wrong, and the mend."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Makes LedgerErrors of SQLite's and the system's errors."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        meaning = _MEANING.get("_".join(name.split("_")[:2]), f"cannot be used: {error}")
        raise LedgerError(f"{path} {meaning} ({name})") from error
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be used: {(error.strerror or '').lower()}; check optimizer.ledger"
        ) from error


@asynccontextmanager
async def writable(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """The ledger at `path` for one optimizer alone; made if there is none."""
    with told(path):
        _check_is_ledger(path)
        lock = _lock(path)
    try:
        with told(path):
            if not _exists(path):
                _create(path)
            database = await _connect(path, "rw")
        async with _closed(database):
            with told(path):
                await _check(database, path)
            yield database
    finally:
        os.close(lock)


@asynccontextmanager
async def readable(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """The ledger at `path`, only to be read."""
    with told(path):
        if not _exists(path):
            raise LedgerError(
                f"{path} does not exist: start the optimizer, which makes it, or check optimizer.ledger"
            )
        _check_is_ledger(path)
        database = await _connect(path, "ro")
    async with _closed(database):
        with told(path):
            await _check_version(database, path)
        yield database


@asynccontextmanager
async def _closed(database: aiosqlite.Connection) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await database.close()


def _exists(path: Path) -> bool:
    """An empty file is none: it is what mounting one leaves."""
    return path.exists() and path.stat().st_size > 0


def _check_is_ledger(path: Path) -> None:
    """LedgerError for any other file, which is not changed: it could be the bot's own database."""
    if path.exists() and not path.is_file():
        raise LedgerError(f"{path} is not a file; check optimizer.ledger")
    if not _exists(path):
        return
    # `immutable` takes no lock, makes no file beside it and rolls nothing back.
    with closing(sqlite3.connect(_uri(path, "mode=ro&immutable=1"), uri=True)) as database:
        (found,) = database.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        raise LedgerError(
            f"{path} is another program's SQLite file and was left as it is: "
            "set optimizer.ledger to a file of its own"
        )


def _lock(path: Path) -> int:
    """A descriptor that holds the lock until it is closed, also by the end of the process."""
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LedgerError(
            f"{path} is in use by another optimizer: stop that one, or give this one a ledger of its own"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _create(path: Path) -> None:
    """Made beside its place and then put there, so that it is never there in part."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    Path(f"{new}-journal").unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(new, isolation_level=None)) as database:
        database.executescript(
            f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
        database.execute("PRAGMA journal_mode = WAL")
    new.replace(path)
    # So that it is still there after a power failure.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _uri(path: Path, options: str) -> str:
    return f"{path.absolute().as_uri()}?{options}"


async def _connect(path: Path, mode: str) -> aiosqlite.Connection:
    return await aiosqlite.connect(
        _uri(path, f"mode={mode}"), uri=True, timeout=PATIENCE, isolation_level=None
    )


async def _check(database: aiosqlite.Connection, path: Path) -> None:
    """Before anything is written."""
    await _check_version(database, path)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        await database.execute_fetchall(f"PRAGMA {pragma}")
    found = list(await database.execute_fetchall("PRAGMA quick_check(1)"))
    if found[0][0] != "ok":
        raise LedgerError(f"{path} {_MEANING['SQLITE_CORRUPT']}")


async def _check_version(database: aiosqlite.Connection, path: Path) -> None:
    ((found,),) = await database.execute_fetchall("PRAGMA user_version")
    if found != VERSION:
        raise LedgerError(
            f"{path} has version {found}, this optimizer knows version {VERSION}: "
            "use the optimizer that wrote it, or another ledger"
        )
