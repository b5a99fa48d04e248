"""Sells matched with the oldest buys that are left, whoever made them: there is one portfolio.

What is kept are the buys that are left, LOTS of them at the most: beyond that a further buy joins the newest one,
and both count at their average cost.
"""

from collections import deque
from dataclasses import astuple, dataclass
from typing import Any

LOTS = 20_000
FINE = 10**12
"""Parts of 1e-6 USD to which shares of a cost are exact."""


@dataclass(slots=True)
class Lot:
    """A buy: how much of it is left, how much it was, what all of it cost, and when it was made."""

    left: int
    amount: int
    cost: int
    ms: int


class Fifo:
    """The buys that are left, oldest first. Amounts are in any unit of BTC, money is in 1e-6 USD."""

    def __init__(self, unknown_ms: int) -> None:
        self._unknown_ms = unknown_ms
        self._lots: deque[Lot] = deque()
        self._fine_cost = 0
        self.left = 0

    @property
    def cost(self) -> float:
        """What the buys that are left cost."""
        return self._fine_cost / FINE

    @property
    def opened_ms(self) -> int | None:
        """When the oldest of them was made; None without one, or where that is not known."""
        if not self._lots or self._lots[0].ms == self._unknown_ms:
            return None
        return self._lots[0].ms

    def buy(self, amount: int, cost: int, ms: int) -> None:
        """Adds a buy; `cost` includes its fee."""
        if not amount:
            return
        self.left += amount
        self._fine_cost += cost * FINE
        if len(self._lots) < LOTS:
            self._lots.append(Lot(amount, amount, cost, ms))
            return
        newest_lot = self._lots[-1]
        newest_lot.left += amount
        newest_lot.amount += amount
        newest_lot.cost += cost

    def sell(self, amount: int, proceeds: int, ms: int) -> tuple[int, int, list[int]]:
        """Takes from the oldest buys: how much of it they covered, what that part earned in 1e-6 USD, and for how
        many milliseconds each of them was held, where that is known.

        `proceeds` are less the fee. Half of 1e-6 USD rounds away from zero.
        """
        left, cost, held = amount, 0, []
        while left and self._lots:
            lot = self._lots[0]
            matched = min(left, lot.left)
            cost += divided(lot.cost * matched * FINE, lot.amount)
            if self._unknown_ms not in (ms, lot.ms) and lot.ms <= ms:
                held.append(ms - lot.ms)
            left -= matched
            lot.left -= matched
            if not lot.left:
                self._lots.popleft()
        matched = amount - left
        if not matched:
            return 0, 0, []
        self.left -= matched
        self._fine_cost = self._fine_cost - cost if self._lots else 0
        # The shares' own rounding is far below the 1000 parts that are dropped first.
        earned = divided(divided(proceeds * matched * FINE, amount) - cost, 1000)
        return matched, divided(earned, FINE // 1000), held

    def dump(self) -> Any:
        """The buys that are left, as plain values."""
        return {"fine_cost": self._fine_cost, "lots": [astuple(lot) for lot in self._lots]}

    def load(self, found: Any) -> None:
        """Takes what `dump` gave."""
        self._lots = deque(Lot(*lot) for lot in found["lots"])
        self._fine_cost = found["fine_cost"]
        self.left = sum(lot.left for lot in self._lots)


def divided(value: int, by: int) -> int:
    """Rounded to the nearest, half away from zero."""
    quotient = (2 * abs(value) + by) // (2 * by)
    return quotient if value >= 0 else -quotient
