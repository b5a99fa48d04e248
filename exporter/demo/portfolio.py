"""The portfolio: each trade updates it in the same transaction, so it always equals the trades."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from exporter.demo.clock import Clock
from exporter.demo.market import MarketSimulation
from exporter.demo.transaction import Statement

INSERT_PORTFOLIO = "INSERT INTO portfolio (id, btc_balance, usd_balance, last_updated) VALUES (1, ?, ?, ?)"
UPDATE_PORTFOLIO = "UPDATE portfolio SET btc_balance = ?, usd_balance = ?, last_updated = ? WHERE id = 1"
INSERT_SNAPSHOT = """
INSERT INTO portfolio_history (timestamp, btc_balance, usd_balance, btc_price_usd, total_value_usd)
VALUES (?, ?, ?, ?, ?)
"""
INSERT_TRADE = """
INSERT INTO trades (timestamp, trade_type, amount_btc, price_usd, fee_usd, total_usd, agent_decision_reason,
                    market_conditions, executed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
STARTING_USD = 10_000.0
FEE = 0.001
SMALLEST_USD, LARGEST_USD = 12.0, 1500.0
EDGE = 12.0
"""Strength of the preference to buy below the price's level and to sell above it."""
REASONS = {
    "BUY": "BUY: Behind target, moderate market signals",
    "SELL": "SELL: Poor market signals, reducing exposure",
}


@dataclass
class Portfolio:
    rng: Random
    market: MarketSimulation
    btc: float = 0.0
    usd: float = STARTING_USD

    @property
    def value(self) -> float:
        return self.usd + self.btc * self.market.price

    @property
    def deployed(self) -> float:
        return self.btc * self.market.price / self.value

    def opening(self, at: int, clock: Clock) -> Statement:
        return Statement(INSERT_PORTFOLIO, (self.btc, self.usd, clock.plain(at)))

    def snapshot(self, at: int, clock: Clock) -> list[Statement]:
        row = (clock.plain(at), self.btc, self.usd, self.market.price, self.value)
        return [Statement(INSERT_SNAPSHOT, row), self._update(at, clock)]

    def trade(self, at: int, clock: Clock, agent: str, *, free: bool) -> list[Statement]:
        """A trade and the balances after it; nothing if the balance is too small."""
        side = "BUY" if self.rng.random() < self._buy_probability() else "SELL"
        price = round(self.market.price * (1 + self.rng.gauss(0, 0.0004)), 2)
        amount = self._amount(side, price)
        total = amount * price
        if total < SMALLEST_USD:
            return []
        fee = 0.0 if free else round(total * FEE, 2)
        self._book(side, amount, total, fee)
        conditions = f"Bitcoin price: ${price}, Market conditions analyzed"
        row = (clock.plain(at), side, amount, price, fee, total, REASONS[side], conditions, agent)
        return [Statement(INSERT_TRADE, row), self._update(at, clock)]

    def _buy_probability(self) -> float:
        probability = (
            0.5 + 1.5 * (self.market.profile.deployed - self.deployed) - EDGE * self.market.deviation
        )
        return min(0.9, max(0.1, probability))

    def _amount(self, side: str, price: float) -> float:
        """In whole satoshis, never more than the balance allows with the fee."""
        wanted = min(LARGEST_USD, SMALLEST_USD + self.rng.lognormvariate(math.log(130), 0.75)) / price
        available = self.btc if side == "SELL" else self.usd * 0.99 / price
        return math.floor(min(wanted, available) * 1e8) / 1e8

    def _book(self, side: str, amount: float, total: float, fee: float) -> None:
        sign = 1 if side == "BUY" else -1
        self.btc = max(0.0, self.btc + sign * amount)
        self.usd -= sign * total + fee

    def _update(self, at: int, clock: Clock) -> Statement:
        return Statement(UPDATE_PORTFOLIO, (self.btc, self.usd, clock.plain(at)))
