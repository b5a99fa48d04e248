"""Scheduled events of the simulation, in order of their time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from exporter.demo.transaction import Statement

Event = Callable[[int], list[Statement]]
"""Called with its time, returns what the bot commits."""
Queue = list[tuple[int, int, Event]]


@dataclass
class Schedule:
    """A queue of events. During a pause only those added with `during_pause` happen, the others come later.

    The pause in the history is known beforehand; the live bot is paused and resumed.
    """

    history_pause: range = field(default_factory=lambda: range(0))
    paused_since: int | None = None
    _pausable: Queue = field(default_factory=list)
    _unpausable: Queue = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def add(self, at: int, event: Event, *, during_pause: bool = False) -> None:
        if at in self.history_pause and not during_pause:
            at += len(self.history_pause)
        heapq.heappush(self._unpausable if during_pause else self._pausable, (at, next(self._order), event))

    def next_until(self, at: int) -> tuple[int, Event] | None:
        queues = (self._unpausable,) if self.paused_since is not None else (self._unpausable, self._pausable)
        first = min((queue for queue in queues if queue), key=lambda queue: queue[0][:2], default=None)
        if first is None or first[0][0] > at:
            return None
        moment, _, event = heapq.heappop(first)
        return moment, event

    def pause(self, at: int) -> None:
        if self.paused_since is None:
            self.paused_since = at

    def resume(self, at: int) -> None:
        """Delays the events of the pause by its length."""
        if self.paused_since is not None:
            self._pausable = _delayed(self._pausable, at - self.paused_since)
            self.paused_since = None

    def postpone(self, by: int) -> None:
        """Delays all events: the machine was suspended."""
        self._pausable, self._unpausable = _delayed(self._pausable, by), _delayed(self._unpausable, by)
        if self.paused_since is not None:
            self.paused_since += by


def _delayed(queue: Queue, by: int) -> Queue:
    return [(at + by, order, event) for at, order, event in queue]
