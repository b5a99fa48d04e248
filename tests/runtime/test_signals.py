"""The process's life. With the real program and signals: tests/cli/test_cli.py."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from exporter.runtime.signals import run


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    sys.setswitchinterval(before)
    for each, handler in handlers.items():
        signal.signal(each, handler)


def test_the_interpreter_is_given_away_quickly() -> None:
    seen: list[float] = []

    async def work() -> None:
        seen.append(sys.getswitchinterval())

    assert run(work()) == 0
    assert seen == [pytest.approx(0.001)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_cancels_the_work_which_cleans_up(number: signal.Signals) -> None:
    import asyncio

    done: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    assert run(work()) == 0
    assert done == ["cleaned up"]


def test_a_failure_of_the_work_comes_out() -> None:
    async def work() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run(work())


LIFE = """
import asyncio, sys, threading, time
from exporter.runtime import logging, signals
import structlog

logging.configure("debug", "logfmt")

async def work():
    for number in range({lines}):
        structlog.get_logger().info("a line that nobody reads", number=number, text="x" * 500)
    print("working", flush=True)
    {then}

sys.exit(signals.run(work()))
"""


@pytest.mark.parametrize(
    ("lines", "then"),
    [
        pytest.param(3000, "await asyncio.Event().wait()", id="a log that nobody reads"),
        pytest.param(0, "time.sleep(60)", id="a loop that is stuck"),
        pytest.param(3000, "time.sleep(60)", id="both"),
        pytest.param(3000, "await asyncio.to_thread(time.sleep, 60)", id="a thread that is stuck"),
    ],
)
def test_a_signal_ends_it_whatever_is_stuck(lines: int, then: str) -> None:
    code = LIFE.format(lines=lines, then=then)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_small_memory_limit_is_said() -> None:
    code = LIFE.format(lines=0, then="return")
    command = 'ulimit -v 200000; exec "$0" -c "$1"'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, code], capture_output=True, text=True, check=True
    )
    assert "the memory limit is small" in done.stderr
    assert "limit_mb=195 enough_mb=256" in done.stderr
