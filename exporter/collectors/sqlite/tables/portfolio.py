"""portfolio_history and portfolio: what the bot's money came to, and what it has now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import ClassVar

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.table import Range, Reads, Table, greatest, seconds
from exporter.collectors.sqlite.tables.market import Quote, later
from exporter.collectors.sqlite.window import moment
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.samples import Samples

SNAPSHOTS = f"""
WITH clean AS MATERIALIZED (
  SELECT row_id, {sql.epoch_ms("timestamp")} AS ms, timestamp IS NOT NULL AS dated,
    {sql.finite("btc_price_usd")} AS price, {sql.bad_finite("btc_price_usd")} AS bad_price,
    {sql.finite("total_value_usd")} AS value, {sql.bad_finite("total_value_usd")} AS bad_value
  FROM ({{source}})
), peaks AS (
  SELECT value, max(max(value) OVER (ORDER BY row_id), coalesce(:peak, value)) AS peak
  FROM clean WHERE value IS NOT NULL
), priced AS (SELECT * FROM clean WHERE price IS NOT NULL ORDER BY ms DESC, row_id DESC LIMIT 1),
first AS (SELECT * FROM clean WHERE ms >= :monday AND value IS NOT NULL ORDER BY ms, row_id LIMIT 1)
SELECT total.last, total.rows, total.malformed, total.newest,
  (SELECT max(peak) FROM peaks), (SELECT max((peak - value) / CAST(peak AS REAL)) FROM peaks WHERE peak > 0),
  priced.ms, priced.row_id, priced.price, first.ms, first.row_id, first.value
FROM (
  SELECT max(row_id) AS last, count(*) AS rows, max(ms) AS newest,
    json_object('timestamp', {sql.total("dated AND ms IS NULL")}, 'btc_price_usd', {sql.total("bad_price")},
      'total_value_usd', {sql.total("bad_value")}) AS malformed
  FROM clean
) AS total LEFT JOIN priced LEFT JOIN first
"""

# Row 1, else the one with the highest id: older layouts add rows. Values in columns, since JSON would round.
LIVE = f"""
WITH live AS (
  SELECT *, coalesce("id", row_id) AS number FROM ({{source}}) ORDER BY number = 1 DESC, number DESC LIMIT 1
)
SELECT (SELECT count(*) FROM (SELECT 1 FROM portfolio LIMIT {sql.MAX_ROWS})),
  {sql.finite("btc_balance")}, {sql.finite("usd_balance")}, {sql.epoch_ms("last_updated")},
  {sql.bad_finite("btc_balance")}, {sql.bad_finite("usd_balance")},
  {sql.unusable("last_updated", sql.epoch_ms("last_updated"))}
FROM (SELECT 1) LEFT JOIN live
"""


def monday(now: float) -> float:
    """Seconds since 1970 of the Monday 00:00 UTC that began the week of `now`."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=today.weekday())).timestamp()


class History(Table):
    """The peak, the largest fall from a peak, and the first snapshot of this week."""

    name = "portfolio_history"
    columns = ("timestamp", "btc_price_usd", "total_value_usd")
    identity = ("timestamp", "btc_price_usd", "total_value_usd")
    needs: ClassVar = {"timestamp": {c.PORTFOLIO_SNAPSHOT, c.PORTFOLIO_WEEK_START_VALUE}}

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._snapshots_sql = SNAPSHOTS.format(source=self.source)
        self._newest_ms: float | None = None
        self._peak: float | None = None
        self._drawdown: float | None = None
        self._priced: Quote | None = None
        self._week_start: Quote | None = None
        self._monday = 0.0

    @property
    def price(self) -> float | None:
        """The newest usable price in USD."""
        return self._priced.values[0] if self._priced and "timestamp" in self.present else None

    async def fold(self, read: Reads, span: Range) -> int | None:
        this_monday = monday(self.clock())
        found = await read.row(
            self._snapshots_sql, {**span.parameters(), "peak": self._peak, "monday": this_monday * 1000}
        )
        last, rows, malformed, newest_ms, peak, drawdown, *rest = found
        if last is None:
            return None
        self.count_json(rows, malformed)
        self._newest_ms = greatest(self._newest_ms, newest_ms)
        self._peak = greatest(self._peak, peak)
        self._drawdown = greatest(self._drawdown, drawdown)
        priced_ms, priced_id, price, first_ms, first_id, first_value = rest
        self._priced = later(self._priced, priced_ms, priced_id, (price,))
        if this_monday != self._monday:
            self._monday, self._week_start = this_monday, None
        if first_id is not None:
            first = Quote(moment(first_ms, first_id), (first_value,))
            self._week_start = min(self._week_start or first, first)
        return int(last)

    def samples(self, out: Samples) -> None:
        out.add(c.PORTFOLIO_PEAK, self._peak)
        out.add(c.PORTFOLIO_DRAWDOWN, self._drawdown)
        out.add(c.PORTFOLIO_SNAPSHOT, seconds(self._newest_ms))
        if self._week_start and self._monday == monday(self.clock()):
            out.add(c.PORTFOLIO_WEEK_START_VALUE, self._week_start.values[0])


class Portfolio(Table):
    """The live row, which the bot updates in place."""

    name = "portfolio"
    columns = ("id", "btc_balance", "usd_balance", "last_updated")

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._live_sql = LIVE.format(source=sql.first_and_last(self.name, self.columns, present))
        self._btc: float | None = None
        self._usd: float | None = None
        self._updated_ms: float | None = None
        self._unusable: tuple[int, ...] = (0, 0, 0)
        self.price: float | None = None
        """USD for a BTC; set by whoever knows the other tables."""

    async def follow(self, read: Reads) -> bool:
        rows, self._btc, self._usd, self._updated_ms, *unusable = await read.row(self._live_sql, {})
        self.rows = max(self.rows, rows)
        for column, now, before in zip(self.columns[1:], unusable, self._unusable, strict=True):
            self.malformed[column] += now > before
        self._unusable = tuple(unusable)
        return True

    def samples(self, out: Samples) -> None:
        out.add(c.PORTFOLIO_BTC, self._btc)
        out.add(c.PORTFOLIO_USD, self._usd)
        out.add(c.PORTFOLIO_UPDATED, seconds(self._updated_ms))
        if self._btc is None or self._usd is None or self.price is None:
            return
        held = self._btc * self.price
        value = self._usd + held
        if isfinite(value):
            self._value_samples(out, value, held)

    def _value_samples(self, out: Samples, value: float, held: float) -> None:
        start, goal = self.config.portfolio.starting_value_usd, self.config.portfolio.goal_value_usd
        out.add(c.PORTFOLIO_VALUE, value)
        out.add(c.PORTFOLIO_GROWTH, (value - start) / start)
        out.add(c.PORTFOLIO_GOAL_PROGRESS, (value - start) / (goal - start))
        if value and 0 <= held / value <= 1:
            out.add(c.PORTFOLIO_DEPLOYED, held / value)
