"""The bot is not disturbed: a real writer that waits 1000 ms for a lock, beside the exporter on a large file.

The writer counts how often it was told that the file is locked. That does not depend on how busy the machine is; how
long commits took does, and is shown with the same commits alone beside it: run with -s. LOCK_TEST_SCALE=4 makes it as
long as it was for the figures in docs/performance.md.
"""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tools import ROOT, free_port

pytestmark = [
    pytest.mark.slow("a bot commits 5,000 times, and an exporter is stopped again and again"),
    pytest.mark.timeout(900),
]

EXECUTIONS = 300_000
DECISIONS = 10_000
SCALE = float(os.environ.get("LOCK_TEST_SCALE", "1"))
COMMITS = int(5000 * SCALE)
STOPS = int(12.5 * SCALE)
DISTURBED = 10 * SCALE
"""Seconds."""
STOPPED = 1.2
"""Seconds, more than the bot waits for."""
FAILED = 0.05
"""The share of scrapes that may fail, with the reason, beside a bot that leaves 1 ms between two commits: the bot goes
first, and a machine that does other things as well may leave no moment to read in all the time that a scrape has."""
WAL_BOUND = 32 * 2**20
"""Bytes. SQLite checkpoints after 1000 pages, that is 4 MiB; without a checkpoint this writer makes far more."""

# The disk's own time is not what is measured here, so SQLite does not wait for it.
WRITER = """
import json, sqlite3, sys, threading, time
path, journal, gap, most = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
connection = sqlite3.connect(path, timeout=0, isolation_level=None)
connection.execute(f"PRAGMA journal_mode = {journal}")
connection.execute("PRAGMA synchronous = OFF")
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
waits, failures, locked = [], [], 0

def patiently(*statement):
    global locked
    began = time.monotonic()
    while True:
        try:
            return connection.execute(*statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 255 != sqlite3.SQLITE_BUSY or time.monotonic() - began > 1.0:
                raise
            locked += 1
            time.sleep(0.001)

while len(waits) < most and not stopped.wait(gap):
    began = time.perf_counter()
    try:
        patiently("BEGIN IMMEDIATE")
        patiently(
            "INSERT INTO agent_executions (timestamp, agent_name, execution_type, output_data, success, "
            "execution_time_ms) VALUES (datetime(), 'market-hunter', 'scan', '{\\"confidence\\":0.8}', 1, 900)")
        patiently(
            "UPDATE agent_decisions SET outcome = json_patch(outcome, '{\\"success\\":true}') WHERE rowid = ?",
            (1 + len(waits) % 10000,))
        patiently("COMMIT")
    except sqlite3.OperationalError as error:
        failures.append(str(error))
        connection.rollback()
    waits.append(time.perf_counter() - began)
connection.close()
print(json.dumps({"commits": len(waits), "failures": failures, "locked": locked, "longest": round(max(waits), 4)}))
"""


def make_file(path: Path) -> None:
    """A history of the bot's real shape, a little shorter in its JSON."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(
        """
        CREATE TABLE agent_executions (
          id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME, agent_name VARCHAR(100) NOT NULL,
          execution_type VARCHAR(50) NOT NULL, input_data TEXT, output_data TEXT, success BOOLEAN,
          execution_time_ms INTEGER, error_message TEXT);
        CREATE TABLE agent_decisions (
          id VARCHAR(50) PRIMARY KEY, timestamp DATETIME, agent TEXT, type TEXT, context TEXT, reasoning TEXT,
          outcome TEXT, agent_state TEXT, system TEXT, feedback TEXT);
        """
    )
    counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    connection.execute(
        counted
        + "INSERT INTO agent_executions (timestamp, agent_name, execution_type, output_data, success, "
        "execution_time_ms) SELECT datetime(1700000000 + i, 'unixepoch'), 'agent-' || (i % 12), "
        "CASE i % 3 WHEN 0 THEN 'scan' ELSE 'decision_cycle' END, "
        """'{"action":"HOLD","confidence":75,"signalsGenerated":2,"reasoning":"waiting"}', i % 20 > 0, i % 3000 """
        "FROM n",
        (EXECUTIONS,),
    )
    connection.execute(
        counted + "INSERT INTO agent_decisions SELECT 'dec_' || i, "
        "strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i, 'unixepoch'), 'agent-' || (i % 12), 'SCAN', '{}', "
        """'{"confidence":0.7,"riskAssessment":"low","alternatives":[]}', '{"success":null}', """
        """'{"autonomyLevel":0.9}', '{"interAgentCommunication":[]}', '{"learningAdjustments":[]}' FROM n""",
        (DECISIONS,),
    )
    connection.commit()
    connection.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lock") / "source.db"
    make_file(path)
    return path


@pytest.fixture
def path(source: Path) -> Any:
    path = source.with_name("bot.db")
    shutil.copyfile(source, path)
    yield path
    for each in source.parent.glob("bot.db*"):
        each.unlink()


class Writer:
    """A bot that commits all the time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def seen(self, stop: bool = False) -> dict[str, Any]:
        """What it saw, after the commits that it was to make, or as soon as it is stopped."""
        if not stop:
            assert self._process.stdout is not None
            return dict(json.loads(await self._process.stdout.readline()))
        out, _ = await self._process.communicate(b"")
        return dict(json.loads(out))


@asynccontextmanager
async def writing(path: Path, journal: str, gap: float = 0.005, most: int = 10**9) -> AsyncIterator[Writer]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), journal, str(gap), str(most), stdin=pipe, stdout=pipe
    )
    try:
        yield Writer(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Exporter:
    """`tweetbot-exporter serve` in a process of its own, scraped four times a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._url = f"http://127.0.0.1:{free_port()}"
        self.failed: list[str] = []
        """What each failed scrape said."""
        self.scrapes = 0
        self.page: dict[tuple[str, str], float] = {}

    async def __aenter__(self) -> "Exporter":
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "exporter", f"--database.path={self._path}", "--log.level=error",
            f"--web.listen-address={self._url.removeprefix('http://')}", cwd=ROOT,
        )  # fmt: skip
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60))
        while not await self._answers():
            await asyncio.sleep(0.1)
        self._scraping = asyncio.create_task(self._scrape())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._scraping.cancel()
        await self._session.close()
        self.process.kill()
        await self.process.wait()

    async def _answers(self) -> bool:
        try:
            async with self._session.get(f"{self._url}/-/healthy") as response:
                return response.status == 200
        except aiohttp.ClientConnectorError:
            assert self.process.returncode is None, "the exporter is gone"
            return False

    async def ready(self) -> bool:
        async with self._session.get(f"{self._url}/-/ready") as response:
            return response.status == 200

    async def _why(self) -> str:
        async with self._session.get(f"{self._url}/") as response:
            return ", ".join(re.findall(r"failed: [^<]*", await response.text()))

    async def _scrape(self) -> None:
        while True:
            self.page = await self.scrape()
            self.scrapes += 1
            if not self.page["tweetbot_scrape_collector_success", "database"]:
                self.failed.append(await self._why())
            await asyncio.sleep(0.25)

    async def scrape(self) -> dict[tuple[str, str], float]:
        """Values by sample name and its le, else its other labels' values."""
        async with self._session.get(f"{self._url}/metrics") as response:
            text = await response.text()
        return {
            (sample.name, sample.labels.get("le") or "/".join(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def caught_up(self) -> None:
        while not await self.ready():
            await asyncio.sleep(0.5)


def show(record_property: Any, **report: Any) -> None:
    print(report)
    record_property("lock", report)


def copy_of(path: Path) -> Path:
    copy = path.with_name("bot.db-alone")
    shutil.copyfile(path, copy)
    return copy


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF", "WAL"])
async def test_no_commit_waits(journal: str, path: Path, record_property: Any) -> None:
    async with writing(copy_of(path), journal, 0.001, COMMITS // 10) as bot:
        alone = await bot.seen()
    wal, largest_wal = Path(f"{path}-wal"), 0
    async with Exporter(path) as exporter:
        async with writing(path, journal, 0.001, COMMITS) as bot:
            seeing = asyncio.create_task(bot.seen())
            while not seeing.done():
                await asyncio.sleep(0.2)
                largest_wal = max(largest_wal, wal.stat().st_size if wal.exists() else 0)
            beside = seeing.result()
        await exporter.caught_up()
        page = await exporter.scrape()
        scrapes, failed = exporter.scrapes, exporter.failed
    executions = sum(value for (name, _), value in page.items() if name == "tweetbot_executions_total")
    reads = page["tweetbot_database_read_duration_seconds_count", ""]
    show(record_property, journal=journal, alone=alone, beside=beside, reads=reads, wal=largest_wal,
         scrapes=scrapes, failed=failed)  # fmt: skip
    assert beside["failures"] == []
    assert beside["locked"] == 0
    assert beside["commits"] == COMMITS
    assert largest_wal < WAL_BOUND
    assert len(failed) <= FAILED * scrapes
    assert all("stayed locked" in why or "written to without a pause" in why for why in failed)
    assert executions == EXECUTIONS + COMMITS


async def stopped_at_random(exporter: Exporter) -> None:
    """As a debugger, the freezer of a cgroup or `docker pause` stops it."""
    chance = random.Random(1)
    for _ in range(STOPS):
        await asyncio.sleep(0.1 + chance.random() * 0.3)
        exporter.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED)
        exporter.process.send_signal(signal.SIGCONT)


def quota(share: float, period: float) -> Callable[[Exporter], Awaitable[None]]:
    """As the kernel does with a CPU quota: it runs for its share of each period, and is stopped for the rest."""

    async def limited(exporter: Exporter) -> None:
        ended = time.monotonic() + DISTURBED
        while time.monotonic() < ended:
            exporter.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(share * period)
            exporter.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep((1 - share) * period)
        exporter.process.send_signal(signal.SIGCONT)

    return limited


async def beside_busy_loops(_exporter: Exporter) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(4):
            loop = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
            stack.push_async_callback(loop.wait)
            stack.callback(loop.kill)
        await asyncio.sleep(DISTURBED)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
@pytest.mark.parametrize(
    "disturbed",
    [
        pytest.param(stopped_at_random, id="stopped at random moments"),
        pytest.param(quota(0.1, 0.1), id="10 % of 100 ms"),
        pytest.param(quota(0.04, 0.5), id="4 % of 500 ms"),
        pytest.param(quota(0.05, 1.0), id="5 % of 1 s"),
        pytest.param(beside_busy_loops, id="four busy loops"),
    ],
)
async def test_no_commit_waits_for_an_exporter_that_is_stopped(
    disturbed: Callable[[Exporter], Awaitable[None]], journal: str, path: Path, record_property: Any
) -> None:
    async with writing(copy_of(path), journal) as bot:
        await asyncio.sleep(DISTURBED / 4)
        alone = await bot.seen(stop=True)
    async with Exporter(path) as exporter, writing(path, journal) as bot:
        await asyncio.sleep(1)
        await disturbed(exporter)
        beside = await bot.seen(stop=True)
        reads = exporter.page["tweetbot_database_read_duration_seconds_count", ""]
    show(record_property, journal=journal, alone=alone, beside=beside, reads=reads)
    assert beside["failures"] == []
    assert beside["locked"] == 0
    assert reads > 0
