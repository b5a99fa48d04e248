"""What happens in the middle of a read: each way in which a program can write then, and the read is made again."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite import session
from exporter.collectors.sqlite.connection import Reader, together
from exporter.collectors.sqlite.seqlock import DatabaseFile, Stamp
from exporter.collectors.sqlite.session import (
    BusyError,
    HotJournalError,
    Query,
    Row,
    Session,
    TooLongError,
    Way,
)

from .bots import execute
from .harness import PATIENCE

SUM = "SELECT sum(amount), count(*) FROM account"
MOVE = "UPDATE account SET amount = amount + CASE WHEN id <= 50 THEN -1 ELSE 1 END, padding = hex(randomblob(99))"
Meanwhile = Callable[[Callable[[], object]], list[str]]
"""Plans what happens in the middle of the next read; the statements that are read, in a list that grows."""
TICK = 0.02
"""Seconds after which the clock that stamps files has moved."""

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=5.0, isolation_level=None)
print("ready", flush=True)
for line in sys.stdin:
    print(connection.execute(line.strip()).fetchall(), flush=True)
"""


class Writer:
    """Another process with the file open, which does what it is told."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def __call__(self, *statements: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for statement in statements:
            self.process.stdin.write(f"{statement}\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline().startswith("["), statement


@contextmanager
def writing(path: Path, *before: str) -> Iterator[Writer]:
    """`before` goes ahead of the command."""
    command = [*before, sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Writer(process)
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bot.db"
    execute(
        path,
        "CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, padding TEXT)",
        "INSERT INTO account WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
        "SELECT i, 10, hex(randomblob(99)) FROM n",
    )
    time.sleep(TICK)
    return path


@pytest.fixture
def reads(path: Path) -> Iterator[Session]:
    reads = Session(path, lambda _: None, None)
    yield reads
    reads.close()


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    with writing(path) as writer:
        yield writer


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Does something in the middle of the next read: after SQLite has given the row, before it is kept."""
    row = session._Connection.row
    left: list[Callable[[], object]] = []
    tries: list[str] = []

    def interrupted(self: session._Connection, query: Query) -> Row:
        tries.append(query.statement)
        found = row(self, query)
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(session._Connection, "row", interrupted)

    def plan(action: Callable[[], object]) -> list[str]:
        left.append(action)
        return tries

    return plan


def read(reads: Session) -> tuple[int, int]:
    """On a busy machine all tries of a read may come in the tick of a write."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return reads.read(Query(SUM, {}, 10.0))
        except BusyError:
            if time.monotonic() > deadline:
                raise


def test_a_read_that_nobody_wrote_into_is_kept(reads: Session, meanwhile: Meanwhile) -> None:
    tries = meanwhile(lambda: None)
    assert read(reads) == (1000, 100)
    assert len(tries) == 1
    assert reads.way is Way.UNLOCKED


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"])
def test_a_commit_in_the_middle(reads: Session, writer: Writer, meanwhile: Meanwhile, journal: str) -> None:
    writer(f"PRAGMA journal_mode = {journal}")
    tries = meanwhile(lambda: writer("UPDATE account SET amount = amount + 1"))
    assert read(reads) == (1100, 100)
    assert len(tries) == 2


BROKEN = Query("SELECT missing FROM account", {}, 10.0)


def test_several_rows_of_one_visit(reads: Session, meanwhile: Meanwhile) -> None:
    """What is wrong with one of them is no matter to the others."""
    tries = meanwhile(lambda: None)
    first, broken, last = reads.read_each([Query(SUM, {}, 10.0), BROKEN, Query(SUM, {}, 10.0)])
    assert (first, last) == ((1000, 100), (1000, 100))
    assert str(broken) == "no such column: missing"
    assert tries == [SUM, BROKEN.statement, SUM]


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_commit_in_the_middle_of_a_visit(
    reads: Session, writer: Writer, meanwhile: Meanwhile, journal: str
) -> None:
    """In the log the rows of a visit may be of two states, each whole; without a lock each is read again by itself."""
    writer(f"PRAGMA journal_mode = {journal}", "UPDATE account SET padding = 1")
    time.sleep(TICK)
    tries = meanwhile(lambda: writer("UPDATE account SET amount = amount + 1"))
    found = reads.read_each([Query(SUM, {}, 10.0), Query(SUM, {}, 10.0)])
    if journal == "DELETE":
        assert found == [(1100, 100), (1100, 100)]
        assert len(tries) == 4
    else:
        assert found == [(1000, 100), (1100, 100)]
        assert len(tries) == 2


async def test_rows_that_are_asked_for_together_are_read_in_one_visit(path: Path) -> None:
    reader = Reader(path)
    reader.deadline = time.monotonic() + PATIENCE
    visits: list[int] = []
    read_each = reader._session.read_each

    def counted(queries: Sequence[Query]) -> list[Row | Exception]:
        visits.append(len(queries))
        return read_each(queries)

    reader._session.read_each = counted  # type: ignore[method-assign]
    assert await together(*(reader.row(SUM, {}) for _ in range(3))) == [(1000, 100)] * 3
    assert await reader.row(SUM, {}) == (1000, 100)
    assert visits == [3, 1]
    with pytest.raises(CollectorError, match="no such column: missing"):
        await together(reader.row(SUM, {}), reader.row(BROKEN.statement, {}))
    await reader.close()


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST", "MEMORY"])
def test_a_transaction_that_was_written_and_rolled_back_in_the_middle(
    path: Path, reads: Session, writer: Writer, meanwhile: Meanwhile, journal: str
) -> None:
    """The counter of changes is what it was, and so is the size."""
    writer(f"PRAGMA journal_mode = {journal}", "PRAGMA cache_size = 1")
    header, size = path.read_bytes()[:100], path.stat().st_size
    tries = meanwhile(lambda: writer("BEGIN", MOVE, "ROLLBACK"))
    assert read(reads) == (1000, 100)
    assert (path.read_bytes()[:100], path.stat().st_size) == (header, size)
    assert len(tries) == 2


def test_what_was_written_before_a_commit_is_not_shown(
    reads: Session, writer: Writer, meanwhile: Meanwhile
) -> None:
    """A transaction that is larger than the writer's cache is in the file before it is committed."""
    writer("PRAGMA cache_size = 1")
    meanwhile(lambda: writer("BEGIN", MOVE.replace("ELSE 1", "ELSE 0")))
    with pytest.raises(BusyError):
        reads.read(Query(SUM, {}, 10.0))
    writer("COMMIT")
    assert read(reads) == (950, 100)


def test_an_open_transaction_that_has_not_reached_the_file_is_no_obstacle(
    path: Path, reads: Session, writer: Writer
) -> None:
    writer("BEGIN IMMEDIATE", MOVE)
    assert path.with_name("bot.db-journal").exists()
    assert read(reads) == (1000, 100)
    writer("COMMIT")
    assert read(reads) == (1000, 100)


def test_a_program_that_dies_in_the_middle(
    path: Path, reads: Session, writer: Writer, meanwhile: Meanwhile
) -> None:
    writer("PRAGMA cache_size = 1")

    def die() -> None:
        writer("BEGIN", MOVE)
        writer.process.send_signal(signal.SIGKILL)
        writer.process.wait()

    meanwhile(die)
    with pytest.raises(HotJournalError):
        read(reads)
    execute(path, SUM)  # rolls it back
    assert read(reads) == (1000, 100)


def test_a_program_that_died_while_it_left_wal_mode(path: Path, reads: Session, writer: Writer) -> None:
    """SQLite itself would not see this journal where it is told to read the file alone."""
    execute(path, "PRAGMA journal_mode = WAL")
    path.with_name("bot.db-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(504))
    with pytest.raises(HotJournalError):
        read(reads)


def test_exclusive_locking_mode(reads: Session, writer: Writer) -> None:
    writer("PRAGMA locking_mode = EXCLUSIVE", MOVE)
    with pytest.raises(BusyError):
        reads.read(Query(SUM, {}, 10.0))
    writer("PRAGMA locking_mode = NORMAL", SUM)
    assert read(reads) == (1000, 100)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_change_of_journal_mode_in_the_middle(
    path: Path, reads: Session, writer: Writer, meanwhile: Meanwhile, journal: str
) -> None:
    execute(path, f"PRAGMA journal_mode = {'WAL' if journal == 'DELETE' else 'DELETE'}")
    meanwhile(lambda: writer(f"PRAGMA journal_mode = {journal}", "UPDATE account SET amount = amount + 1"))
    assert read(reads) == (1100, 100)


def test_a_log_that_comes_and_goes_in_the_middle(path: Path, reads: Session, meanwhile: Meanwhile) -> None:
    execute(path, "PRAGMA journal_mode = WAL")
    tries = meanwhile(lambda: execute(path, "UPDATE account SET amount = amount + 1"))
    assert not path.with_name("bot.db-wal").exists()
    assert read(reads) == (1100, 100)
    assert len(tries) == 2


def test_another_file_in_the_middle(path: Path, reads: Session, meanwhile: Meanwhile, tmp_path: Path) -> None:
    shutil.copyfile(path, tmp_path / "new.db")
    meanwhile(lambda: (tmp_path / "new.db").rename(path))
    with pytest.raises(session.ReplacedError):
        read(reads)
    assert read(reads) == (1000, 100)


def test_a_copy_over_the_file_in_the_middle_though_it_has_the_same_header(
    path: Path, reads: Session, meanwhile: Meanwhile, tmp_path: Path
) -> None:
    shutil.copyfile(path, tmp_path / "new.db")
    execute(tmp_path / "new.db", "UPDATE account SET amount = amount + 1")
    with path.open("rb") as before, (tmp_path / "new.db").open("r+b") as after:
        after.write(before.read(100))
    meanwhile(lambda: shutil.copyfile(tmp_path / "new.db", path))
    assert read(reads) == (1100, 100)


def test_a_truncated_file_in_the_middle(path: Path, reads: Session, meanwhile: Meanwhile) -> None:
    meanwhile(lambda: os.truncate(path, 4096))
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        read(reads)


def test_a_writer_that_never_rests_ends_in_a_request_for_less(
    reads: Session, writer: Writer, meanwhile: Meanwhile
) -> None:
    for _ in range(session.DISCARDS):
        tries = meanwhile(lambda: writer("UPDATE account SET amount = amount + 1"))
    with pytest.raises(TooLongError):
        read(reads)
    assert len(tries) == session.DISCARDS


def test_a_read_in_the_tick_of_a_write_waits_for_the_next(
    path: Path, reads: Session, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second write in one tick of the clock may leave the same stamp."""
    execute(path, "UPDATE account SET amount = amount + 1")
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(session, "stamping_clock", lambda: path.stat().st_ctime_ns - 1)
    with pytest.raises(BusyError):
        reads._attempt([Query(SUM, {}, 1.0)])
    monkeypatch.setattr(session, "stamping_clock", lambda: path.stat().st_ctime_ns + 1)
    assert reads._attempt([Query(SUM, {}, 1.0)]) == [(1100, 100)]


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("changed", "now", "repeated"),
    [
        (5 * SECOND + 7, 5 * SECOND + 8, False),
        (5 * SECOND + 7, 5 * SECOND + 7, True),
        # Ahead of the coarse clock by what it lacks.
        (5 * SECOND + 7, 5 * SECOND, True),
        # Whole seconds: a file system that rounds down.
        (5 * SECOND, 5 * SECOND + 8, True),
        (5 * SECOND, 7 * SECOND + 1, False),
        # The clock was set back by an hour.
        (3605 * SECOND + 7, 5 * SECOND, False),
    ],
)
def test_stamps_that_may_be_repeated(changed: int, now: int, repeated: bool) -> None:
    assert Stamp(0, 0, 0, changed, b"", 0).may_be_repeated(now) is repeated


def test_locks_of_a_program_in_another_container_are_seen(path: Path) -> None:
    """Another PID namespace: the kernel keeps locks by inode."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make a PID namespace")
    namespace = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with writing(path, *namespace) as writer, DatabaseFile(path) as file:
        assert not file.has_open_transaction()
        writer("BEGIN IMMEDIATE")
        assert file.has_open_transaction()
        assert not file.is_being_changed()
        writer("COMMIT", "BEGIN EXCLUSIVE")
        assert file.is_being_changed()


def test_locks_of_this_process_are_seen(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    with DatabaseFile(path) as file:
        assert file.is_being_changed()
    connection.close()
