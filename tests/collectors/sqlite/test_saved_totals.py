"""Totals over restarts: what was saved and what came since is what an exporter that never stopped would show."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tools import REAL_DATA, ROOT

from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.collectors.sqlite.saved_totals import FORMAT_VERSION
from exporter.config import Config, load
from exporter.runtime.state_file import StateFile

from .harness import NOW, Followed, differing_lines

KILLS = int(os.environ.get("TWEETBOT_TEST_KILLS", "12"))
TABLE = """
CREATE TABLE agent_executions (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME, agent_name TEXT,
  execution_type TEXT, output_data TEXT, success BOOLEAN, execution_time_ms INTEGER, error_message TEXT);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database = tmp_path / "bot" / "trading.db"
    database.parent.mkdir()
    (tmp_path / "totals").mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((ROOT / "tests" / "golden" / "bot.sql").read_text())
    return database


def configured(path: Path, **flags: object) -> Config:
    return load(None, {"storage.path": path.parent.parent / "totals", **flags})


@asynccontextmanager
async def run(path: Path, config: Config) -> AsyncIterator[Followed]:
    """An exporter from its start to its end."""
    collector = DatabaseCollector(path, config, lambda: NOW)
    await collector.start()
    try:
        yield await Followed(collector).caught_up()
    finally:
        await collector.close()


def executions(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO agent_executions (timestamp, agent_name, execution_type, success, execution_time_ms) "
            "VALUES ('2025-10-14 10:00:00', ?, 'scan', ?, ?)",
            [(f"agent-{each % 3}", each % 2, each) for each in range(number)],
        )


def changed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


async def test_a_restart_shows_the_same_page(path: Path) -> None:
    async with run(path, configured(path)) as before:
        page = await before.page()
    with capture_logs() as logged:
        async with run(path, configured(path)) as after:
            assert differing_lines(await after.page(), page) == []
    assert "table caught up" not in [event["event"] for event in logged]


async def test_pruned_rows_stay_counted_over_restarts(path: Path) -> None:
    executions(path, 50)
    async with run(path, configured(path)) as before:
        counted = await before.executions()
    changed(path, "DELETE FROM agent_executions WHERE id <= 40")
    executions(path, 3)
    async with run(path, configured(path)) as after:
        expected = {name: rows + name.startswith("agent-") for name, rows in counted.items()}
        assert await after.executions() == expected
        assert after.replacements == 0


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no {REAL_DATA} beside this checkout")
@pytest.mark.parametrize("name", ["three-days", "orchestrator-only-32-cycles", "old-layout", "fresh-start"])
async def test_real_files_over_a_restart(path: Path, name: str) -> None:
    shutil.copyfile(REAL_DATA / f"{name}.db", path)
    async with run(path, configured(path)) as before:
        page = await before.page()
    async with run(path, configured(path)) as after:
        assert differing_lines(await after.page(), page) == []


async def test_another_file_at_the_path_is_read_from_the_start(path: Path) -> None:
    executions(path, 20)
    async with run(path, configured(path)):
        pass
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLE)
    executions(path, 5)
    with capture_logs() as logged:
        async with run(path, configured(path)) as after:
            assert sum((await after.executions()).values()) == 5
            assert after.replacements == 0
    assert [event["event"] for event in logged if event["log_level"] == "warning"] == [
        "saved totals do not fit the database: it is read from the start"
    ]


@pytest.mark.parametrize(
    ("flags", "why"),
    [({"database.window": 7}, "other settings"), ({"agents.aliases": {"a": "b"}}, "other settings")],
)
async def test_other_settings_are_a_first_catch_up(path: Path, flags: dict[str, object], why: str) -> None:
    async with run(path, configured(path)):
        pass
    with capture_logs() as logged:
        async with run(path, configured(path, **flags)) as after:
            page = await after.page()
    assert [event["why"] for event in logged if event["event"].startswith("saved totals left out")] == [why]
    shutil.rmtree(path.parent.parent / "totals")
    (path.parent.parent / "totals").mkdir()
    async with run(path, configured(path, **flags)) as fresh:
        assert differing_lines(await fresh.page(), page) == []


async def test_damage_is_a_first_catch_up(path: Path) -> None:
    async with run(path, configured(path)) as before:
        page = await before.page()
    (saved,) = (path.parent.parent / "totals").iterdir()
    saved.write_bytes(saved.read_bytes()[:-7])
    with capture_logs() as logged:
        async with run(path, configured(path)) as after:
            assert differing_lines(await after.page(), page) == []
    assert [event["event"] for event in logged if event["log_level"] == "warning"] == [
        "saved totals left out, the whole history is read again"
    ]


async def test_a_directory_that_cannot_be_written_costs_one_line(path: Path) -> None:
    shutil.rmtree(path.parent.parent / "totals")
    with capture_logs() as logged:
        async with run(path, configured(path)) as followed:
            assert await followed.page()
    warnings = [event for event in logged if event["log_level"] == "warning"]
    assert [event["event"] for event in warnings] == ["totals could not be saved"]


async def test_without_a_directory_nothing_is_written_and_the_log_says_what_that_costs(path: Path) -> None:
    with capture_logs() as logged:
        async with run(path, Config()):
            pass
    assert next(event["event"] for event in logged).startswith("totals are not saved: every start reads")
    assert [each.name for each in path.parent.iterdir()] == ["trading.db"]
    assert list((path.parent.parent / "totals").iterdir()) == []


PROGRAM = """
import asyncio, sys
from pathlib import Path
from exporter.collectors.sqlite import collector, saved_totals
from exporter.config import load
from exporter.runtime import logging
logging.configure("error", "logfmt")
saved_totals.SAVE_INTERVAL, collector.PATIENCE = 0.05, 0.02
async def main():
    path, totals = map(Path, sys.argv[1:])
    follower = collector.DatabaseCollector(path, load(None, {"storage.path": totals}), lambda: %f)
    await follower.start()
    print("started", flush=True)
    while True:
        await follower.collect(5)
        await asyncio.sleep(0.02)
asyncio.run(main())
"""


@pytest.mark.slow("starts and kills a real process KILLS times")
@pytest.mark.timeout(60 + 10 * KILLS)
async def test_kills_at_random_moments_lose_nothing(path: Path) -> None:
    """Beside a writer and pruning; compared with an exporter that never stopped."""
    chance = random.Random(7)
    totals = path.parent.parent / "totals"
    async with run(path, Config()) as never_stopped:
        for _ in range(KILLS):
            process = await asyncio.to_thread(start, path, totals)
            until = asyncio.get_running_loop().time() + chance.uniform(0.0, 1.0)
            while asyncio.get_running_loop().time() < until:
                executions(path, chance.randint(1, 20))
                await never_stopped.collect()
                prune(path, totals)
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.communicate)
        expected = await never_stopped.page()
    async with run(path, configured(path)) as restarted:
        assert differing_lines(await restarted.page(), expected) == []


def start(path: Path, totals: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM % NOW, str(path), str(totals)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def prune(path: Path, totals: Path) -> None:
    """Deletes what was saved, but for the newest rows, as a bot that keeps its table short does."""
    for file in totals.glob("database-*"):
        if file.suffix:
            continue
        saved = StateFile(file, FORMAT_VERSION).load()
        assert saved is not None
        position = saved["tables"].get("agent_executions", {}).get("position") or 0
        changed(path, f"DELETE FROM agent_executions WHERE id <= {int(position) - 200}")
