"""What a replay reads otherwise than a scrape does: moments that no family needs, and what the portfolio held then."""

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Latest, newest_of
from exporter.collectors.sqlite.batch import Batch, Value
from exporter.collectors.sqlite.table import Cells, GrowingTable
from exporter.collectors.sqlite.tables.control import LEVEL, SystemAlerts
from exporter.collectors.sqlite.tables.history import History
from exporter.metrics import catalogue as c

AT = Value("timestamp", values.moment)
BTC = Value("btc_balance", values.finite)
USD = Value("usd_balance", values.finite)


class DatedAlerts(SystemAlerts):
    """Whose rows have a moment."""

    values = (LEVEL, AT)
    at = AT


class Balances(GrowingTable):
    """portfolio_history once more: what the portfolio's own row, which is changed in place, held before."""

    name = History.name
    values = (AT, BTC, USD)
    at = AT
    columns = ("timestamp", "btc_balance", "usd_balance")
    identity = ("timestamp",)

    def declare(self) -> tuple[Aggregate, ...]:
        self._newest = Latest(AT, (newest_of(c.PORTFOLIO_BTC, BTC), newest_of(c.PORTFOLIO_USD, USD)))
        return (self._newest,)

    def prepare(self, batch: Batch) -> Batch:
        return batch

    @property
    def portfolio_row(self) -> Cells:
        """As it stood in `portfolio` at the newest snapshot. When it was changed last, nobody recorded."""
        return [1, 1, self._newest.value(BTC), self._newest.value(USD), None]


REPLAYED: dict[type[GrowingTable], type[GrowingTable]] = {SystemAlerts: DatedAlerts}
"""The tables that are replayed as another one."""
