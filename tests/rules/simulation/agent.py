"""A simulated agent: its rows, what the exporter says of them, and when the rules notify.

What the rules do with it is said a second time here, in plain Python, because a week of promtool takes minutes;
test_simulation.py shows that promtool does the same with the same rows.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log, sqrt

from exporter.collectors.sqlite.evidence import (
    DEVIATIONS,
    LENGTHS,
    NATS,
    ROWS,
    divergence,
    mean_lower_bound,
    success_upper_bound,
)
from exporter.collectors.sqlite.window import mean

WINDOW = 50
MICRO = 10**6
PENDING_SECONDS = 60.0
KEPT_SECONDS = 600.0

Draw = Callable[[random.Random], int]


def succeeds(true_ratio: float) -> Draw:
    """1 or 0."""
    return lambda dice: int(dice.random() < true_ratio)


def takes(true_mean: float, sigma: float) -> Draw:
    """Microseconds, log-normal with that spread of its logarithm."""
    mu = log(true_mean * MICRO) - sigma**2 / 2
    return lambda dice: round(dice.lognormvariate(mu, sigma))


class Sums:
    """Of the newest values and of their squares, for runs of at most ROWS."""

    def __init__(self) -> None:
        self._sums, self._squares = [0], [0]

    def add(self, value: int) -> None:
        self._sums.append(self._sums[-1] + value)
        self._squares.append(self._squares[-1] + value * value)
        if len(self._sums) > 20 * ROWS:
            del self._sums[: -ROWS - 1], self._squares[: -ROWS - 1]

    def __len__(self) -> int:
        return len(self._sums) - 1

    def total(self, length: int) -> int:
        return self._sums[-1] - self._sums[-1 - length]

    def squares(self, length: int) -> int:
        return self._squares[-1] - self._squares[-1 - length]


@dataclass(frozen=True)
class Judge:
    """A threshold with its margin: when a value is beyond it, evident, and well again."""

    threshold: float
    margin: float
    lower_is_better: bool = False

    def states(self, values: Iterable[int]) -> Iterator[bool]:
        """After each row whether the bottleneck is evident, as rules/recording/bottlenecks.yml has it."""
        sums, evident = Sums(), False
        for value in values:
            sums.add(value)
            length = min(WINDOW, len(sums))
            now = sums.total(length) / length / self._unit
            evident = (self._is_worse(now, self.threshold) and self.has_evidence(sums)) or (
                evident and self._is_worse(now, self.well)
            )
            yield evident and len(sums) >= 10

    def value(self, newest: Sequence[int]) -> float:
        found = mean(newest)
        assert found is not None
        return found / self._unit

    def bound(self, newest_first: Sequence[int]) -> float | None:
        """What chance does not explain, by the exporter's own function."""
        if self.lower_is_better:
            found = mean_lower_bound(newest_first)
            return None if found is None else found / MICRO
        return success_upper_bound(newest_first)

    @property
    def well(self) -> float:
        return self.threshold - self.margin if self.lower_is_better else self.threshold + self.margin

    @property
    def _unit(self) -> int:
        return MICRO if self.lower_is_better else 1

    def has_evidence(self, sums: Sums) -> bool:
        """Whether `bound` is on the worse side of `well`, without working out the bound, which takes long."""
        if self.lower_is_better:
            return any(self._lower_bound(sums, length) > self.well * MICRO for length in _within(sums))
        return any(sums.total(length) <= self._most_successes[length] for length in _within(sums))

    @staticmethod
    def _lower_bound(sums: Sums, length: int) -> float:
        total = sums.total(length)
        deviation = sqrt(length * sums.squares(length) - total * total) / length
        return total / length - deviation * DEVIATIONS[length]

    @cached_property
    def _most_successes(self) -> Mapping[int, int]:
        """How many successes of so many executions still are evidence; -1 where not even none is."""
        return {length: self._most_of(length) for length in LENGTHS}

    def _most_of(self, length: int) -> int:
        counts = range(int(self.well * length))
        return max((n for n in counts if length * divergence(n / length, self.well) > NATS), default=-1)

    def _is_worse(self, value: float, limit: float) -> bool:
        return value > limit if self.lower_is_better else value < limit


def _within(sums: Sums) -> Iterator[int]:
    return (length for length in LENGTHS if length <= len(sums))


MEDIUM, CRITICAL, SLOW = Judge(0.7, 0.05), Judge(0.5, 0.1), Judge(2.0, 0.2, lower_is_better=True)


def notifications(states: Iterable[bool], interval: float) -> Iterator[int]:
    """The places of the rows after which an alert began to fire: it waits, and is kept for a while."""
    since: float | None = None
    fired, ended = False, 0.0
    for place, evident in enumerate(states):
        now = place * interval
        if evident:
            since, ended = now if since is None else since, now + interval
            if not fired and now + interval - since > PENDING_SECONDS:
                fired = True
                yield place
        elif not fired or now - ended >= KEPT_SECONDS:
            since, fired = None, False
