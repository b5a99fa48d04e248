"""The file's writer: replaces only its own files, keeps them sound, and dies of a lock as the bot does."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from demo.simulated import read, simulate
from exporter.demo import DemoError
from exporter.demo.errors import LockedError
from exporter.demo.transaction import Transaction
from exporter.demo.writer import BUSY_SECONDS, LiveFile, refuse_foreign, write_history


def test_an_earlier_demo_is_replaced(demo_file: Path) -> None:
    before = demo_file.stat().st_ino
    write_history(demo_file.parent, simulate(seed=2, history_days=0.5).advance(0))
    assert demo_file.stat().st_ino != before
    assert read(demo_file, "PRAGMA integrity_check") == [("ok",)]
    assert [path.name for path in demo_file.parent.iterdir()] == ["trading.db"]


@pytest.mark.parametrize("content", [b"", b"not a database", b"x" * 5000])
def test_another_file_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trading.db"
    path.write_bytes(content)
    with pytest.raises(DemoError, match="was not written by the demo: choose another directory"):
        write_history(tmp_path, [])
    assert path.read_bytes() == content


def test_a_real_bots_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trading.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE portfolio (id INTEGER)")
    with pytest.raises(DemoError, match="choose another directory"):
        refuse_foreign(path)


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trading.db").mkdir()
    with pytest.raises(DemoError, match="cannot be read"):
        refuse_foreign(tmp_path / "trading.db")


def test_a_killed_demos_journal_does_not_reach_the_next_file(demo_file: Path) -> None:
    journal = demo_file.with_name("trading.db-journal")
    with closing(sqlite3.connect(demo_file, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute("UPDATE agent_executions SET execution_type = 'lost'")
        torn = journal.read_bytes()
        connection.execute("ROLLBACK")
    journal.write_bytes(torn)
    write_history(demo_file.parent, simulate(history_days=0.5).advance(0))
    assert not journal.exists()
    assert read(demo_file, "PRAGMA integrity_check") == [("ok",)]


def test_a_failure_while_writing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="cannot write"):
        write_history(tmp_path / "missing", [])


def test_live_transactions_are_committed_one_by_one(demo_file: Path, a_transaction: Transaction) -> None:
    rows = "SELECT count(*) FROM market_data"
    before = read(demo_file, rows)[0][0]
    file = LiveFile(demo_file)
    for committed in range(3):
        file.commit(a_transaction)
        assert read(demo_file, rows) == [(before + committed + 1,)]
    file.close()
    assert read(demo_file, "PRAGMA journal_mode") == [("delete",)]
    assert not demo_file.with_name("trading.db-journal").exists()


@contextmanager
def a_read(path: Path, seconds: float = 60) -> Iterator[None]:
    """A read that has begun, and ends after so long or with the block."""
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM trades").fetchall()
            begun.set()
            over.wait(seconds)
            connection.execute("COMMIT")

    reading = threading.Thread(target=hold)
    reading.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        reading.join()


def test_a_short_read_is_waited_for(demo_file: Path, a_transaction: Transaction) -> None:
    with a_read(demo_file, 0.2):
        file = LiveFile(demo_file)
        file.commit(a_transaction)
        file.close()


def test_a_long_read_is_fatal_after_a_second(demo_file: Path, a_transaction: Transaction) -> None:
    with a_read(demo_file):
        file, begin = LiveFile(demo_file), time.monotonic()
        with pytest.raises(LockedError, match=r"database is locked.*the real bot dies of this"):
            file.commit(a_transaction)
        assert time.monotonic() - begin >= BUSY_SECONDS * 0.9
        file.close()
