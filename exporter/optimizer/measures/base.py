"""What a measure is: how Prometheus answers for it between two moments, and how sure the answer is.

Ratios are 0..1, durations are seconds. This package imports nothing else of ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Scope = Literal["agent", "bot"]
"""Whether each agent has it, or only the bot as a whole; also the level of the recorded series' names."""
Direction = Literal["lower_is_better", "higher_is_better"]
Unit = Literal["seconds", "ratio", "score"]
Kind = Literal["events", "level"]
"""`events`: a mean of events that are counted. `level`: a value that goes up and down by itself; how much it did so
over a day before the change is its spread."""

Parts = Mapping[str, float]
"""Prometheus's answer for one agent: what each part of the query came to. What is not known is missing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its standard error, of so many events, which are "executions" or the like.

    Each of the two is None where it is not known.
    """

    value: float | None
    standard_error: float | None
    samples: float
    events: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Standard errors that a difference must exceed at the last look, and at every look before it (Haybittle-Peto).

    The early bound is so high that many early looks cost next to nothing of the error that the last one may make.
    """

    early: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Measure:
    """One thing that can get better or worse. There is one object of each.

    `parts` are expressions in which "{}" stands for a selector's matchers and range, "{period}" for the matchers and
    one period (an hour, as configured), and "[day]" for a range of 24 periods. `mean` makes the estimate of what they
    came to; among the parts is "periods", the length of the range. `no_value` says why there is none, where there is
    none. `text` and `events` name what is measured, for people. Where it is `relative` its margin is a share of the
    value before, else a difference. `worse` are the bounds beyond which it is worse.
    """

    name: str
    scope: Scope
    direction: Direction
    unit: Unit
    kind: Kind
    relative: bool
    parts: Mapping[str, str]
    mean: Callable[[Parts], Estimate]
    no_value: str
    text: str
    events: str
    worse: Bounds

    def __repr__(self) -> str:
        return self.name

    @property
    def lower_is_better(self) -> bool:
        """Else more is better."""
        return self.direction == "lower_is_better"

    def gain(self, before: float, after: float) -> float:
        """The change in the direction that is better."""
        return before - after if self.lower_is_better else after - before
