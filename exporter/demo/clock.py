"""Simulated time: whole milliseconds since the start, negative in the history; and the rate of events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exporter.demo.scenarios import HISTORY_STRETCH, TROUBLE_SECONDS, WARM_UP_SECONDS


@dataclass(frozen=True)
class Clock:
    """With speed N, events from the warm-up on are N times as frequent; timestamps stay real."""

    start: datetime
    speed: float = 1.0
    history_ms: int = 3 * 86_400_000

    @property
    def warm_up_from(self) -> int:
        return max(-self.history_ms, -round(WARM_UP_SECONDS * 1000 / self.speed))

    @property
    def trouble_from(self) -> int:
        """Not later than the start of the warm-up, so that every window of 50 belongs to the scenario."""
        return max(-self.history_ms, min(-TROUBLE_SECONDS * 1000, self.warm_up_from))

    def gap(self, at: int, seconds: float) -> int:
        """An interval of the live bot, in milliseconds at the time `at`; it does not reach far into the warm-up."""
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
