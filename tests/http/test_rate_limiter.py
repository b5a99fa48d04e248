"""How much is let in, by a clock that the test moves."""

import pytest

from exporter.http.rate_limiter import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_at_once_then_so_many_a_second(clock: Clock) -> None:
    limiter = RateLimiter(3, per_second=2, clock=clock)
    for _ in range(3):
        assert limiter.wait() == 0
        limiter.charge(1)
    assert limiter.wait() == 0.5
    clock.now += 0.25
    assert limiter.wait() == 0.25
    clock.now += 0.25
    assert limiter.wait() == 0


def test_what_is_overdrawn_is_waited_for(clock: Clock) -> None:
    limiter = RateLimiter(2, per_second=0.5, clock=clock)
    limiter.charge(6)
    assert limiter.wait() == (1 + 4) / 0.5
    clock.now += 9
    assert limiter.wait() == pytest.approx(1)


def test_nothing_is_saved_up_beyond_what_may_come_at_once(clock: Clock) -> None:
    limiter = RateLimiter(2, per_second=1, clock=clock)
    clock.now += 3600
    assert limiter.wait() == 0
    limiter.charge(2)
    assert limiter.wait() == 1
