"""portfolio: what the bot has now."""

import asyncio
from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.batch import Cleaner, Value
from exporter.collectors.sqlite.table import Cells, Context, LiveTable, Rows
from exporter.collectors.sqlite.values import seconds
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
from exporter.metrics.samples import Samples

ID = Value("id", values.finite)
BTC = Value("btc_balance", values.finite)
USD = Value("usd_balance", values.finite)
UPDATED = Value("last_updated", values.moment)

_BTC, _USD = frozenset({"btc_balance"}), frozenset({"usd_balance"})


class Portfolio(LiveTable):
    """The live row, which the bot updates in place: that with id 1, else the one with the highest id.

    In the oldest layout each change is a row of its own, and the highest id is what the bot has now.
    """

    name = "portfolio"
    columns = ("id", "btc_balance", "usd_balance", "last_updated")
    former: ClassVar = {"btc_balance": "btc_holdings"}
    limit = 4096
    depends: ClassVar = ("price",)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._cleaner = Cleaner((ID, BTC, USD, UPDATED), UPDATED)
        self._live: tuple[float | None, float | None, int | None] = (None, None, None)
        self._unusable: Mapping[str, int] = {}

    @property
    def needs(self) -> Mapping[Family, frozenset[str]]:
        valued = (c.PORTFOLIO_VALUE, c.PORTFOLIO_GROWTH, c.PORTFOLIO_GOAL_PROGRESS, c.PORTFOLIO_DEPLOYED)
        return {
            c.PORTFOLIO_BTC: _BTC,
            c.PORTFOLIO_USD: _USD,
            c.PORTFOLIO_UPDATED: frozenset({"last_updated"}),
            **dict.fromkeys(valued, _BTC | _USD),
        }

    async def read(self, rows: Rows, now: float) -> bool:
        found, count = await asyncio.gather(rows.ends(self._cleaner.columns), rows.count(self.limit))
        self.rows = max(self.rows, count)
        is_oldest_layout = rows.shape.columns.get("btc_balance", "").lower() == self.former["btc_balance"]
        newest = max(found, key=_number if is_oldest_layout else _precedence, default=None)
        return self.look([] if newest is None else [newest], now)

    def look(self, rows: list[Cells], now: float) -> bool:
        """Takes the live row, if there is one; whether it is other than before."""
        before, unusable = (self._live, self._unusable), {}
        self._live = (None, None, None)
        if rows:
            batch = self._cleaner.clean(rows, now)
            (btc,), (usd,), (ms,) = batch.values[BTC], batch.values[USD], batch.moments
            self._live = (btc, usd, ms)
            unusable = {**batch.malformed, "": batch.future}
        self._count(unusable)
        return before != (self._live, self._unusable)

    def _count(self, unusable: Mapping[str, int]) -> None:
        """A value that stays unusable is counted once."""
        for column, now in unusable.items():
            new = max(0, now - self._unusable.get(column, 0))
            if column in self.columns:
                self.malformed[column] += new
            elif not column:
                self.future += new
        self._unusable = unusable

    def value(self, price: float | None) -> float | None:
        """USD that all of it is worth, with `price` for a BTC; None where that is not known."""
        btc, usd, _ = self._live
        if btc is None or usd is None or (btc and price is None):
            return None
        value = float(usd + _held(btc, price))
        return value if isfinite(value) else None

    def samples(self, out: Samples, context: Context) -> None:
        btc, usd, ms = self._live
        out.add(c.PORTFOLIO_BTC, btc)
        out.add(c.PORTFOLIO_USD, usd)
        out.add(c.PORTFOLIO_UPDATED, seconds(ms))
        value = self.value(context.price)
        if btc is not None and value is not None:
            self._value_samples(out, value, _held(btc, context.price))

    def _value_samples(self, out: Samples, value: float, held: float) -> None:
        start, goal = self.config.portfolio.starting_value_usd, self.config.portfolio.goal_value_usd
        out.add(c.PORTFOLIO_VALUE, value)
        out.add(c.PORTFOLIO_GROWTH, (value - start) / start)
        out.add(c.PORTFOLIO_GOAL_PROGRESS, (value - start) / (goal - start))
        if value and 0 <= held / value <= 1:
            out.add(c.PORTFOLIO_DEPLOYED, held / value)


def _held(btc: float, price: float | None) -> float:
    """USD that the BTC are worth; without any they need no price."""
    return float(btc) * price if btc and price is not None else 0.0


def _precedence(row: Cells) -> tuple[bool, Any]:
    number = _number(row)
    return number == 1, number


def _number(row: Cells) -> Any:
    row_id, found, *_ = row
    return found if type(found) in (int, float) else row_id or 0
