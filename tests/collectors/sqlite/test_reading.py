"""What the exporter may not do to a file: hold it between reads, make a file beside it, need to write."""

import asyncio
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite import filesystem, session
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.collectors.sqlite.seqlock import SHARED_FIRST, SHARED_SIZE
from exporter.collectors.sqlite.session import Query, Row, Session, Way
from exporter.config import Config

from .bots import append, decisions, execute, executions, program, trades, write_bot
from .harness import PATIENCE, Followed, following

NOBODY = 65534
INSERT = "INSERT INTO agent_executions (agent_name, execution_type) VALUES ('a', 't')"

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bot.db"
    write_bot(path, agent_executions=executions(300), agent_decisions=decisions(300), trades=trades(300))
    return path


@pytest.fixture(params=[Way.UNLOCKED, Way.LOCKED])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Way:
    way: Way = request.param
    if way is Way.LOCKED:
        monkeypatch.setattr(filesystem, "LOCAL", set())
    return way


def way_of(followed: Followed) -> Way | None:
    return followed.source._reader._session.way


@pytest.fixture
def checked_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Query]:
    """After each read another program must be able to have the file for itself at once; how many were checked."""
    attempt = Session._attempt
    reads: list[Query] = []

    def checked(self: Session, queries: Sequence[Query]) -> list[Row | Exception]:
        try:
            return attempt(self, queries)
        finally:
            with closing(sqlite3.connect(path, timeout=0)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                connection.rollback()
            reads.extend(queries)

    monkeypatch.setattr(Session, "_attempt", checked)
    return reads


async def test_nothing_is_held_between_two_reads(way: Way, path: Path, checked_reads: list[Query]) -> None:
    async with following(path) as followed:
        await followed.caught_up()
        append(path, "agent_executions", executions(3))
        await followed.collect()
        await followed.source._database.revisit(1.0)
        assert await followed.executions() == {"a": 303}
        assert way_of(followed) is way
    assert len(checked_reads) > 10


async def test_a_read_that_is_cut_off_holds_nothing(
    way: Way, path: Path, checked_reads: list[Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = session.STEPS_BETWEEN_CHECKS
    monkeypatch.setattr(session, "STEPS_BETWEEN_CHECKS", 10)
    async with following(path) as followed:
        followed.source._reader.budget = 0
        assert await followed.fails() == f"{path} is read too slowly: 5 reads took over 0.025 s each"
        monkeypatch.setattr(session, "STEPS_BETWEEN_CHECKS", steps)
        async with followed.source._lock:
            await followed.source._reader.close()
            followed.source._reader.budget = session.READ_BUDGET
        await followed.recovered()
        assert await followed.executions() == {"a": 300}
    assert len(checked_reads) > 10


ASKED = 10

ASK = f"""
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDWR)
for _ in sys.stdin:
    lock = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, {SHARED_FIRST}, {SHARED_SIZE}, 0)
    print(struct.unpack_from("@h", fcntl.fcntl(fd, fcntl.F_GETLK, lock))[0] != fcntl.F_UNLCK, flush=True)
"""


@contextmanager
def asking_for_locks(path: Path) -> Iterator[Callable[[], bool]]:
    """Whether another process sees a lock of ours on the file."""
    command = [sys.executable, "-c", ASK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask() -> bool:
            stdin.write("\n")
            stdin.flush()
            return stdout.readline() == "True\n"

        try:
            yield ask
        finally:
            process.kill()


@pytest.mark.parametrize(("journal", "locks"), [("DELETE", False), ("DELETE", True), ("WAL", True)])
async def test_whether_a_read_locks(
    path: Path, monkeypatch: pytest.MonkeyPatch, journal: str, locks: bool
) -> None:
    """Asked in the middle of the first reads. Where there is one, nothing that was closed meanwhile dropped it."""
    if journal == "DELETE" and locks:
        monkeypatch.setattr(filesystem, "LOCAL", set())
    row = session._Connection.row
    seen: list[bool] = []
    with asking_for_locks(path) as locked, program(path, f"PRAGMA journal_mode = {journal}", INSERT):

        def asked(self: session._Connection, query: Query) -> Row:
            self.create_function("locked", 0, lambda: seen.append(locked()))
            if len(seen) < ASKED and "SELECT" in query.statement:
                row(self, Query("SELECT locked() FROM agent_executions LIMIT 1", {}, 10.0))
            return row(self, query)

        monkeypatch.setattr(session._Connection, "row", asked)
        # The writer of a write-ahead log has a shared lock of its own all the time.
        assert locked() == (journal == "WAL")
        async with following(path) as followed:
            await followed.caught_up()
            assert await followed.executions() == {"a": 301}
    assert seen == [locks] * ASKED


def read_when_asked(path: Path, asked: Connection) -> None:
    """In a process of its own, as a user who owns nothing: at each question, what a scrape says."""

    async def answer() -> None:
        source = DatabaseCollector(path, Config())
        while asked.recv():
            try:
                asked.send(f"{len(await source.collect(1.0))} families")
            except CollectorError as error:
                asked.send(str(error))

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    asyncio.run(answer())


@contextmanager
def unprivileged_scrapes(path: Path) -> Iterator[Callable[[], str]]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=read_when_asked, args=(path, there))
    process.start()

    def scrape() -> str:
        here.send(True)
        assert here.poll(PATIENCE), "no answer"
        said: str = here.recv()
        return said

    try:
        yield scrape
    finally:
        process.kill()
        process.join()


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """A file in a directory that others may enter."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bot.db"
        write_bot(path, agent_executions=executions(3))
        path.parent.chmod(0o555)
        path.chmod(0o444)
        yield path
        path.parent.chmod(0o755)


def beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir() if other != path)


def test_a_file_that_may_only_be_read(shared_path: Path) -> None:
    with unprivileged_scrapes(shared_path) as scrape:
        assert scrape().endswith(" families")


@pytest.mark.parametrize("mode", [0o555, 0o777], ids=["may only be read", "may be written by all"])
def test_no_file_is_made_beside_a_write_ahead_log_database(shared_path: Path, mode: int) -> None:
    """Made by another user than the bot's, they would keep the bot from writing, also after the exporter has gone."""
    shared_path.chmod(0o644)
    shared_path.parent.chmod(0o755)
    execute(shared_path, "PRAGMA journal_mode = WAL", INSERT)
    assert beside(shared_path) == []
    shared_path.parent.chmod(mode)
    with unprivileged_scrapes(shared_path) as scrape:
        assert scrape().endswith(" families")
        assert beside(shared_path) == []
        with program(shared_path, INSERT):
            assert scrape().endswith(" families")
            assert beside(shared_path) == ["bot.db-shm", "bot.db-wal"]
        # Killed: the log is left behind, with its rows.
        assert scrape().endswith(" families")
        assert beside(shared_path) == ["bot.db-shm", "bot.db-wal"]
        assert {shared_path.with_name(name).stat().st_uid for name in beside(shared_path)} == {os.geteuid()}
        shared_path.with_name("bot.db-shm").unlink()
        said = scrape()
        assert "is read as soon as the bot has been started" in said
        assert beside(shared_path) == ["bot.db-wal"]
        execute(shared_path, INSERT)
        assert beside(shared_path) == []
        assert scrape().endswith(" families")
        assert beside(shared_path) == []


async def test_rows_of_a_log_whose_writer_died_are_read(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL")
    with program(path, INSERT):
        pass
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.executions() == {"a": 301}


async def test_an_idle_exporter_keeps_the_bot_from_nothing(path: Path) -> None:
    """Neither from its last checkpoint, without which a copy of the file would lack rows, nor from leaving WAL mode."""
    execute(path, "PRAGMA journal_mode = WAL")
    async with following(path) as followed:
        with closing(sqlite3.connect(path, isolation_level=None)) as bot:
            bot.execute(INSERT)
            await followed.recovered()
            assert await followed.executions() == {"a": 301}
            assert way_of(followed) is Way.LOG
        assert beside(path) == []
        await followed.recovered()
        assert way_of(followed) is Way.UNLOCKED
        execute(path, INSERT)
        await followed.recovered()
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as bot:
            bot.execute(INSERT)
            await followed.recovered()
            assert bot.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
            bot.execute(INSERT)
        await followed.recovered()
        assert await followed.executions() == {"a": 304}
        assert followed.replacements == 0


def test_a_file_that_may_not_be_read(shared_path: Path) -> None:
    shared_path.chmod(0o000)
    with unprivileged_scrapes(shared_path) as scrape:
        assert scrape() == (
            f"{shared_path} cannot be opened: check that the exporter's user may read it and enter its directory"
        )
        shared_path.chmod(0o444)
        assert scrape().endswith(" families")


def test_a_journal_that_may_not_be_read(shared_path: Path) -> None:
    shared_path.chmod(0o644)
    shared_path.parent.chmod(0o755)
    execute(shared_path, "PRAGMA journal_mode = WAL")
    journal = shared_path.with_name("bot.db-journal")
    journal.touch(0o000)
    with unprivileged_scrapes(shared_path) as scrape:
        assert scrape() == f"{shared_path} or what lies beside it cannot be read: Permission denied"
        journal.unlink()
        assert scrape().endswith(" families")
