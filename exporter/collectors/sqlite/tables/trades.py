"""trades: how much was bought and sold by whom, and what the sells earned.

A sell is matched with the oldest buys that are left, whoever made them: there is one portfolio. So every row is
looked at by itself, in row order. What is kept are the buys that are left, LOTS of them at the most: beyond
that a further buy joins the newest one, and both count at their average cost.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.expressions import MICRO, SATOSHI
from exporter.collectors.sqlite.table import Range, Reads, Sums, Table, greatest, seconds
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.samples import HistogramValue, Samples

LOTS = 20_000
SIDES = ("buy", "sell")
EARNINGS = (c.TRADES_PROFITABLE, c.TRADES_UNPROFITABLE, c.TRADE_GAINS, c.TRADE_LOSSES, c.TRADE_UNMATCHED)


def _typed(column: str) -> str:
    return f"typeof({column})"


_AMOUNT = sql.number("amount_btc", _typed("amount_btc"), SATOSHI, lowest=0)
_TOTAL = sql.number("total_usd", _typed("total_usd"), MICRO, lowest=0)
_FEE = sql.number("fee_usd", _typed("fee_usd"), MICRO, lowest=0)
_SIDE = "CASE WHEN typeof(trade_type) = 'text' AND lower(trade_type) IN ('buy', 'sell') THEN lower(trade_type) END"

ROWS = f"""
WITH clean AS (
  SELECT row_id, {sql.text("executed_by")} AS agent, typeof(executed_by) = 'blob' AS bad_agent,
    {_SIDE} AS side, {_AMOUNT} AS satoshi, {_TOTAL} AS total, {_FEE} AS fee,
    {sql.epoch_ms("timestamp")} AS ms, timestamp, trade_type, amount_btc, total_usd, fee_usd
  FROM ({{source}})
)
SELECT json_array(
  max(row_id), count(*),
  json_object(
    'timestamp', {sql.total(sql.unusable("timestamp", "ms"))},
    'executed_by', {sql.total("bad_agent")},
    'trade_type', {sql.total(sql.unusable("trade_type", "side"))},
    'amount_btc', {sql.total(sql.unusable("amount_btc", "satoshi"))},
    'total_usd', {sql.total(sql.unusable("total_usd", "total"))},
    'fee_usd', {sql.total(sql.unusable("fee_usd", "fee"))}),
  json_group_array(json_array({sql.name("agent")}, side, satoshi, total, coalesce(fee, 0), ms))
) FROM clean
"""


class _Trade(NamedTuple):
    """A row; money in 1e-6 USD. What is None is missing or unusable."""

    agent: str | None
    side: str | None
    satoshi: int | None
    total: int | None
    fee: int
    ms: int | None


@dataclass(slots=True)
class _Lot:
    """A buy: how much of it is left, and what all of it cost."""

    left: int
    satoshi: int
    cost: int


@dataclass(slots=True)
class _Earnings:
    """What an agent's sells earned, in 1e-6 USD; unmatched in satoshi."""

    profitable: int = 0
    unprofitable: int = 0
    gains: int = 0
    losses: int = 0
    unmatched: int = 0


class Fifo:
    """The buys that are left, oldest first. Shares of a cost are exact to FINE parts of 1e-6 USD."""

    FINE = 10**12

    def __init__(self) -> None:
        self._lots: deque[_Lot] = deque()

    def buy(self, satoshi: int, cost: int) -> None:
        """Adds a buy; `cost` includes its fee."""
        if not satoshi:
            return
        if len(self._lots) < LOTS:
            self._lots.append(_Lot(satoshi, satoshi, cost))
            return
        newest_lot = self._lots[-1]
        newest_lot.left += satoshi
        newest_lot.satoshi += satoshi
        newest_lot.cost += cost

    def sell(self, satoshi: int, proceeds: int) -> tuple[int, int]:
        """Takes from the oldest buys; (how much of it they covered, what that part earned in 1e-6 USD).

        `proceeds` are less the fee. Half of 1e-6 USD rounds away from zero.
        """
        left, cost = satoshi, 0
        while left and self._lots:
            lot = self._lots[0]
            matched = min(left, lot.left)
            cost += _divided(lot.cost * matched * self.FINE, lot.satoshi)
            left -= matched
            lot.left -= matched
            if not lot.left:
                self._lots.popleft()
        matched = satoshi - left
        if not matched:
            return 0, 0
        # The shares' own rounding is far below the 1000 parts that are dropped first.
        earned = _divided(_divided(proceeds * matched * self.FINE, satoshi) - cost, 1000)
        return matched, _divided(earned, self.FINE // 1000)


def _divided(value: int, by: int) -> int:
    """Rounded to the nearest, half away from zero."""
    quotient = (2 * abs(value) + by) // (2 * by)
    return quotient if value >= 0 else -quotient


class Trades(Table):
    """Totals per agent and side, and the matching of sells with buys."""

    name = "trades"
    columns = ("timestamp", "trade_type", "amount_btc", "total_usd", "fee_usd", "executed_by")
    identity = ("timestamp", "trade_type", "amount_btc", "total_usd")
    required = ("trade_type",)
    needs: ClassVar = {
        "timestamp": {c.TRADE_LAST},
        "executed_by": {c.TRADES, c.TRADE_VOLUME_BTC, c.TRADE_VOLUME_USD, c.TRADE_FEES, *EARNINGS},
        "amount_btc": {c.TRADE_VOLUME_BTC, *EARNINGS},
        "total_usd": {c.TRADE_VOLUME_USD, c.TRADE_VALUE, *EARNINGS},
        "fee_usd": {c.TRADE_FEES},
    }

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._rows_sql = ROWS.format(source=self.source)
        self._sums = Sums()
        self._values = {side: [0] * (len(c.TRADE_BUCKETS) + 1) for side in SIDES}
        self._value_totals = dict.fromkeys(SIDES, 0)
        self._newest: dict[str, int | None] = dict.fromkeys(SIDES)
        self._earnings: dict[str, _Earnings] = {}
        self._fifo = Fifo()

    async def fold(self, read: Reads, span: Range) -> int | None:
        last, rows, malformed, trades = await read.json(self._rows_sql, span.parameters())
        if last is None:
            return None
        self.count(rows, malformed)
        for trade in trades:
            self._add(_Trade(*trade))
        return int(last)

    def _add(self, trade: _Trade) -> None:
        if trade.side is None:
            return
        agent = self.labels.bound_agent(trade.agent, 1)
        for side in SIDES:
            self._sums.add((agent, side), (0, 0, 0, 0))
        self._sums.add((agent, trade.side), (1, trade.satoshi or 0, trade.total or 0, trade.fee))
        self._newest[trade.side] = greatest(self._newest[trade.side], trade.ms)
        if trade.total is not None:
            self._observe(trade.side, trade.total)
        earnings = self._earnings.setdefault(agent, _Earnings())
        if trade.satoshi is not None and trade.total is not None:
            self._match(earnings, trade.side, trade.satoshi, trade.total, trade.fee)

    def _observe(self, side: str, total: int) -> None:
        self._value_totals[side] += total
        counts = self._values[side]
        for position in range(bisect_left(c.TRADE_BUCKETS, total / MICRO), len(counts)):
            counts[position] += 1

    def _match(self, earnings: _Earnings, side: str, satoshi: int, total: int, fee: int) -> None:
        if side == "buy":
            self._fifo.buy(satoshi, total + fee)
            return
        matched, earned = self._fifo.sell(satoshi, total - fee)
        earnings.unmatched += satoshi - matched
        if not matched:
            return
        if earned > 0:
            earnings.profitable += 1
            earnings.gains += earned
        else:
            earnings.unprofitable += 1
            earnings.losses -= earned

    def samples(self, out: Samples) -> None:
        for (agent, side), (trades, satoshi, total, fees) in self._sums.items():
            out.add(c.TRADES, trades, agent, side)
            out.add(c.TRADE_VOLUME_BTC, satoshi / SATOSHI, agent, side)
            out.add(c.TRADE_VOLUME_USD, total / MICRO, agent, side)
            out.add(c.TRADE_FEES, fees / MICRO, agent, side)
        for agent, earnings in self._earnings.items():
            out.add(c.TRADES_PROFITABLE, earnings.profitable, agent)
            out.add(c.TRADES_UNPROFITABLE, earnings.unprofitable, agent)
            out.add(c.TRADE_GAINS, earnings.gains / MICRO, agent)
            out.add(c.TRADE_LOSSES, earnings.losses / MICRO, agent)
            out.add(c.TRADE_UNMATCHED, earnings.unmatched / SATOSHI, agent)
        for side in SIDES:
            value = HistogramValue(self._values[side].copy(), self._value_totals[side] / MICRO)
            out.add(c.TRADE_VALUE, value, side)
            out.add(c.TRADE_LAST, seconds(self._newest[side]), side)
