"""The bot's process: found, recognised, read, and shown once whichever way it is seen."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs
from tools import wait_until

from exporter.collectors import registry
from exporter.collectors.scrape import Scraper
from exporter.config import Config, load

from ..bridge.documents import PROCESS, document, series

Spawn = Callable[..., "subprocess.Popen[bytes]"]
BUSY = "import sys, time; print(flush=True); open('/dev/null'); time.sleep(60)"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts a Python process and waits until it runs."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, code: str = BUSY) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in running:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


class Seen:
    """The collector `system`, scraped."""

    def __init__(self, config: Config) -> None:
        self.scraper = Scraper(registry.build(config))

    async def page(self) -> dict[str, float]:
        return series(await self.scraper.scrape(["system"]))

    @property
    def error(self) -> str:
        return next(state.error for state in self.scraper.statuses() if state.name == "system")


def by_pid_file(file: Path) -> Config:
    return load(None, {"bot.pid_file": file})


def process_of(child: "subprocess.Popen[bytes]", **more: Any) -> dict[str, Any]:
    return PROCESS | {"pid": child.pid, "startTime": psutil.Process(child.pid).create_time(), **more}


async def test_psutil_alone_carries_the_collector(spawn: Spawn, tmp_path: Path) -> None:
    child, file = spawn(), tmp_path / "bot.pid"
    file.write_text(f"{child.pid}\n")
    page = await Seen(by_pid_file(file)).page()
    known = psutil.Process(child.pid)
    assert page["scrape_collector_success{system}"] == 1
    assert page["process_start_time_seconds{unknown}"] == known.create_time()
    assert page["process_resident_memory_bytes{unknown}"] == pytest.approx(known.memory_info().rss, rel=0.2)
    assert page["process_open_fds{unknown}"] == known.num_fds()
    assert page["process_threads{unknown}"] == 1
    assert 0 <= page["process_cpu_seconds_total{unknown,user}"] < 5
    assert "process_cpu_seconds_total{unknown,system}" in page
    assert not any(key.startswith(("process_heap", "process_eventloop", "nodejs")) for key in page)
    assert "bridge_malformed_values_total{system}" not in page


async def test_a_bot_that_ends_and_comes_back(spawn: Spawn, tmp_path: Path) -> None:
    first, file = spawn(), tmp_path / "bot.pid"
    file.write_text(str(first.pid))
    seen = Seen(by_pid_file(file))
    before = await seen.page()
    end(first)
    with capture_logs() as logs:
        for _ in range(2):
            page = await seen.page()
        assert page["scrape_collector_success{system}"] == 0
        assert seen.error == f"no process runs under the id in {file} (bot.pid_file)"
        file.unlink()
        await seen.page()
        file.write_text(str(spawn().pid))
        page = await seen.page()
    assert page["scrape_collector_success{system}"] == 1
    assert page["process_start_time_seconds{unknown}"] > before["process_start_time_seconds{unknown}"]
    assert [entry["event"] for entry in logs] == ["collector failed", "collector works again"]


async def test_a_zombie_is_not_a_bot(spawn: Spawn, tmp_path: Path) -> None:
    child, file = spawn(), tmp_path / "bot.pid"
    file.write_text(str(child.pid))
    seen = Seen(by_pid_file(file))
    await seen.page()
    child.kill()
    await wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert (await seen.page())["scrape_collector_success{system}"] == 0


async def test_a_process_younger_than_its_pid_file_is_another_one(spawn: Spawn, tmp_path: Path) -> None:
    file = tmp_path / "bot.pid"
    file.write_text(str(spawn().pid))
    os.utime(file, (time.time() - 60, time.time() - 60))
    seen = Seen(by_pid_file(file))
    assert (await seen.page())["scrape_collector_success{system}"] == 0
    assert "started after the file was written" in seen.error


@pytest.mark.parametrize("content", ["", "0", "-1", "12 13", "abc", "9" * 11, "1" * 100, "\xff"])
async def test_a_pid_file_with_something_else_in_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bot.pid"
    file.write_text(content, encoding="latin-1")
    seen = Seen(by_pid_file(file))
    await seen.page()
    assert re.search("does not hold a process id|is too large", seen.error)


async def test_a_pid_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    seen = Seen(by_pid_file(tmp_path / "pipe"))
    await seen.page()
    assert "is not a regular file" in seen.error


async def test_by_command_line(spawn: Spawn) -> None:
    seen = Seen(load(None, {"bot.command_pattern": r"marker-of-a-bot --run\b"}))
    await seen.page()
    assert seen.error == "no process has a command line that bot.command_pattern matches"
    child = spawn("marker-of-a-bot", "--run")
    page = await seen.page()
    assert page["process_start_time_seconds{unknown}"] == psutil.Process(child.pid).create_time()
    end(child)
    await seen.page()
    assert seen.error


async def test_several_of_one_command_line_are_not_guessed_between(spawn: Spawn) -> None:
    spawn("two-of-a-kind")
    spawn("two-of-a-kind")
    seen = Seen(load(None, {"bot.command_pattern": "two-of-a-kind"}))
    await seen.page()
    assert "several processes" in seen.error


async def test_what_started_the_bot_is_not_the_bot(spawn: Spawn) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {BUSY!r}, sys.argv[1]], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    wrapper = spawn("bot-with-a-wrapper", code=code)
    (bot,) = psutil.Process(wrapper.pid).children()
    page = await Seen(load(None, {"bot.command_pattern": "bot-with-a-wrapper"})).page()
    assert page["process_start_time_seconds{unknown}"] == bot.create_time()
    bot.kill()


def test_the_exporters_own_command_line_does_not_match() -> None:
    code = "from exporter.collectors.process.finder import ProcessFinder as F; print(F(None, 'only-in-my-own').stats())"
    done = subprocess.run([sys.executable, "-c", code, "only-in-my-own"], capture_output=True, text=True)
    assert done.stdout == "None\n", done.stderr


async def test_what_may_not_be_seen_is_left_out_and_told_once(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bot.pid"
    file.write_text(str(spawn().pid))

    def denied(self: psutil.Process) -> int:
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "num_fds", denied)
    seen = Seen(by_pid_file(file))
    with capture_logs() as logs:
        for _ in range(3):
            page = await seen.page()
    assert page["scrape_collector_success{system}"] == 1
    assert "process_open_fds{unknown}" not in page
    assert page["process_threads{unknown}"] == 1
    (told,) = logs
    assert told["left_out"] == "open_fds"


async def test_the_bridge_first_then_what_is_seen_from_outside(bridge: Any, spawn: Spawn) -> None:
    child = spawn()
    process = process_of(child, threads=77)
    del process["openFds"]
    bridge.document = document(process=process)
    page = await Seen(bridge.config()).page()
    assert page["process_threads{unknown}"] == 77
    assert page["process_open_fds{unknown}"] == psutil.Process(child.pid).num_fds()
    assert page["process_heap_used_bytes{unknown}"] == 1000


async def test_a_bot_that_hangs_is_still_seen_from_outside(bridge: Any, spawn: Spawn) -> None:
    child = spawn()
    start = psutil.Process(child.pid).create_time() + 0.3
    bridge.document = document(process=process_of(child, startTime=start, cpu={"user": 50.0, "system": 9.0}))
    seen = Seen(bridge.config(bridge__timeout_seconds=0.2))
    await seen.page()

    async def hanging(_: Any) -> Any:
        await asyncio.sleep(30)

    bridge.handler = hanging
    with capture_logs() as logs:
        for _ in range(2):
            page = await seen.page()
    assert page["scrape_collector_success{system}"] == 1
    # Neither a restart nor a counter that falls: both would set off alerts.
    assert page["process_start_time_seconds{unknown}"] == start
    assert page["process_cpu_seconds_total{unknown,user}"] == 50
    assert page["process_open_fds{unknown}"] == psutil.Process(child.pid).num_fds()
    assert [entry["event"] for entry in logs] == ["bot's process is seen from outside only"]
    end(child)
    page = await seen.page()
    assert page["scrape_collector_success{system}"] == 0
    assert "did not answer in time" in seen.error


async def test_a_process_id_behind_a_containers_wall(bridge: Any, spawn: Spawn) -> None:
    """The id means another process here, which has another start."""
    bridge.document = document(process=process_of(spawn(), startTime=1234.5))
    page = await Seen(bridge.config()).page()
    assert page["process_start_time_seconds{unknown}"] == 1234.5
    assert page["process_open_fds{unknown}"] == PROCESS["openFds"]
    del bridge.document["process"]["openFds"]
    assert "process_open_fds{unknown}" not in await Seen(bridge.config()).page()


async def test_an_old_pid_file_beside_a_bridge(bridge: Any, spawn: Spawn, tmp_path: Path) -> None:
    file = tmp_path / "bot.pid"
    file.write_text(str(spawn().pid))
    shown = document()
    del shown["process"]["openFds"]
    bridge.document = shown
    page = await Seen(bridge.config(bot__pid_file=file)).page()
    assert page["process_start_time_seconds{unknown}"] == PROCESS["startTime"]
    assert "process_open_fds{unknown}" not in page


async def test_a_restart_is_a_new_start(bridge: Any, spawn: Spawn) -> None:
    seen = Seen(bridge.config())
    for cpu in (50.0, 1.0):
        child = spawn()
        process = process_of(child, cpu={"user": cpu, "system": cpu})
        bridge.document = document(process=process)
        page = await seen.page()
        assert page["process_start_time_seconds{unknown}"] == process["startTime"]
        assert page["process_cpu_seconds_total{unknown,user}"] == cpu
        end(child)


async def test_the_event_loop_goes_on_while_proc_hangs(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bot.pid"
    file.write_text(str(spawn().pid))
    monkeypatch.setattr(psutil.Process, "num_threads", lambda _: time.sleep(0.5))
    seen = Seen(by_pid_file(file))
    scrape = asyncio.create_task(seen.page())
    ticks = 0
    while not scrape.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 10


async def test_a_stopped_process_is_still_one(spawn: Spawn, tmp_path: Path) -> None:
    child, file = spawn(), tmp_path / "bot.pid"
    file.write_text(str(child.pid))
    child.send_signal(signal.SIGSTOP)
    assert (await Seen(by_pid_file(file)).page())["scrape_collector_success{system}"] == 1
