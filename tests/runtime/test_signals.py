"""The process's life. With real processes and signals: tests/test_cli.py."""

import os
import signal
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
