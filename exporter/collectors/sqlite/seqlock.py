"""Whether a file stayed as it was while it was read, without a lock on it. docs/safety.md has the proof.

A reader of a seqlock notes a number, reads, and keeps what it read only if the number is still the same. Here the
number is what the kernel and SQLite stamp on the file at each write, and nobody may be in the middle of a commit.
"""

import fcntl
import os
import struct
import time
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import NamedTuple

from exporter.collectors.sqlite.filesystem import Mount, mount_of

# What SQLite locks in a database file (its os.h): RESERVED to begin writing, all of SHARED to change the file.
RESERVED_BYTE = 0x40000001
SHARED_FIRST = 0x40000002
SHARED_SIZE = 510

HEADER_BYTES = 100
READ_VERSION = 19
WAL_VERSION = 2
WAL_INDEX_HEADER_BYTES = 48

CLOCK_REALTIME_COARSE = 5
"""The clock of Linux that stamps files; it ticks every 1 to 10 ms."""
TICK = 10_000_000
"""Nanoseconds."""
COARSEST = 2_000_000_000
"""Nanoseconds between two stamps, where a file system keeps whole seconds."""


class Stamp(NamedTuple):
    """What differs once a file has been written to. Sizes in bytes, the moment in nanoseconds since 1970."""

    device: int
    inode: int
    size: int
    changed: int
    """When the inode was last changed. Every write sets it, and unlike the time of modification nobody else can."""
    header: bytes
    """SQLite's, with its counter of changes."""
    log: int
    """Of the write-ahead log, 0 without one."""

    @property
    def identity(self) -> tuple[int, int]:
        return self.device, self.inode

    @property
    def is_wal(self) -> bool:
        return self.header[READ_VERSION : READ_VERSION + 1] == bytes([WAL_VERSION])

    def may_be_repeated(self, now: int) -> bool:
        """Whether a write from `now` on could leave the same stamp, because the clock that stamps has not moved."""
        step = COARSEST if self.changed % 1_000_000_000 == 0 else 0
        return now - step <= self.changed <= now + TICK


def stamping_clock() -> int:
    """Nanoseconds since 1970: no write from now on is stamped with an earlier moment."""
    return time.clock_gettime_ns(CLOCK_REALTIME_COARSE)


class DatabaseFile:
    """The file at a path, looked at without SQLite. OSError where there is none.

    To close it drops all locks that this process holds on that file: close SQLite's connection before, if it locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = os.path.realpath(path)
        if not S_ISREG(os.stat(self.path).st_mode):
            raise IsADirectoryError(f"{path} is not a file")
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> "DatabaseFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def mount(self) -> Mount:
        return mount_of(self._fd)

    @property
    def log_size(self) -> int:
        try:
            return os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return 0

    def stamp(self) -> Stamp:
        status = os.fstat(self._fd)
        header = os.pread(self._fd, HEADER_BYTES, 0)
        return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns, header, self.log_size)

    def is_at_path(self, stamp: Stamp) -> bool:
        """Whether the path still leads to this file."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == stamp.identity

    def is_being_changed(self) -> bool:
        """Whether a program is in the part of a transaction in which it changes the file. Asked, not locked."""
        return self._is_write_locked(SHARED_FIRST, SHARED_SIZE)

    def has_open_transaction(self) -> bool:
        """Whether a program that lives is about to write: then a journal beside the file is not a hot one."""
        return self._is_write_locked(RESERVED_BYTE, 1)

    def has_journal(self) -> bool:
        """Whether there is a rollback journal with something in it."""
        try:
            with open(f"{self.path}-journal", "rb") as journal:
                return journal.read(1) not in (b"", b"\0")
        except FileNotFoundError:
            return False

    def share(self) -> bool:
        """Takes SQLite's shared lock until the file is closed: no program can remove the write-ahead log meanwhile."""
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _lock(SHARED_FIRST, SHARED_SIZE))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def log_state(self) -> tuple[int, bytes]:
        """Differs after each commit to the write-ahead log: when that changed, and the header of its index."""
        try:
            changed = os.stat(f"{self.path}-wal").st_ctime_ns
            with open(f"{self.path}-shm", "rb") as index:
                return changed, index.read(WAL_INDEX_HEADER_BYTES)
        except OSError:
            return 0, b""

    def _is_write_locked(self, start: int, length: int) -> bool:
        # The lock of an open file description, not of a process: locks of this very process count as well.
        answer = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, _lock(start, length))
        (kind,) = struct.unpack_from("@h", answer)
        return bool(kind != fcntl.F_UNLCK)


def _lock(start: int, length: int) -> bytes:
    """A read lock as a `struct flock`."""
    return struct.pack("@hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, start, length, 0)
