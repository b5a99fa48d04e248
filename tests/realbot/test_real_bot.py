"""The public bot itself, unmodified, all five processes: `TWEETBOT_DIR=… pytest tests/realbot`.

The directory has to have its dependencies installed (`npm install`). A copy is run, with a database of its own, without
network, and with shortened timers.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from collectors.bridge.documents import VALIDATOR, Document, series
from tools import free_port

import exporter
from exporter.cli.check_table import diagnose
from exporter.collectors import registry
from exporter.collectors.scrape import Scraper
from exporter.config import load
from exporter.http.client import fetch_json

REGISTER = Path(exporter.__file__).parent / "bridge" / "register.mjs"
NETWORK = Path(__file__).with_name("network.mjs")
PROCESSES = {
    "real-time-server": ("node", "real-time-server.js"),
    "true-agentic-orchestrator": ("node", "true-agentic-orchestrator.js"),
    "intelligent-execution-agent": ("node", "intelligent-execution-agent.js"),
    "execution-agent": ("node", "execution-agent.js"),
    "start-autonomous-market-hunter": ("node_modules/.bin/tsx", "start-autonomous-market-hunter.ts"),
}
AGENTS_OF_THE_ORCHESTRATOR = 5
SECONDS = 90.0

pytestmark = [
    pytest.mark.slow("runs the public bot's five processes"),
    pytest.mark.skipif(
        "TWEETBOT_DIR" not in os.environ,
        reason="TWEETBOT_DIR names no copy of the public bot, and none is beside this checkout",
    ),
]


class RealBot:
    """The processes of a copy of the bot, their sockets and their database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sockets = directory / "sockets"
        self.database = directory / "database" / "trading.db"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.sockets.mkdir()
        with sqlite3.connect(self.database) as database:
            database.executescript((self.directory / "database" / "schema.sql").read_text())
        environment = {
            **os.environ,
            "NODE_OPTIONS": f"--import {NETWORK} --import {REGISTER}",
            "PORT": str(free_port()),
            "TWEETBOT_BRIDGE_SOCKET_DIRECTORY": str(self.sockets),
            "TWEETBOT_BRIDGE_INTERVAL_SECONDS": "1",
        }
        for name, command in PROCESSES.items():
            with (self.directory / f"{name}.out").open("wb") as out:
                self._running.append(
                    subprocess.Popen(
                        command,
                        cwd=self.directory,
                        env=environment,
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                    )
                )

    def stop(self) -> None:
        for process in self._running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def query(self, sql: str) -> dict[str, float]:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            return dict(database.execute(sql).fetchall())

    async def document(self, name: str) -> Document:
        found: Document = await fetch_json(f"unix:{self.sockets / name}.sock:/state", 5)
        return found


@pytest.fixture
async def bot() -> AsyncIterator[RealBot]:
    """In a directory with a short path: that of a socket may have 107 bytes."""
    source = Path(os.environ["TWEETBOT_DIR"])
    directory = Path(tempfile.mkdtemp(prefix="bot-"))
    ignored = shutil.ignore_patterns("node_modules", ".git", "*.db", "*.db-*")
    shutil.copytree(source, directory, ignore=ignored, dirs_exist_ok=True)
    (directory / "node_modules").symlink_to((source / "node_modules").resolve())
    running = RealBot(directory)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(directory)


async def until_all_answer(scraper: Scraper) -> dict[str, float]:
    end = time.monotonic() + SECONDS
    while True:
        page = series(await scraper.scrape())
        up = {name for name in PROCESSES if page.get(f"bridge_up{{{name}}}") == 1}
        has_reports = "reported_value{market-hunter,config.learningRate}" in page
        if up == PROCESSES.keys() and has_reports and page.get("orchestrator_cycles_total", 0) >= 2:
            return page
        assert time.monotonic() < end, PROCESSES.keys() - up
        await asyncio.sleep(1)


async def test_five_processes_against_an_independent_probe(bot: RealBot) -> None:
    settings = {"database.path": bot.database, "bridge.socket_directory": bot.sockets}
    scraper = Scraper(registry.build(load(None, settings)))
    await scraper.start()
    page = await until_all_answer(scraper)
    for name in PROCESSES:
        document = await bot.document(name)
        VALIDATOR.validate(document)
        process = psutil.Process(document["process"]["pid"])
        assert page[f"process_start_time_seconds{{{name}}}"] == pytest.approx(process.create_time(), abs=5)
        assert page[f"process_resident_memory_bytes{{{name}}}"] == pytest.approx(
            process.memory_info().rss, rel=0.5
        )
        assert [Path(each["path"]) for each in document["process"]["databases"]] == [bot.database.resolve()]
    assert page["agent_running{intelligent-execution-agent}"] == 1
    assert page["agent_running{execution-agent}"] == 1
    assert page["reported_value{market-hunter,config.learningRate}"] == 0.1
    assert page["agent_autonomy_ratio{content-creator}"] > 0
    assert page["orchestrator_info{end_mark}"] == 1
    await check_the_database(bot, scraper)
    await check_that_noise_is_left_out(scraper)
    await scraper.close()
    await check_that_names_meet(settings)


async def check_that_noise_is_left_out(scraper: Scraper) -> None:
    """The bot's evaluateGoalProgress() is a random number: five pairs of readings tell so."""
    end = time.monotonic() + SECONDS
    while True:
        page = series(await scraper.scrape())
        noise = [value for key, value in page.items() if key.startswith("agent_goal_progress_noise_ratio")]
        made_of_it = [
            key for key in page if key.startswith(("agent_goal_progress_ratio", "agent_performance"))
        ]
        if len(noise) == AGENTS_OF_THE_ORCHESTRATOR and not made_of_it:
            assert min(noise) > 0.05
            return
        assert time.monotonic() < end, made_of_it
        await asyncio.sleep(1)


async def check_that_names_meet(settings: dict[str, Path]) -> None:
    rows = await diagnose(registry.build(load(None, settings)))
    stored = {agent for name, finding in rows if name == "database" for agent in finding.agents}
    live = {agent for name, finding in rows if name != "database" for agent in finding.agents}
    assert "strategic-orchestrator" in stored
    assert stored <= live


async def check_the_database(bot: RealBot, scraper: Scraper) -> None:
    """Rows go on being written: what is counted lies between two looks at the file."""
    sql = "SELECT agent_name, count(*) FROM agent_executions GROUP BY 1"
    before = bot.query(sql)
    page = series(await scraper.scrape())
    after = bot.query(sql)
    for name in before:
        label = name.lower().replace(" ", "-").replace("autonomous-market-hunter", "market-hunter")
        counted = sum(value for key, value in page.items() if key.startswith(f"executions_total{{{label},"))
        assert before[name] <= counted <= after[name], json.dumps(page)
