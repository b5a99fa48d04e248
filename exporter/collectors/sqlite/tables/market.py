"""market_data: the newest quote."""

from collections.abc import Callable
from typing import Any, NamedTuple

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.table import Range, Reads, Table, seconds
from exporter.collectors.sqlite.window import Moment, moment
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.samples import Samples

QUANTITIES = ("price_usd", "volume_24h", "price_change_24h", "fear_greed_index")

# The newest row, its values in columns since JSON would round them; and the newest usable price.
NEWEST = f"""
WITH clean AS MATERIALIZED (
  SELECT row_id, {sql.epoch_ms("timestamp")} AS ms, timestamp IS NOT NULL AS dated,
    {", ".join(f"{sql.finite(column)} AS {column}, {sql.bad_finite(column)} AS bad_{column}" for column in QUANTITIES)}
  FROM ({{source}})
), newest AS (SELECT * FROM clean ORDER BY ms DESC, row_id DESC LIMIT 1),
priced AS (SELECT * FROM clean WHERE price_usd IS NOT NULL ORDER BY ms DESC, row_id DESC LIMIT 1)
SELECT total.last, total.rows, total.malformed, newest.ms, newest.row_id,
  newest.price_usd, newest.volume_24h, newest.price_change_24h, newest.fear_greed_index,
  priced.ms, priced.row_id, priced.price_usd
FROM (
  SELECT max(row_id) AS last, count(*) AS rows,
    json_object('timestamp', {sql.total("dated AND ms IS NULL")},
      {", ".join(f"'{column}', {sql.total(f'bad_{column}')}" for column in QUANTITIES)}) AS malformed
  FROM clean
) AS total LEFT JOIN newest LEFT JOIN priced
"""


class Quote(NamedTuple):
    """Comparable by its moment; values as they are stored."""

    moment: Moment
    values: tuple[float | None, ...]


def later(known: Quote | None, ms: int | None, row_id: int | None, values: tuple[Any, ...]) -> Quote | None:
    """The later of what is known and a row, which may be missing."""
    if row_id is None:
        return known
    found = Quote(moment(ms, row_id), values)
    return found if known is None or found.moment >= known.moment else known


class Market(Table):
    """The newest row, and the newest price that can be used."""

    name = "market_data"
    columns = ("timestamp", *QUANTITIES)
    identity = ("timestamp", "price_usd")
    required = ("timestamp",)

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._newest_sql = NEWEST.format(source=self.source)
        self._newest: Quote | None = None
        self._priced: Quote | None = None

    @property
    def price(self) -> float | None:
        """The newest usable price in USD."""
        return self._priced.values[0] if self._priced and not self.lacking else None

    async def fold(self, read: Reads, span: Range) -> int | None:
        last, rows, malformed, ms, row_id, *rest = await read.row(self._newest_sql, span.parameters())
        if last is None:
            return None
        *values, priced_ms, priced_id, price = rest
        self.count_json(rows, malformed)
        self._newest = later(self._newest, ms, row_id, tuple(values))
        self._priced = later(self._priced, priced_ms, priced_id, (price,))
        return int(last)

    def samples(self, out: Samples) -> None:
        if self._newest is None:
            return
        price, volume, change, fear_greed = self._newest.values
        out.add(c.MARKET_PRICE, price)
        out.add(c.MARKET_VOLUME, volume)
        out.add(c.MARKET_CHANGE, None if change is None else change / 100)
        out.add(c.MARKET_FEAR_GREED, fear_greed)
        out.add(c.MARKET_UPDATED, seconds(self._newest.moment[0]))
