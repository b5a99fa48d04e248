"""The agents' communication channel, with the counters that a bridge has of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from exporter.demo.histogram import MESSAGE_BOUNDS, Histogram

LOST_SHARE = 0.01
MEDIAN_SECONDS = 0.008


@dataclass
class Pair:
    sent: int = 0
    failed: int = 0


@dataclass
class Channel:
    rng: Random
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    latency: dict[str, Histogram] = field(default_factory=dict)

    def send(self, sender: str, receiver: str) -> None:
        pair = self.pairs.setdefault((sender, receiver), Pair())
        pair.sent += 1
        latency = self.latency.setdefault(sender, Histogram(MESSAGE_BOUNDS))
        if self.rng.random() < LOST_SHARE:
            pair.failed += 1
        else:
            latency.observe(self.rng.lognormvariate(math.log(MEDIAN_SECONDS), 0.9))

    @property
    def queued(self) -> int:
        """The bot never empties its queue."""
        return sum(pair.sent - pair.failed for pair in self.pairs.values())
