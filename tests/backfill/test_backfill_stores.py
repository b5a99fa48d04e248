"""The history in a real Prometheus, and in a real VictoriaMetrics where there is one, which then scrapes the exporter.

Plain SQL says what is right, before the join, across it and after it.
"""

import asyncio
import shutil
import sqlite3
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from collectors.sqlite.bots import executions, write_bot
from tools import free_port, needed

AGENTS = ("slow-agent", "quick-agent")
EVERY = {"slow-agent": 70, "quick-agent": 20}
"""Seconds."""
HOURS = 3
STEP = 60
PATIENCE = 120.0
SERIES = "tweetbot_executions_total"
ADDED = 7
"""Executions of each agent after the join."""


@dataclass(frozen=True)
class Place:
    """Where a test takes place."""

    folder: Path
    bot: Path
    exporter: str
    store: str

    @property
    def labels(self) -> list[str]:
        return ["--label=job=tweetbot", f"--label=instance={self.exporter}"]


async def run(*command: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=DEVNULL)
    assert await process.wait() == 0, command


async def backfill(place: Place, *to: str | Path) -> None:
    command = (sys.executable, "-m", "exporter", "backfill", "--database.path", place.bot)
    await run(*command, *place.labels, *to)


@asynccontextmanager
async def running(*command: str | Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def prometheus(place: Place) -> AsyncIterator[None]:
    """Blocks are made first, as docs/backfill.md says."""
    program, promtool = needed("prometheus"), needed("promtool")
    await backfill(place, "--output", place.folder / "history")
    for file in sorted((place.folder / "history").glob("*.om")):
        await run(promtool, "tsdb", "create-blocks-from", "openmetrics", file, place.folder / "data")
    async with running(
        program,
        f"--config.file={place.folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={place.folder / 'data'}",
        f"--web.listen-address={place.store}",
    ):
        yield


@asynccontextmanager
async def victoria_metrics(place: Place) -> AsyncIterator[None]:
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("VictoriaMetrics is not installed beside this checkout")
    async with running(
        program,
        f"-promscrape.config={place.folder / 'prometheus.yml'}",
        f"-storageDataPath={place.folder / 'data'}",
        f"-httpListenAddr={place.store}",
        "-search.latencyOffset=0s",
        "-search.disableCache",
        "-retentionPeriod=100y",
    ):
        await answering(f"http://{place.store}/health")
        await backfill(place, "--url", f"http://{place.store}")
        yield


async def answering(url: str) -> None:
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as response:
                    if response.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


async def query(place: Place, **parameters: str) -> list[dict[str, Any]]:
    path = "query_range" if "step" in parameters else "query"
    url = f"http://{place.store}/api/v1/{path}"
    async with aiohttp.ClientSession() as session, session.get(url, params=parameters) as response:
        response.raise_for_status()
        found: list[dict[str, Any]] = (await response.json())["data"]["result"]
        return found


async def by_agent(place: Place, expression: str, at: float) -> dict[str, float]:
    found = await query(place, query=f"sum by (agent) ({expression})", time=f"{at}")
    return {each["metric"]["agent"]: float(each["value"][1]) for each in found}


def counted(place: Place, after: float, until: float) -> dict[str, int]:
    """By plain SQL."""
    with closing(sqlite3.connect(place.bot)) as database:
        return dict(
            database.execute(
                "SELECT agent_name, count(*) FROM agent_executions "
                "WHERE unixepoch(timestamp) > ? AND unixepoch(timestamp) <= ? GROUP BY agent_name",
                (after, until),
            )
        )


def write_rows(place: Place, now: float) -> None:
    rows = [
        row | {"timestamp": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}", "agent_name": agent}
        for agent, every in EVERY.items()
        for at, row in zip(range(int(now) - HOURS * 3600, int(now), every), executions(10_000), strict=False)
    ]
    write_bot(place.bot, agent_executions=sorted(rows, key=lambda row: str(row["timestamp"])))


def add_rows(place: Place) -> None:
    with closing(sqlite3.connect(place.bot)) as database, database:
        database.executemany(
            "INSERT INTO agent_executions (timestamp, agent_name, execution_type, success, execution_time_ms) "
            "VALUES (CURRENT_TIMESTAMP, ?, 't', 1, 100)",
            [(agent,) for agent in AGENTS] * ADDED,
        )


async def until_equal(place: Place, expected: dict[str, int]) -> float:
    """Waits for a scrape that has all rows; the moment of the query."""
    async with asyncio.timeout(PATIENCE):
        while True:
            now = time.time()
            try:
                if await by_agent(place, SERIES, now) == expected:
                    return now
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


@pytest.mark.slow("a real store loads the history and scrapes a real exporter")
@pytest.mark.parametrize("store", [prometheus, victoria_metrics], ids=["prometheus", "victoria-metrics"])
async def test_history_and_scrapes_are_one_series(tmp_path: Path, store: Callable[[Place], Any]) -> None:
    place = Place(tmp_path, tmp_path / "bot.db", f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"  - job_name: tweetbot\n    static_configs: [{{targets: ['{place.exporter}']}}]\n"
    )
    began = time.time()
    write_rows(place, began)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(store(place))
        serve = (sys.executable, "-m", "exporter", "--database.path", place.bot)
        await stack.enter_async_context(running(*serve, "--web.listen-address", place.exporter))
        await until_equal(place, counted(place, 0, began))
        add_rows(place)
        now = await until_equal(place, counted(place, 0, began + 3600))
        await check_before_the_join(place, began)
        await check_across_the_join(place, now)


async def check_before_the_join(place: Place, began: float) -> None:
    """A sample for each step, each of them the number of rows so far."""
    first, last = (int(at // STEP * STEP) for at in (began - HOURS * 3600 + 2 * STEP, began))
    found = await query(
        place, query=f"sum by (agent) ({SERIES})", start=f"{first}", end=f"{last}", step=f"{STEP}"
    )
    assert {each["metric"]["agent"] for each in found} == set(AGENTS)
    for each in found:
        values = {int(at): int(value) for at, value in each["values"]}
        agent = each["metric"]["agent"]
        assert values == {at: counted(place, 0, at)[agent] for at in range(first, last + 1, STEP)}


async def check_across_the_join(place: Place, now: float) -> None:
    for hours in (1, 2):
        window = f"{SERIES}[{hours}h]"
        expected = counted(place, now - hours * 3600, now)
        assert await by_agent(place, f"increase({window})", now) == pytest.approx(expected, rel=0.03)
        rates = await by_agent(place, f"rate({window})", now)
        assert {agent: rate * hours * 3600 for agent, rate in rates.items()} == pytest.approx(
            expected, rel=0.03
        )
        assert await by_agent(place, f"resets({window})", now) == dict.fromkeys(AGENTS, 0)
