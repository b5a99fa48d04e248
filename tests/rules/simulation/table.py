"""How often chance notifies, and how soon a change does: the table of docs/alerting.md.

cd tests/rules; python -m simulation.table            (an hour on one core)
cd tests/rules; python -m simulation.table --weeks 1 --changes 60            (a minute)
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import comb
from statistics import quantiles

from simulation.agent import (
    CRITICAL,
    LASTING_SECONDS,
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
    lasting: bool = False

    def per_week(self, interval: float, weeks: float, dice: random.Random) -> float:
        rows = (self.draw(dice) for _ in range(round(weeks * WEEK / interval)))
        pending = LASTING_SECONDS if self.lasting else 60.0
        return sum(1 for _ in notifications(self.judge.states(rows), interval, pending)) / weeks


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
    Chance("mean 1.8 s, σ 1.0, tickets", SLOW, takes(1.8, 1.0), 0.5),
    Chance("mean 1.8 s, σ 1.0, pages", SLOW, takes(1.8, 1.0), 0.05, lasting=True),
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
    chance = executions * weekly * interval / WEEK
    found = 0.0
    for succeeded in range(executions + 1):
        ways = comb(executions, succeeded)
        false = ways * well**succeeded * (1 - well) ** (executions - succeeded)
        true = ways * bad**succeeded * (1 - bad) ** (executions - succeeded)
        if false > chance:
            return found + chance / false * true
        chance, found = chance - false, found + true
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weeks", type=float, default=100, help="of each agent, at 20 s; slower ones live as many rows"
    )
    parser.add_argument("--changes", type=int, default=2000)
    options = parser.parse_args()
    dice = random.Random(12)
    for chance in CHANCES:
        rows = [chance.per_week(every, options.weeks * every / INTERVALS[0], dice) for every in INTERVALS]
        print(f"| {chance.name} | {' / '.join(f'{each:.3f}' for each in rows)} | {chance.goal} |", flush=True)
    for change in CHANGES:
        delays = change.delays(options.changes, dice)
        half, most = quantiles(delays, n=20)[9], quantiles(delays, n=20)[18]
        print(f"| {change.name} | {half:.0f} (median) | {most:.0f} (95 %) |", flush=True)
    for what, well, bad, executions, goal in (
        ("ticket at 0.55", 0.75, 0.55, 60, 0.2),
        ("page at 0.35", 0.6, 0.35, 40, 0.05),
    ):
        bounds = (most_found(well, bad, executions, goal, every) for every in INTERVALS)
        print(
            f"| {what} within {executions} executions, at most | {' / '.join(f'{b:.0%}' for b in bounds)} |"
        )


if __name__ == "__main__":
    main()
