"""market_data: the newest quote."""

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Latest, moment_of, newest_of
from exporter.collectors.sqlite.batch import Batch, Value
from exporter.collectors.sqlite.table import GrowingTable
from exporter.metrics import catalogue as c

AT = Value("timestamp", values.moment)
PRICE = Value("price_usd", values.finite)
VOLUME = Value("volume_24h", values.finite)
CHANGE = Value("price_change_24h", values.finite)
FEAR_GREED = Value("fear_greed_index", values.finite)

PERCENT = 100


class Market(GrowingTable):
    """The newest row, and the newest price that can be used."""

    name = "market_data"
    values = (AT, PRICE, VOLUME, CHANGE, FEAR_GREED)
    at = AT
    columns = ("timestamp", "price_usd", "volume_24h", "price_change_24h", "fear_greed_index")
    identity = ("timestamp", "price_usd")

    def declare(self) -> tuple[Aggregate, ...]:
        quote = Latest(
            AT,
            (
                newest_of(c.MARKET_PRICE, PRICE),
                newest_of(c.MARKET_VOLUME, VOLUME),
                newest_of(c.MARKET_CHANGE, CHANGE, PERCENT),
                newest_of(c.MARKET_FEAR_GREED, FEAR_GREED),
                moment_of(c.MARKET_UPDATED),
            ),
        )
        self._priced = Latest(AT, having=PRICE)
        return (quote, self._priced)

    def prepare(self, batch: Batch) -> Batch:
        return batch

    def price(self) -> float | None:
        price: float | None = self._priced.value(PRICE) if "timestamp" in self.present else None
        return price
