"""How often chance notifies, and how soon a change does: the table of docs/alerting.md.

cd tests/rules; PYTHONPATH=../.. python -m simulation.table            (five minutes on one core)

Executions every 2 min and 5.7 min are the same rows, and so 6 and 17 times as many weeks.
"""

import argparse
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import comb, log, sqrt
from statistics import NormalDist, quantiles

from simulation.agent import (
    CRITICAL,
    MEDIUM,
    SLOW,
    Draw,
    Judge,
    notifications,
    succeeds,
    takes,
)

WEEK = 7 * 86400
INTERVALS = (20.0, 120.0, 342.0)
"""Seconds between two executions of the agents looked at."""
BEFORE, AFTER = 500, 1000


@dataclass(frozen=True)
class Chance:
    """An agent that is well, and how often it may notify in a week."""

    name: str
    judge: Judge
    draw: Draw
    goal: float

    def per_week(self, intervals: Sequence[float], count: int, dice: random.Random) -> list[float]:
        """Notifications a week of an agent with so many executions, at each of these intervals between them."""
        states = bytes(self.judge.states(self.draw(dice) for _ in range(count)))
        return [
            sum(1 for _ in notifications(map(bool, states), every)) / (count * every / WEEK)
            for every in intervals
        ]


@dataclass(frozen=True)
class Change:
    """An agent that was well and is not."""

    name: str
    judge: Judge
    before: Draw
    after: Draw

    def delays(self, count: int, dice: random.Random) -> list[int]:
        """The executions that each of so many changes took to be evident."""
        return [self._delay(dice) for _ in range(count)]

    def _delay(self, dice: random.Random) -> int:
        states = self.judge.states(self._rows(dice))
        after = enumerate(islice(states, BEFORE, BEFORE + AFTER), 1)
        return next((place for place, evident in after if evident), AFTER)

    def _rows(self, dice: random.Random) -> Iterator[int]:
        yield from (self.before(dice) for _ in range(BEFORE))
        while True:
            yield self.after(dice)


CHANCES = (
    Chance("success 0.75, tickets", MEDIUM, succeeds(0.75), 0.2),
    Chance("success 0.80, tickets", MEDIUM, succeeds(0.80), 0.02),
    Chance("success 0.60, pages", CRITICAL, succeeds(0.60), 0.05),
    Chance("mean 1.8 s, σ 0.28, tickets", SLOW, takes(1.8, 0.28), 0.2),
    # A page needs for an hour what a ticket needs for a minute: it is no more frequent.
    Chance("mean 1.8 s, σ 1.0, tickets and pages", SLOW, takes(1.8, 1.0), 0.05),
)
CHANGES = (
    Change("success 0.90 → 0.55, ticket", MEDIUM, succeeds(0.9), succeeds(0.55)),
    Change("success 0.90 → 0.35, ticket", MEDIUM, succeeds(0.9), succeeds(0.35)),
    Change("success 0.90 → 0, ticket", MEDIUM, succeeds(0.9), succeeds(0)),
    Change("success 0.90 → 0.35, page", CRITICAL, succeeds(0.9), succeeds(0.35)),
    Change("success 0.90 → 0, page", CRITICAL, succeeds(0.9), succeeds(0)),
    Change("mean 1.2 → 2.8 s, σ 0.28, ticket", SLOW, takes(1.2, 0.28), takes(2.8, 0.28)),
    Change("mean 1.2 → 2.8 s, σ 1.0, ticket", SLOW, takes(1.2, 1.0), takes(2.8, 1.0)),
)


def most_found(well: float, bad: float, executions: int, weekly: float, interval: float) -> float:
    """The largest share of changes that any test whatever can find within so many executions.

    One that notifies `weekly` times a week of a well agent does so within some stretch of that length with at most the
    probability `chance`; then Neyman and Pearson's lemma bounds what it finds of a bad one.
    """
    chance = _chance(executions, weekly, interval)
    found = 0.0
    for succeeded in range(executions + 1):
        ways = comb(executions, succeeded)
        false = ways * well**succeeded * (1 - well) ** (executions - succeeded)
        true = ways * bad**succeeded * (1 - bad) ** (executions - succeeded)
        if false > chance:
            return found + chance / false * true
        chance, found = chance - false, found + true
    return found


def most_found_slow(
    well: float, bad: float, sigma: float, executions: int, weekly: float, interval: float
) -> float:
    """The same for means of log-normal times, of tests that know their spread: the best is on the sum of logarithms."""
    normal = NormalDist()
    shift = log(bad / well) / sigma * sqrt(executions)
    return normal.cdf(shift + normal.inv_cdf(_chance(executions, weekly, interval)))


def _chance(executions: int, weekly: float, interval: float) -> float:
    return executions * weekly * interval / WEEK


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weeks", type=float, default=300, help="of each agent, at an execution every 20 s")
    parser.add_argument("--changes", type=int, default=1000)
    options = parser.parse_args()
    for number, chance in enumerate(CHANCES):
        count = round(options.weeks * WEEK / INTERVALS[0])
        rows = chance.per_week(INTERVALS, count, random.Random(number))
        print(f"| {chance.name} | {_each(rows, '.3f')} | {chance.goal} |", flush=True)
    for number, change in enumerate(CHANGES):
        delays = quantiles(change.delays(options.changes, random.Random(number)), n=20)
        print(f"| {change.name} | {delays[9]:.0f} (median) | {delays[18]:.0f} (95 %) |", flush=True)
    for name, most in MOST_FOUND:
        print(f"| {name}, at most | {_each(map(most, INTERVALS), '.0%')} |")


MOST_FOUND: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("success 0.55, ticket within 60 executions", partial(most_found, 0.75, 0.55, 60, 0.2)),
    ("success 0.35, page within 40 executions", partial(most_found, 0.6, 0.35, 40, 0.05)),
    ("mean 2.8 s, σ 1.0, ticket within 60 executions", partial(most_found_slow, 1.8, 2.8, 1.0, 60, 0.5)),
    ("mean 2.8 s, σ 0.28, ticket within 60 executions", partial(most_found_slow, 1.8, 2.8, 0.28, 60, 0.2)),
)
"""By the interval between executions."""


def _each(values: Iterable[float], form: str) -> str:
    return " / ".join(format(value, form) for value in values)


if __name__ == "__main__":
    main()
