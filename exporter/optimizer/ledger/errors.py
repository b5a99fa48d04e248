"""What can be wrong with the ledger, as messages for its user."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAMAGED = "is damaged: restore a copy of it, or move it away to start a new ledger"
_MEANING = {
    "SQLITE_NOTADB": "is not a ledger of the optimizer: set optimizer.ledger to a file of its own",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_FULL": "cannot be written, the disk is full: make room",
    "SQLITE_READONLY": "cannot be written: give the optimizer's user write access to the file and its directory",
    "SQLITE_CANTOPEN": "cannot be opened: check that the optimizer's user may read and write it and its directory",
    "SQLITE_BUSY": "stayed locked: look for a program that holds a lock on it",
    "SQLITE_IOERR": "cannot be read or written: check the disk",
}


class LedgerError(Exception):
    """The ledger cannot be used. The message is for the user: which file, what is wrong, and what to do."""


class UnknownValueError(Exception):
    """A row holds a name that this release does not know. The message says which."""


class DamagedValueError(Exception):
    """A row holds a value that no release wrote. The message says where."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises SQLite's and the system's errors as LedgerErrors."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        meaning = _MEANING.get("_".join(name.split("_")[:2]), f"cannot be used: {error}")
        raise LedgerError(f"{path} {meaning} ({name})") from error
    except UnknownValueError as error:
        raise LedgerError(
            f"{path} holds {error}, which this release does not know: use the release that wrote it, or another ledger"
        ) from error
    except DamagedValueError as error:
        raise LedgerError(f"{path} {DAMAGED} ({error})") from error
    except UnicodeDecodeError as error:
        raise LedgerError(f"{path} {DAMAGED} (text that is not UTF-8)") from error
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be used: {(error.strerror or '').lower()}; check optimizer.ledger"
        ) from error
