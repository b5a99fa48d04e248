"""All five sources of real processes: the demo bot's, and Node's with the bridge in it."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tools import GOLDEN, free_port, needed

import exporter
from exporter.collectors import registry
from exporter.collectors.scrape import Scraper
from exporter.config import load
from exporter.demo import DemoBot

from .documents import VALIDATOR, series

NAMES = ("database", "agents", "communication", "self_reports", "system")
SMALL_BOT = GOLDEN / "bot.sql"
REGISTER = Path(exporter.__file__).parent / "bridge" / "register.mjs"

# An orchestrator as the real bot has it: the class is exported, its instance is not.
ORCHESTRATOR = """
class Channel {
  messageQueue = [];
  async sendMessage(from, to, message) {
    this.messageQueue.push(message);
    if (message.lost) throw new Error('lost');
  }
}
class Agent {
  autonomyLevel = 0.8; adaptationCount = 2; decisionHistory = [{}, {}]; recentDecisions = [{}];
  constructor(id) { this.agentId = id; }
  cycleCount = 0; isRunning = true; lastExecutionTime = new Date();
  async evaluateGoalProgress() {
    return { primary: 0.7, secondary: 0.8, tactical: 0.6, overallProgress: 0.7 };
  }
  async getPerformanceMetrics() {
    return { decisionCount: 9, successRate: 90, avgResponseTime: 250, cacheHitRate: 0.5 };
  }
}
class Orchestrator {
  agents = new Map(); agentReputations = new Map(); autonomyLevels = new Map();
  agentCommunicationChannel = new Channel();
  systemLearningRate = 0.15;
  start() {
    for (const id of ['Market Hunter', 'content-creator']) {
      this.agents.set(id, new Agent(id));
      this.agentReputations.set(id, 0.9);
    }
    this.isRunning = true;
    const step = () => this.executeStrategicOrchestrationCycle().catch(() => {});
    this.agenticCycleInterval = setInterval(step, 20);
  }
  async executeStrategicOrchestrationCycle() {
    for (const agent of this.agents.values()) agent.cycleCount += 1;
    await this.agentCommunicationChannel.sendMessage('Market Hunter', 'content-creator', {});
    await this.agentCommunicationChannel.sendMessage('content-creator', 'Market Hunter', { lost: true });
  }
}
new Orchestrator().start();
export default Orchestrator;
"""
BARE = """
class Orchestrator {
  agents = new Map([['solo', {}]]);
  async executeStrategicOrchestrationCycle() {}
  start() { setInterval(() => this.executeStrategicOrchestrationCycle(), 20); }
}
new Orchestrator().start();
export default Orchestrator;
"""


def success(page: dict[str, float], *names: str) -> list[float]:
    return [page[f"scrape_collector_success{{{name}}}"] for name in names or NAMES]


async def pages_until(scraper: Scraper, *keys: str, seconds: float = 20.0) -> dict[str, float]:
    """The first page that has all of these series."""
    end, page = time.monotonic() + seconds, series(await scraper.scrape())
    while missing := [key for key in keys if key not in page]:
        assert time.monotonic() < end, missing
        await asyncio.sleep(0.1)
        page = series(await scraper.scrape())
    return page


async def test_the_demo_shows_all_five_and_survives_what_is_done_to_it(tmp_path: Path) -> None:
    async with DemoBot(directory=tmp_path, history_days=0.5, speed=20) as bot:
        config = load(
            None,
            {
                "database.path": bot.database_path,
                "bridge.url": bot.state_url,
                "bridge.timeout_seconds": 0.5,
            },
        )
        scraper = Scraper(registry.build(config))
        await scraper.start()
        page = await pages_until(
            scraper,
            "recent_success_ratio{market-hunter}",
            "agent_performance_ratio{market-hunter}",
            "agent_coordination_ratio{market-hunter}",
            "reported_success_ratio{market-hunter}",
            "process_heap_used_bytes{unknown}",
        )
        assert success(page) == [1] * 5
        os.kill(bot.pid, signal.SIGSTOP)
        begun = time.monotonic()
        page = series(await scraper.scrape())
        assert time.monotonic() - begun < 40
        # Stopped in the middle of a write, it also keeps the database locked.
        assert success(page)[1:] == [0, 0, 0, 1]
        os.kill(bot.pid, signal.SIGCONT)
        page = await pages_until(scraper, "agent_running{market-hunter}")
        assert success(page)[1:] == [1] * 4
        os.kill(bot.pid, signal.SIGKILL)
        await bot.wait()
        page = series(await scraper.scrape())
        assert success(page)[1:] == [0] * 4
        assert "agent_running{market-hunter}" not in page
        await scraper.close()


@asynccontextmanager
async def node(module: Path, port: int, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    env = {**os.environ, "TWEETBOT_BRIDGE_PORT": str(port), "TWEETBOT_BRIDGE_INTERVAL_SECONDS": "0.2"}
    process = await asyncio.create_subprocess_exec(
        needed("node"), "--import", str(REGISTER), str(module), env=env | environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.node
async def test_node_with_the_bridge(tmp_path: Path) -> None:
    module, port, token = tmp_path / "bot.mjs", free_port(), tmp_path / "token"
    module.write_text(ORCHESTRATOR)
    token.write_text("s3cret-of-the-test\n")
    with sqlite3.connect(tmp_path / "trading.db") as database:
        database.executescript(SMALL_BOT.read_text())
    settings: dict[str, Any] = {
        "database.path": tmp_path / "trading.db",
        "bridge.url": f"http://127.0.0.1:{port}",
        "bridge.token_file": token,
        "bridge.timeout_seconds": 1.0,
    }
    scraper = Scraper(registry.build(load(None, settings)))
    await scraper.start()
    assert success(series(await scraper.scrape()), *NAMES[1:]) == [0] * 4

    async with node(module, port, TWEETBOT_BRIDGE_TOKEN_FILE=str(token)) as process:
        page = await pages_until(
            scraper,
            "recent_success_ratio{market-hunter}",
            "agent_performance_ratio{market-hunter}",
            "reported_success_ratio{market-hunter}",
        )
        assert success(page) == [1] * 5
        assert page["agent_reputation_ratio{market-hunter}"] == 0.9
        assert page["agent_goal_progress_ratio{market-hunter,overall}"] == 0.7
        assert page["agent_autonomy_ratio{market-hunter}"] == 0.8
        assert page["agent_adaptations_total{content-creator}"] == 2
        assert page["messages_total{market-hunter,content-creator}"] > 0
        assert page["messages_failed_total{content-creator,market-hunter}"] > 0
        assert page["agent_coordination_ratio{market-hunter}"] == 1
        assert page["agent_coordination_ratio{content-creator}"] < 0.5
        assert page["orchestrator_cycles_failed_total"] > 0
        assert page["reported_success_ratio{market-hunter}"] == 0.9
        assert page["reported_response_time_seconds{market-hunter}"] == 0.25
        assert page["process_threads{bot}"] > 1
        assert page["process_start_time_seconds{bot}"] == pytest.approx(time.time(), abs=30)
        again = series(await scraper.scrape())
        assert all(again[key] >= page[key] for key in page if key.partition("{")[0].endswith("_total"))

        os.kill(process.pid, signal.SIGSTOP)
        assert success(series(await scraper.scrape()), *NAMES[1:]) == [0, 0, 0, 1]
        os.kill(process.pid, signal.SIGCONT)
        page = await pages_until(scraper, "agent_running{market-hunter}")
        assert success(page, *NAMES[1:]) == [1] * 4
    assert success(series(await scraper.scrape()), *NAMES[1:]) == [0] * 4

    async with node(module, port, TWEETBOT_BRIDGE_TOKEN_FILE=str(token)):
        restarted = await pages_until(scraper, "agent_cycles_total{market-hunter}")
        assert restarted["process_start_time_seconds{bot}"] > page["process_start_time_seconds{bot}"]
    async with node(module, port, TWEETBOT_BRIDGE_TOKEN="another"):
        states: list[str] = []
        async with asyncio.timeout(20):
            while not any("wants another token" in state for state in states):
                await asyncio.sleep(0.1)
                await scraper.scrape()
                states = [state.error for state in scraper.statuses()]
    await scraper.close()


@pytest.mark.node
async def test_node_with_an_orchestrator_that_has_none_of_it(tmp_path: Path) -> None:
    module, port = tmp_path / "bot.mjs", free_port()
    module.write_text(BARE)
    scraper = Scraper(registry.build(load(None, {"bridge.url": f"http://127.0.0.1:{port}"})))
    async with node(module, port):
        page = await pages_until(scraper, "orchestrator_cycles_total")
        assert success(page, *NAMES[1:]) == [1] * 4
        names = {key.partition("{")[0] for key in page}
        assert not {name for name in names if name.startswith(("agent_", "messages", "reported", "nego"))}
        assert all(page[key] == 0 for key in page if key.startswith("bridge_malformed"))
    await scraper.close()


@pytest.mark.node
async def test_the_nodes_document_fits_the_schema(tmp_path: Path) -> None:
    from exporter.http.client import FetchError, fetch_json

    module, port = tmp_path / "bot.mjs", free_port()
    module.write_text(ORCHESTRATOR)
    async with node(module, port), asyncio.timeout(20):
        while True:
            try:
                found = await fetch_json(f"http://127.0.0.1:{port}/state", 2)
            except FetchError:
                found = {}
            if found.get("selfReports"):
                break
            await asyncio.sleep(0.1)
    VALIDATOR.validate(found)
