"""The market: a mean-reverting price, and the row that the bot stores of it."""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass
from random import Random

from exporter.demo.clock import Clock
from exporter.demo.scenarios import MarketProfile
from exporter.demo.transaction import Statement

INSERT_MARKET = """
INSERT INTO market_data (timestamp, price_usd, volume_24h, market_cap, price_change_24h, fear_greed_index,
                         rsi_value, moving_avg_50, moving_avg_200) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
FIRST_PRICE = 94_000.0
COINS = 19_900_000
PULL = 0.015
NOISE = 0.0014
DAY_MS = 86_400_000
PRICE_KEPT_EVERY_MS = 300_000
MISSING_INDEX_SHARE = 0.02
"""Share of the rows without a fear and greed index, as if it could not be fetched."""


@dataclass
class MarketSimulation:
    """Mean-reverting, so that a demo that runs for a week does not end at zero."""

    rng: Random
    profile: MarketProfile
    price: float = FIRST_PRICE
    deviation: float = 0.0
    fear_greed: float = 55.0

    def __post_init__(self) -> None:
        self._level = 1.0
        self._steps = deque([self.price], maxlen=200)
        self._day: deque[tuple[int, float]] = deque()

    def step(self, at: int) -> None:
        self._level = max(self.profile.floor, self._level * (1 + self.profile.drift))
        self.deviation += self.rng.gauss(0, NOISE) - PULL * self.deviation
        self.price = round(FIRST_PRICE * self._level * math.exp(self.deviation), 2)
        pulled = 0.02 * (self.profile.fear_greed - self.fear_greed) + self.rng.gauss(0, 0.8)
        self.fear_greed = min(97.0, max(3.0, self.fear_greed + pulled))
        self._remember(at)

    def _remember(self, at: int) -> None:
        self._steps.append(self.price)
        if not self._day or at - self._day[-1][0] >= PRICE_KEPT_EVERY_MS:
            self._day.append((at, self.price))
        while len(self._day) > 1 and self._day[1][0] <= at - DAY_MS:
            self._day.popleft()

    def day_change_percent(self) -> float:
        return round((self.price / self._day[0][1] - 1) * 100, 2)

    def mean_of_last(self, steps: int) -> float:
        last = list(self._steps)[-steps:]
        return round(sum(last) / len(last), 2)

    def relative_strength(self) -> float:
        last = list(self._steps)[-15:]
        moves = [after - before for before, after in itertools.pairwise(last)]
        up, down = sum(m for m in moves if m > 0), -sum(m for m in moves if m < 0)
        return round(100 * up / (up + down), 2) if up + down else 50.0

    def row(self, at: int, clock: Clock) -> Statement:
        fear_greed = None if self.rng.random() < MISSING_INDEX_SHARE else round(self.fear_greed)
        values = (
            clock.plain(at),
            self.price,
            self.rng.uniform(25e9, 47e9),
            self.price * COINS,
            self.day_change_percent(),
            fear_greed,
            self.relative_strength(),
            self.mean_of_last(50),
            self.mean_of_last(200),
        )
        return Statement(INSERT_MARKET, values)
