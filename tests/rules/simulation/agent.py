"""A simulated agent: its rows, what the exporter says of them, and when the rules notify.

What the rules do with it is said a second time here, in plain Python, because a week of promtool takes minutes;
test_simulation.py shows that promtool does the same with the same rows.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log

from exporter.collectors.sqlite.evidence import ROWS, mean_lower_bound, success_upper_bound
from exporter.collectors.sqlite.window import mean

WINDOW = 50
MICRO = 10**6
PENDING_SECONDS = 60.0
KEPT_SECONDS = 600.0
LASTING_SECONDS = 3600.0

Draw = Callable[[random.Random], int]


def succeeds(true_ratio: float) -> Draw:
    """1 or 0."""
    return lambda dice: int(dice.random() < true_ratio)


def takes(true_mean: float, sigma: float) -> Draw:
    """Microseconds, log-normal with that spread of its logarithm."""
    mu = log(true_mean * MICRO) - sigma**2 / 2
    return lambda dice: round(dice.lognormvariate(mu, sigma))


@dataclass(frozen=True)
class Judge:
    """A threshold with its margin: when a value is beyond it, evident, and well again."""

    threshold: float
    margin: float
    lower_is_better: bool = False

    def states(self, values: Iterable[int]) -> Iterator[bool]:
        """After each row whether the bottleneck is evident, as rules/recording/bottlenecks.yml has it."""
        recent: deque[int] = deque(maxlen=ROWS)
        evident = False
        for value in values:
            recent.appendleft(value)
            now = self.value([*recent][:WINDOW])
            evident = self._begins(now, recent) or (evident and self._is_worse(now, self.well))
            yield evident and len(recent) >= 10

    def value(self, newest: Sequence[int]) -> float:
        found = mean(newest)
        assert found is not None
        return found / MICRO if self.lower_is_better else found

    def bound(self, newest_first: Sequence[int]) -> float | None:
        """What chance does not explain."""
        if self.lower_is_better:
            found = mean_lower_bound(newest_first)
            return None if found is None else found / MICRO
        return success_upper_bound(newest_first)

    @property
    def well(self) -> float:
        return self.threshold - self.margin if self.lower_is_better else self.threshold + self.margin

    def _begins(self, now: float, recent: Iterable[int]) -> bool:
        """The bound is worked out only where it matters: it is most of the time that this takes."""
        if not self._is_worse(now, self.threshold):
            return False
        bound = self.bound([*recent])
        return bound is not None and self._is_worse(bound, self.well)

    def _is_worse(self, value: float, limit: float) -> bool:
        return value > limit if self.lower_is_better else value < limit


MEDIUM, CRITICAL, SLOW = Judge(0.7, 0.05), Judge(0.5, 0.1), Judge(2.0, 0.2, lower_is_better=True)


def notifications(states: Iterable[bool], interval: float, pending: float = PENDING_SECONDS) -> Iterator[int]:
    """The places of the rows after which an alert began to fire: it waits, and is kept for a while."""
    since: float | None = None
    fired, ended = False, 0.0
    for place, evident in enumerate(states):
        now = place * interval
        if evident:
            since, ended = now if since is None else since, now + interval
            if not fired and now + interval - since > pending:
                fired = True
                yield place
        elif not fired or now - ended >= KEPT_SECONDS:
            since, fired = None, False
