"""Simulated time: whole milliseconds since the start, negative in the history; and the pace of events."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

from exporter.demo.scenarios import HISTORY_STRETCH, TROUBLE_SECONDS, WARM_UP_SECONDS

Value = str | int | float | None


class Statement(NamedTuple):
    sql: str
    parameters: tuple[Value, ...]


class Transaction(NamedTuple):
    """What the bot commits at one moment."""

    at: int
    statements: tuple[Statement, ...]


Action = Callable[[int], list[Statement]]
Queue = list[tuple[int, int, Action]]


@dataclass(frozen=True)
class Clock:
    """With speed N everything from the warm-up on comes N times as often; moments are real at any speed."""

    start: datetime
    speed: float = 1.0
    history_ms: int = 3 * 86_400_000

    @property
    def warm_up_from(self) -> int:
        return max(-self.history_ms, -round(WARM_UP_SECONDS * 1000 / self.speed))

    @property
    def trouble_from(self) -> int:
        """Never later than the warm-up's start, so that every window of 50 is of the scenario."""
        return max(-self.history_ms, min(-TROUBLE_SECONDS * 1000, self.warm_up_from))

    def gap(self, at: int, seconds: float) -> int:
        """`seconds` of the bot's life, in milliseconds at the moment `at`; the warm-up cuts gaps short."""
        live = max(1, round(seconds * 1000 / self.speed))
        if at >= self.warm_up_from:
            return live
        return min(round(seconds * 1000 * HISTORY_STRETCH), self.warm_up_from - at + live)

    def moment(self, at: int) -> datetime:
        return self.start + timedelta(milliseconds=at)

    def since_start(self, moment: datetime) -> int:
        return (moment - self.start) // timedelta(milliseconds=1)

    def plain(self, at: int) -> str:
        """As SQLite's CURRENT_TIMESTAMP: most columns."""
        return self.moment(at).strftime("%Y-%m-%d %H:%M:%S")

    def iso(self, at: int) -> str:
        """As JavaScript's toISOString(): `agent_decisions` and moments within JSON."""
        return self.moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def epoch_ms(self, at: int) -> int:
        return (self.moment(at) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@dataclass
class Schedule:
    """What is to happen, in order of time; during a pause nothing happens but what was planned `anyway`.

    The history's pause is known beforehand; the live bot is held and released.
    """

    pause: range = field(default_factory=lambda: range(0))
    held_since: int | None = None
    _usual: Queue = field(default_factory=list)
    _anyway: Queue = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def plan(self, at: int, action: Action, *, anyway: bool = False) -> None:
        if at in self.pause and not anyway:
            at += len(self.pause)
        heapq.heappush(self._anyway if anyway else self._usual, (at, next(self._order), action))

    def next_until(self, at: int) -> tuple[int, Action] | None:
        queues = (self._anyway,) if self.held_since is not None else (self._anyway, self._usual)
        first = min((queue for queue in queues if queue), key=lambda queue: queue[0][:2], default=None)
        if first is None or first[0][0] > at:
            return None
        moment, _, action = heapq.heappop(first)
        return moment, action

    def hold(self, at: int) -> None:
        if self.held_since is None:
            self.held_since = at

    def release(self, at: int) -> None:
        """What was held comes later by as much as the pause was long."""
        if self.held_since is not None:
            self._usual = _later(self._usual, at - self.held_since)
            self.held_since = None

    def postpone(self, by: int) -> None:
        """All that is planned comes later: the machine slept."""
        self._usual, self._anyway = _later(self._usual, by), _later(self._anyway, by)
        if self.held_since is not None:
            self.held_since += by


def _later(queue: Queue, by: int) -> Queue:
    return [(at + by, order, action) for at, order, action in queue]
