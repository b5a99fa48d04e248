"""The ledger's file: made, recognised, locked and opened."""

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiosqlite

from exporter.optimizer.ledger import migrations
from exporter.optimizer.ledger.database import Database, identity
from exporter.optimizer.ledger.errors import DAMAGED, LedgerError, translated
from exporter.optimizer.ledger.schema import APPLICATION_ID, SCHEMA, VERSION

PATIENCE = 5.0
"""Seconds that a statement waits for whoever has the file locked."""


@asynccontextmanager
async def writable(path: Path) -> AsyncIterator[Database]:
    """The ledger at `path` for one optimizer alone; created if there is none, upgraded if it is older."""
    with translated(path):
        _check_is_ledger(path)
        lock = _lock(path)
    try:
        with translated(path):
            if not _exists(path):
                _create(path)
            migrations.upgrade(path)
            database = await _connect(path, "rw")
        async with _closed(database):
            with translated(path):
                await _check(database, path)
                watched = {each: identity(each) for each in (path, _lock_file(path))}
            yield Database(path, database, watched)
    finally:
        os.close(lock)


@asynccontextmanager
async def readable(path: Path) -> AsyncIterator[Database]:
    """The ledger at `path`, only to be read."""
    with translated(path):
        if not _exists(path):
            raise LedgerError(
                f"{path} does not exist: start the optimizer, which creates it, or check optimizer.ledger"
            )
        _check_is_ledger(path)
        database = await _connect(path, "ro")
    async with _closed(database):
        with translated(path):
            await _check_version(database, path)
        yield Database(path, database)


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


def _lock_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _lock(path: Path) -> int:
    """A descriptor that holds the lock until it is closed, also by the end of the process."""
    descriptor = os.open(_lock_file(path), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
    """Created beside its place and then moved there, so that it is never there in part."""
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
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        await database.execute_fetchall(f"PRAGMA {pragma}")
    found = list(await database.execute_fetchall("PRAGMA quick_check(1)"))
    if found[0][0] != "ok":
        raise LedgerError(f"{path} {DAMAGED}")


async def _check_version(database: aiosqlite.Connection, path: Path) -> None:
    ((found,),) = await database.execute_fetchall("PRAGMA user_version")
    if found != VERSION:
        raise LedgerError(migrations.wrong_version(path, found))
