"""Writes the database: the whole history first, then small transactions, as the bot does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from threading import Lock

from exporter.demo.errors import DemoError, LockedError
from exporter.demo.schema import SCHEMA
from exporter.demo.transaction import Transaction

DATABASE = "trading.db"
UNFINISHED = "trading.db.new"
APPLICATION_ID = 0x74626F74
"""In the header of each demo file; a file without it is never overwritten."""
APPLICATION_ID_AT = slice(68, 72)
PRIMARY_CODE = 0xFF
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
BUSY_SECONDS = 1.0
"""The real bot waits this long for a lock, and then dies."""


def write_history(directory: Path, history: Iterable[Transaction]) -> Path:
    """Creates a new file and renames it into place when it is complete. Raises DemoError."""
    path, unfinished = directory / DATABASE, directory / UNFINISHED
    refuse_foreign(path)
    try:
        _remove(unfinished)
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            _fill(connection, history)
        _remove(path)
        unfinished.rename(path)
    except (OSError, sqlite3.Error) as error:
        raise DemoError(f"cannot write {path}: {error}") from error
    return path


def _remove(path: Path) -> None:
    """Removes the file with its journal: one left by a demo that was killed would be replayed into the next file."""
    for suffix in ("", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _fill(connection: sqlite3.Connection, history: Iterable[Transaction]) -> None:
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.executescript(SCHEMA)
    connection.execute("BEGIN")
    for transaction in history:
        for statement in transaction.statements:
            connection.execute(*statement)
    connection.execute("COMMIT")


def refuse_foreign(path: Path) -> None:
    """Raises DemoError for a file that no demo wrote. A plain read is safe: this process holds no lock on it."""
    try:
        with path.open("rb") as file:
            header = file.read(APPLICATION_ID_AT.stop)
    except FileNotFoundError:
        return
    except OSError as error:
        why = f"exists and cannot be read ({error.strerror})"
        raise DemoError(f"{path} {why}: choose another directory") from error
    if header[APPLICATION_ID_AT] != APPLICATION_ID.to_bytes(4):
        raise DemoError(f"{path} exists and was not written by the demo: choose another directory")


class LiveFile:
    """The bot's one connection, with the default journal mode and durability."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._in_use = Lock()
        self._connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def commit(self, transaction: Transaction) -> None:
        try:
            with self._in_use:
                self._connection.execute("BEGIN")
                for statement in transaction.statements:
                    self._connection.execute(*statement)
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in LOCKED:
                raise LockedError(self._path, BUSY_SECONDS) from error
            raise DemoError(f"cannot write {self._path}: {error}") from error

    def close(self) -> None:
        """Waits for a commit in progress in another thread."""
        with self._in_use:
            self._connection.close()
