"""The bot as a process of its own: it starts, lives, ends with its parent, cleans up, says what is wrong."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import aiohttp
import psutil
import pytest

import exporter
from demo.simulated import Json, read
from exporter.demo import DemoBot, DemoError

ROOT = Path(exporter.__file__).parents[1]
ROWS = "SELECT count(*) FROM agent_executions"
PARENT = """
import asyncio, sys
from pathlib import Path
from exporter.demo import DemoBot

async def main():
    bot = DemoBot(Path(sys.argv[1]) if len(sys.argv) > 1 else None, history_days=0.5)
    await bot.start()
    print(bot.pid, bot.database_path, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


small = partial(DemoBot, history_days=0.5)


async def ended(pid: int, seconds: float = 60.0) -> bool:
    """The process is gone within so many seconds."""
    for _ in range(round(seconds / 0.05)):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.05)
    return False


async def fetched(url: str) -> Json:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        document: Json = await response.json()
        return document


async def test_it_starts_goes_on_live_and_stops(tmp_path: Path) -> None:
    bot = small(tmp_path / "made", scenario="degraded", seed=3, speed=50)
    await bot.start()
    try:
        assert bot.database_path == tmp_path / "made" / "trading.db"
        assert bot.pid != os.getpid()
        first = (await asyncio.to_thread(read, bot.database_path, ROWS))[0][0]
        before = await fetched(bot.state_url)
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(read, bot.database_path, ROWS))[0][0] <= first + 10:
                await asyncio.sleep(0.2)
        after = await fetched(bot.state_url)
        assert after["process"]["pid"] == bot.pid
        assert after["agents"][0]["id"] == "market-hunter"
        assert after["agents"][0]["cycles"] > before["agents"][0]["cycles"]
        assert after["agents"][0]["successHistory"] == {"succeeded": 31, "failed": 19}
    finally:
        await bot.stop()
    assert await ended(bot.pid)
    assert [path.name for path in bot.database_path.parent.iterdir()] == ["trading.db"]
    await bot.stop()


async def test_live_rows_have_the_real_time(tmp_path: Path) -> None:
    async with small(tmp_path, speed=50) as bot:
        started = time.time()
        newest = "SELECT unixepoch(max(timestamp)) FROM agent_executions"
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(read, bot.database_path, newest))[0][0] <= started + 1:
                await asyncio.sleep(0.2)
        assert (await asyncio.to_thread(read, bot.database_path, newest))[0][0] <= time.time() + 1


async def test_a_temporary_directory_goes_with_it() -> None:
    async with small() as bot:
        assert bot.database_path.exists()
        directory = bot.database_path.parent
        assert directory.name.startswith("tweetbot-demo-")
    assert not directory.exists()


@pytest.mark.parametrize("given", [True, False])
async def test_it_ends_when_its_parent_is_killed(tmp_path: Path, given: bool) -> None:
    arguments = [str(tmp_path)] if given else []
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, *arguments, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout
    pid, database = (await asyncio.wait_for(parent.stdout.readline(), 30)).split()
    assert psutil.pid_exists(int(pid))
    parent.kill()
    await parent.wait()
    assert await ended(int(pid))
    assert os.path.exists(database) is given  # noqa: PTH110 - a look at a local file


async def test_its_last_error_is_returned_when_it_dies_of_a_lock(tmp_path: Path) -> None:
    async with small(tmp_path, speed=50) as bot:
        await asyncio.to_thread(hold_until_it_dies, bot.database_path, bot.pid)
        output = await asyncio.wait_for(bot.wait(), 5)
    assert output.startswith("database is locked")
    assert "Traceback" not in output


def hold_until_it_dies(path: Path, pid: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=2)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM trades").fetchall()
        until = time.monotonic() + 5
        while time.monotonic() < until and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)
            if not psutil.pid_exists(pid):
                break


async def test_being_killed_is_reported(tmp_path: Path) -> None:
    async with small(tmp_path) as bot:
        os.kill(bot.pid, signal.SIGKILL)
        assert await asyncio.wait_for(bot.wait(), 5) == "the demo bot ended with code -9"


async def test_two_in_one_directory_are_refused(tmp_path: Path) -> None:
    async with small(tmp_path):
        with pytest.raises(DemoError, match=r"another demo is running in .*: stop it or choose"):
            await small(tmp_path).start()
    async with small(tmp_path) as bot:
        assert bot.database_path.exists()


async def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trading.db").write_text("precious")
    with pytest.raises(DemoError, match="was not written by the demo"):
        await small(tmp_path).start()
    assert (tmp_path / "trading.db").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["trading.db"]


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DemoError, match=r"cannot write in .*file/below: Not a directory"):
        await small(tmp_path / "file" / "below").start()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    async with small(tmp_path / "one") as bot:
        port = int(bot.state_url.split(":")[2].split("/")[0])
        with pytest.raises(DemoError, match=f"cannot listen on 127.0.0.1:{port}"):
            await small(tmp_path / "other", state_port=port).start()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"scenario": "gloomy"},
            "unknown scenario 'gloomy': one of healthy, degraded, failing, harmful, tradeoff",
        ),
        ({"seed": "seven"}, "seed must be a whole number, not 'seven'"),
        ({"speed": 0}, "speed must be between 0.1 and 100, not 0"),
        ({"speed": float("nan")}, "speed must be between 0.1 and 100, not nan"),
        ({"history_days": 0.1}, "history-days must be between 0.5 and 30, not 0.1"),
        ({"state_port": 70000}, "state-port must be between 0 and 65535, not 70000"),
    ],
)
def test_bad_options_are_reported_before_anything_starts(options: Json, message: str) -> None:
    with pytest.raises(DemoError) as raised:
        DemoBot(**options)
    assert str(raised.value) == message


def command(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "exporter.demo", *arguments]
    return subprocess.run(
        line, input=stdin, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )


def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    done = command("--directory", str(tmp_path), "--scenario", "gloomy")
    assert done.returncode == 2
    assert (
        done.stderr
        == "demo: unknown scenario 'gloomy': one of healthy, degraded, failing, harmful, tradeoff\n"
    )
    assert done.stdout == ""


def test_the_command_ends_with_standard_input(tmp_path: Path) -> None:
    done = command("--directory", str(tmp_path), "--history-days=0.5", "--until-stdin-closes", stdin="")
    assert done.returncode == 0
    assert done.stderr == ""
    output = json.loads(done.stdout)
    assert output["database"] == str(tmp_path / "trading.db")
    assert output["stateUrl"].startswith("http://127.0.0.1:")
