"""Durations are what really passed, whatever is done to the system's clock."""

import pytest

from exporter.optimizer.clock import SteadyClock

DAY = 86_400.0


class Times:
    def __init__(self) -> None:
        self.wall, self.elapsed = 1_800_000_000.0, 50.0

    def clock(self, not_before: float = 0.0) -> SteadyClock:
        return SteadyClock(not_before, lambda: self.wall, lambda: self.elapsed)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_a_clock_that_is_set_changes_no_duration_and_is_a_fault_until_it_is_right(step: float) -> None:
    times = Times()
    clock = times.clock()
    before = clock()
    times.pass_(100)
    times.wall += step
    assert clock() == before + 100
    assert ("set back" if step < 0 else "set forth") in clock.fault()
    times.wall -= step
    assert clock.fault() == ""


def test_a_clock_that_drifts_is_no_fault() -> None:
    times = Times()
    clock = times.clock()
    times.wall += 30
    assert clock.fault() == ""


def test_a_restart_goes_on_after_what_was_written() -> None:
    times = Times()
    written = times.wall
    times.wall -= DAY
    clock = times.clock(written)
    assert clock() == written
    assert "86400 s behind what the ledger says" in clock.fault()
    times.pass_(DAY)
    assert clock() == written + DAY


def test_by_default_it_is_the_systems() -> None:
    assert SteadyClock().fault() == ""
