"""A bot of several processes: their pages merged, one missing costs only itself, another bot's is refused."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.collectors import registry
from exporter.collectors.bridge.merging import merged
from exporter.collectors.scrape import Scraper
from exporter.config import Config, load
from exporter.config.errors import ConfigError

from .documents import PROCESS, VALIDATOR, Document, document, series, whole

OTHER_START = 2000.0


class Processes:
    """Bridges on sockets in a directory, by process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._runners: dict[str, web.AppRunner] = {}
        self._documents: dict[str, Document] = {}

    async def start(self, name: str, shown: Document) -> None:
        self._documents[name] = shown

        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.path == "/state"
            return web.Response(text=json.dumps(self._documents[name]), content_type="application/json")

        app = web.Application()
        app.router.add_get("/state", answer)
        runner = self._runners[name] = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(self.directory / f"{name}.sock")).start()

    async def kill(self, name: str) -> None:
        """Its socket stays behind."""
        path = self.directory / f"{name}.sock"
        await self._runners.pop(name).cleanup()
        left = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        left.bind(str(path))
        left.close()

    async def end(self, name: str) -> None:
        """It takes its socket away."""
        await self._runners.pop(name).cleanup()
        (self.directory / f"{name}.sock").unlink(missing_ok=True)

    async def stop(self) -> None:
        for runner in self._runners.values():
            await runner.cleanup()

    def scraper(self, **more: Any) -> Scraper:
        return Scraper(registry.build(load(None, {"bridge.socket_directory": self.directory, **more})))


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    found = Processes(tmp_path)
    yield found
    await found.stop()


def named(name: str, shown: Document, **process: Any) -> Document:
    return shown | {"process": {**shown["process"], "name": name, **process}}


def hunter() -> Document:
    return named(
        "hunter",
        document(
            agents=[{"id": "autonomous-hunter", "running": True}],
            selfReports=[{"agent": "autonomous-hunter", "time": 1.0, "report": {"successRate": 0.5}}],
        ),
        pid=43,
        startTime=OTHER_START,
    )


async def test_the_pages_of_all_processes_are_one(processes: Processes) -> None:
    VALIDATOR.validate(hunter())
    await processes.start("server", named("server", document()))
    await processes.start("orchestrator", named("orchestrator", whole()))
    await processes.start("hunter", hunter())
    page = series(await processes.scraper().scrape())
    assert {key: page[key] for key in page if key.startswith(("bridge_up", "scrape_collector_success"))} == {
        "bridge_up{server}": 1,
        "bridge_up{orchestrator}": 1,
        "bridge_up{hunter}": 1,
        **{
            f"scrape_collector_success{{{name}}}": 1
            for name in ("agents", "communication", "self_reports", "system")
        },
    }
    assert page["process_start_time_seconds{hunter}"] == OTHER_START
    assert page["process_start_time_seconds{orchestrator}"] == PROCESS["startTime"]
    assert page["process_cpu_seconds_total{server,user}"] == PROCESS["cpu"]["user"]
    assert page["agent_running{autonomous-hunter}"] == 1
    assert page["agent_running{market-hunter}"] == 1
    assert page["reported_success_ratio{autonomous-hunter}"] == 0.5
    assert page["reported_success_ratio{market-hunter}"] == 0.95
    assert page["messages_total{market-hunter,content-creator}"] == 8


async def test_a_process_that_is_gone_costs_only_itself(processes: Processes) -> None:
    await processes.start("orchestrator", named("orchestrator", whole()))
    await processes.start("hunter", hunter())
    scraper = processes.scraper()
    await scraper.scrape()
    await processes.kill("hunter")
    page = series(await scraper.scrape())
    assert page["bridge_up{hunter}"] == 0
    assert page["bridge_up{orchestrator}"] == 1
    assert page["scrape_collector_success{agents}"] == 1
    assert "process_start_time_seconds{hunter}" not in page
    assert "agent_running{autonomous-hunter}" not in page
    assert page["agent_running{market-hunter}"] == 1


def bridges(page: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in page.items() if name.startswith("bridge_up")}


async def test_where_the_sockets_are_gone_every_process_is_down(processes: Processes) -> None:
    await processes.start("hunter", hunter())
    scraper = processes.scraper()
    assert bridges(series(await scraper.scrape())) == {"bridge_up{hunter}": 1}
    await processes.end("hunter")
    page = series(await scraper.scrape())
    assert bridges(page) == {"bridge_up{hunter}": 0}
    assert page["scrape_collector_success{agents}"] == 0


async def test_where_there_was_never_a_socket_a_bridge_of_no_name_is_down(processes: Processes) -> None:
    assert bridges(series(await processes.scraper().scrape())) == {"bridge_up{unknown}": 0}


async def test_a_process_that_took_its_socket_away_is_no_longer_one(processes: Processes) -> None:
    await processes.start("orchestrator", named("orchestrator", whole()))
    await processes.start("hunter", hunter())
    scraper = processes.scraper()
    await scraper.scrape()
    await processes.end("hunter")
    assert bridges(series(await scraper.scrape())) == {"bridge_up{orchestrator}": 1}


async def test_the_counters_of_a_process_survive_another_ones_restart(processes: Processes) -> None:
    await processes.start("orchestrator", named("orchestrator", whole()))
    await processes.start("hunter", hunter())
    scraper = processes.scraper()
    before = series(await scraper.scrape())
    processes._documents["hunter"] = named("hunter", hunter(), startTime=OTHER_START + 100)
    after = series(await scraper.scrape())
    assert (
        after["messages_total{market-hunter,content-creator}"]
        == before["messages_total{market-hunter,content-creator}"]
    )
    assert after["process_start_time_seconds{hunter}"] == OTHER_START + 100


async def test_two_processes_of_one_name(processes: Processes) -> None:
    await processes.start("a", named("hunter", document()))
    await processes.start("b", named("hunter", document(), pid=43))
    scraper = processes.scraper()
    page = series(await scraper.scrape())
    assert page["bridge_up{hunter}"] == 1
    assert page["bridge_up{hunter at b}"] == 0


async def test_an_empty_directory(processes: Processes) -> None:
    scraper = processes.scraper()
    page = series(await scraper.scrape())
    assert page["scrape_collector_success{agents}"] == 0
    (said,) = {state.error for state in scraper.statuses()}
    assert "has no socket of a bridge" in said


def database_of(path: Path, inode: str | None = None) -> Document:
    entry = {"path": str(path), "device": "1", "inode": inode or "1"}
    return named("orchestrator", document(agents=[]), databases=[entry])


async def error_of(bridge: Any, shown: Document, database: Path, **more: Any) -> str:
    VALIDATOR.validate(shown)
    bridge.document = shown
    scraper = Scraper(registry.build(bridge.config(database__path=database, **more)))
    await scraper.scrape(["agents"])
    return next(state.error for state in scraper.statuses() if state.name == "agents")


async def test_the_bridge_of_another_bot_is_refused(bridge: Any, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "trading.db", tmp_path / "other" / "trading.db"
    ours.touch()
    said = await error_of(bridge, database_of(theirs), ours)
    assert str(ours) in said
    assert str(theirs) in said
    assert await error_of(bridge, database_of(theirs), ours, bridge__verify_database=False) == ""


async def test_a_database_is_the_same_by_path_or_by_inode_and_name(bridge: Any, tmp_path: Path) -> None:
    ours = tmp_path / "trading.db"
    ours.touch()
    link = tmp_path / "link.db"
    link.symlink_to(ours)
    assert await error_of(bridge, database_of(ours), ours) == ""
    assert await error_of(bridge, database_of(ours), link) == ""
    mounted = database_of(Path("/app/database/trading.db"), str(ours.stat().st_ino))
    assert await error_of(bridge, mounted, ours) == ""
    assert await error_of(bridge, document(agents=[]), ours) == ""


async def test_another_bots_process_costs_only_itself(processes: Processes, tmp_path: Path) -> None:
    ours = tmp_path / "trading.db"
    ours.touch()
    await processes.start("orchestrator", named("orchestrator", whole()))
    await processes.start(
        "hunter", named("hunter", hunter(), databases=[{"path": "/x/y.db", "device": "1", "inode": "1"}])
    )
    page = series(await processes.scraper(**{"database.path": ours}).scrape(["agents", "system"]))
    assert page["bridge_up{hunter}"] == 0
    assert page["bridge_up{orchestrator}"] == 1


def test_one_process_is_passed_on_as_it_is() -> None:
    shown = whole()
    assert merged([shown]) is shown


def test_of_two_processes_with_one_agent_the_first_counts() -> None:
    one = document(agents=[{"id": "a", "reputation": 0.5}])
    other = document(agents=[{"id": "a", "reputation": 0.9}, {"id": "b"}])
    assert merged([one, other])["agents"] == [{"id": "a", "reputation": 0.5}, {"id": "b"}]


def test_what_was_left_out_adds_up() -> None:
    left_out = {"agents": 1, "messages": 2, "reportValues": 3, "malformed": 4}
    assert merged([document(leftOut=left_out), document(leftOut=left_out)])["leftOut"] == {
        "agents": 2,
        "messages": 4,
        "reportValues": 6,
        "malformed": 8,
    }


def test_several_processes_are_not_found_by_a_pattern(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one process"):
        load(None, {"bridge.socket_directory": tmp_path, "bot.command_pattern": "node"})


def test_urls_and_url_are_one_list() -> None:
    config: Config = load(None, {"bridge.url": "http://a:1", "bridge.urls": ("http://b:2/", "http://a:1")})
    assert config.bridge.addresses == ("http://a:1/state", "http://b:2/state")
