"""How long a small read is tried again: by what stood in its way."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite import ranges
from exporter.collectors.sqlite.connection import DisturbedError, TooLargeError, TooLongError
from exporter.collectors.sqlite.ranges import ATTEMPTS, patiently


class Reads:
    """Fails a number of times, then gives a row."""

    path = Path("bot.db")

    def __init__(self, error: type[Exception], times: int, patience: float) -> None:
        self._error, self.left = error, times
        self.deadline = time.monotonic() + patience

    async def row(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        assert (statement, parameters) == ("SELECT 1", {})
        if self.left:
            self.left -= 1
            raise self._error
        return (1,)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "RETRY_PAUSE", 0)


async def test_a_bot_that_writes_all_the_time_is_waited_for_until_the_deadline() -> None:
    assert await patiently(Reads(DisturbedError, 10 * ATTEMPTS, patience=60), "SELECT 1", {}) == (1,)


async def test_a_bot_that_leaves_no_pause_is_named() -> None:
    with pytest.raises(
        CollectorError, match=r"^bot\.db is written to without a pause long enough to read it$"
    ):
        await patiently(Reads(DisturbedError, 10**9, patience=0), "SELECT 1", {})


async def test_a_read_that_is_cut_off_again_and_again_is_given_up() -> None:
    reads = Reads(TooLongError, 10**9, patience=60)
    with pytest.raises(CollectorError, match=f"is read too slowly: {ATTEMPTS} reads"):
        await patiently(reads, "SELECT 1", {})
    assert reads.left == 10**9 - ATTEMPTS
    assert await patiently(Reads(TooLongError, ATTEMPTS - 1, patience=0), "SELECT 1", {}) == (1,)


async def test_a_value_that_is_too_large_is_not_asked_for_twice() -> None:
    reads = Reads(TooLargeError, 10**9, patience=60)
    with pytest.raises(TooLargeError):
        await patiently(reads, "SELECT 1", {})
    assert reads.left == 10**9 - 1
