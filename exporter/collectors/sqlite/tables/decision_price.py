"""The price of last resort, in the context of decisions: of the newest ones, else of older and older ones."""

from contextlib import suppress
from typing import Any

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.batch import Cleaner, Value
from exporter.collectors.sqlite.connection import TooLongError
from exporter.collectors.sqlite.ranges import LOWEST
from exporter.collectors.sqlite.table import Rows
from exporter.collectors.sqlite.values import UNUSABLE

ROWS = 50
"""That are looked at in one read."""
READS = 10
"""Of older rows, at each look."""


def price(market: Any) -> float | None:
    """The price in a decision's market data."""
    found = values.finite(market.get("price_usd")) if type(market) is dict else None
    return None if found is None or found is UNUSABLE else float(found)


def inputs_price(inputs: Any) -> float | None:
    """The price in a decision's inputs."""
    return price(inputs.get("marketData")) if type(inputs) is dict else None


AT = Value("timestamp", values.moment)
PRICE = Value("context", inputs_price, "inputs")


class PriceSearch:
    """Looks at the newest decisions each time, and while they have no price, at the next older ones."""

    def __init__(self) -> None:
        self.price: float | None = None
        self._cleaner = Cleaner((AT, PRICE), AT)
        self._older: float | None = None
        self._highest: int | None = None
        self._next = LOWEST

    async def look(self, rows: Rows, now: float) -> None:
        """Sets the price as far as it is known."""
        self.price = await self._newest(rows, now)
        if self.price is None:
            with suppress(TooLongError):  # the next look may get through
                await self._search(rows, now)
            self.price = self._older

    async def _newest(self, rows: Rows, now: float) -> float | None:
        numbers = [row[0] for row in reversed(await rows.newest((AT.column,), ROWS))]
        if numbers and (self._highest is None or numbers[0] > self._highest + 1):
            # Some rows between these and the newest ones of before were never looked at.
            self._older, self._next = None, numbers[0] - 1
        self._highest = numbers[-1] if numbers else self._highest
        return await self._price_of(rows, now, numbers)

    async def _search(self, rows: Rows, now: float) -> None:
        for _ in range(READS):
            if self._older is not None or self._next <= LOWEST:
                break
            numbers = [row[0] for row in await rows.before((AT.column,), self._next, ROWS)]
            self._older = await self._price_of(rows, now, numbers)
            self._next = numbers[0] - 1 if numbers else LOWEST

    async def _price_of(self, rows: Rows, now: float, numbers: list[int]) -> float | None:
        found = await rows.chosen(self._cleaner.columns, numbers)
        if not found:
            return None
        batch = self._cleaner.clean(found, now)
        dated = zip(batch.moments, batch.row_ids, batch.values[PRICE], strict=True)
        newest = max((row for row in dated if row[2] is not None), default=None)
        return None if newest is None else newest[2]
