"""What the exporter may not do to a file: hold it between reads, open it by other means, need to write."""

import asyncio
import multiprocessing
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite import connection as reader
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config

from .bots import append, decisions, execute, executions, trades, write_bot
from .harness import PATIENCE, following

NOBODY = 65534

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "bot.db"
    write_bot(path, agent_executions=executions(300), agent_decisions=decisions(300), trades=trades(300))
    return path


@pytest.fixture
def checked_reads(path, monkeypatch):
    """After each read another program must be able to have the file for itself at once; how many were checked."""
    execute, reads = reader._Connection.execute, []

    def checked(self, statement, parameters=()):
        try:
            return execute(self, statement, parameters)
        finally:
            with closing(sqlite3.connect(path, timeout=0)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                connection.rollback()
            reads.append(statement)

    monkeypatch.setattr(reader._Connection, "execute", checked)
    return reads


async def test_nothing_is_held_between_two_reads(path, checked_reads):
    async with following(path) as followed:
        await followed.caught_up()
        append(path, "agent_executions", executions(3))
        await followed.collect()
        await followed.source._database.revisit(1.0)
        assert await followed.executions() == {"a": 303}
    assert len(checked_reads) > 10


async def test_a_read_that_is_cut_off_holds_nothing(path, checked_reads, monkeypatch):
    monkeypatch.setattr(reader, "STEPS_BETWEEN_CHECKS", 10)
    async with following(path) as followed:
        followed.source._reader.budget = 0
        assert await followed.fails() == f"{path} is read too slowly: 5 reads took over 0.025 s each"
        followed.source._reader.budget = reader.READ_BUDGET
        await followed.recovered()
        assert await followed.executions() == {"a": 300}
    assert len(checked_reads) > 10


opened: list[str] | None = None
"""Files that were opened by other means than SQLite while this is a list."""


def _audit(event: str, arguments: tuple) -> None:
    if event == "open" and opened is not None:
        opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else "")


@contextmanager
def watching_opens() -> Iterator[list[str]]:
    global opened
    if not hasattr(watching_opens, "installed"):
        watching_opens.installed = True  # type: ignore[attr-defined]
        sys.addaudithook(_audit)  # cannot be taken out again
    opened = []
    try:
        yield opened
    finally:
        opened = None


async def test_the_file_is_opened_by_sqlite_only(path):
    """A plain open() and close() would drop the locks that SQLite holds for the process."""
    with watching_opens() as files:
        async with following(path) as followed:
            await followed.caught_up()
            append(path, "agent_executions", executions(3))
            await followed.collect()
            await followed.source.diagnose()
        (path.parent / "seen").touch()
    assert str(path.parent / "seen") in files
    assert not [file for file in files if file.startswith(str(path))]


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
        return here.recv()

    try:
        yield scrape
    finally:
        process.kill()
        process.join()


@pytest.fixture
def shared_path():
    """A file in a directory that others may enter."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bot.db"
        write_bot(path, agent_executions=executions(3))
        path.parent.chmod(0o555)
        path.chmod(0o444)
        yield path
        path.parent.chmod(0o755)


def test_a_file_that_may_only_be_read(shared_path):
    with unprivileged_scrapes(shared_path) as scrape:
        assert scrape().endswith(" families")


def test_a_write_ahead_log_in_a_directory_that_may_only_be_read(shared_path):
    shared_path.chmod(0o644)
    shared_path.parent.chmod(0o755)
    execute(shared_path, "PRAGMA journal_mode = WAL")
    shared_path.parent.chmod(0o555)
    with unprivileged_scrapes(shared_path) as scrape:
        said = scrape()
        assert said.startswith(f"{shared_path} is in WAL mode")
        assert "give the exporter write access to the directory" in said
        shared_path.parent.chmod(0o777)
        assert scrape().endswith(" families")


def test_a_file_that_may_not_be_read(shared_path):
    shared_path.chmod(0o000)
    with unprivileged_scrapes(shared_path) as scrape:
        assert scrape() == (
            f"{shared_path} cannot be opened: check that the exporter's user may read it and enter its directory "
            "(SQLITE_CANTOPEN)"
        )
        shared_path.chmod(0o444)
        assert scrape().endswith(" families")
