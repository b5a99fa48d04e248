"""portfolio_history: what the bot's money came to."""

from typing import Any, ClassVar

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Latest, Needs, Newest
from exporter.collectors.sqlite.batch import Batch, By, Value
from exporter.collectors.sqlite.table import Context, GrowingTable
from exporter.metrics import catalogue as c
from exporter.metrics.samples import Samples

AT = Value("timestamp", values.moment)
PRICE = Value("btc_price_usd", values.finite)
TOTAL = Value("total_value_usd", values.finite)
ALL = By()


class Drawdown(Aggregate):
    """The highest value and the largest fall from an earlier peak, from the starting value on, in row order."""

    def __init__(self, start: float) -> None:
        self.peak: float = start
        self.fall = 0.0

    @property
    def needs(self) -> Needs:
        return {family: frozenset({TOTAL.column}) for family in (c.PORTFOLIO_PEAK, c.PORTFOLIO_DRAWDOWN)}

    def fold(self, batch: Batch) -> None:
        for value in batch.values[TOTAL]:
            if value is not None:
                self.peak, self.fall = self.after(value)

    def after(self, value: float) -> tuple[float, float]:
        """Peak and largest fall if `value` comes next."""
        peak = max(self.peak, value)
        return peak, max(self.fall, (peak - value) / peak if peak > 0 else 0.0)

    def samples(self, out: Samples) -> None:
        """Nothing by itself: the live value comes last, and is not of this table."""

    def dump(self) -> Any:
        return [self.peak, self.fall]

    def load(self, found: Any) -> None:
        self.peak, self.fall = found


class WeekStart(Aggregate):
    """The first snapshot of each of the newest weeks that have one: the last may have begun by the bot's clock only."""

    WEEKS = 2

    def __init__(self) -> None:
        self._first: dict[int, tuple[int, int, float]] = {}

    @property
    def needs(self) -> Needs:
        return {c.PORTFOLIO_WEEK_START_VALUE: frozenset({AT.column, TOTAL.column})}

    def fold(self, batch: Batch) -> None:
        for row in zip(batch.moments, batch.row_ids, batch.values[TOTAL], strict=True):
            if row[2] is not None:
                monday = monday_ms(row[0])
                self._first[monday] = min(self._first.get(monday, row), row)
        for monday in sorted(self._first)[: -self.WEEKS]:
            del self._first[monday]

    def value(self, monday: float) -> float | None:
        """USD of the first snapshot at or after that Monday, in seconds since 1970."""
        weeks = [week for week in self._first if week >= monday * 1000]
        return self._first[min(weeks)][2] if weeks else None

    def samples(self, out: Samples) -> None:
        """Nothing by itself: which week it is, is not of this table."""

    def dump(self) -> Any:
        return [*self._first.values()]

    def load(self, found: Any) -> None:
        self._first = {monday_ms(row[0]): tuple(row) for row in found}


class History(GrowingTable):
    """The peak, the largest fall from a peak, the first snapshot of this week, and a price."""

    name = "portfolio_history"
    values = (AT, PRICE, TOTAL)
    at = AT
    columns = ("timestamp", "btc_price_usd", "total_value_usd")
    identity = ("timestamp", "btc_price_usd", "total_value_usd")
    depends: ClassVar = ("monday", "value")

    def declare(self) -> tuple[Aggregate, ...]:
        self._priced = Latest(AT, having=PRICE)
        self._drawdown = Drawdown(self.config.portfolio.starting_value_usd)
        self._week = WeekStart()
        return (self._priced, self._drawdown, self._week, Newest(c.PORTFOLIO_SNAPSHOT, ALL, AT))

    def prepare(self, batch: Batch) -> Batch:
        batch.group(ALL, [()] * len(batch))
        return batch

    def price(self) -> float | None:
        price: float | None = self._priced.value(PRICE) if "timestamp" in self.present else None
        return price

    def samples(self, out: Samples, context: Context) -> None:
        super().samples(out, context)
        drawdown = self._drawdown
        peak, fall = (
            drawdown.after(context.value) if context.value is not None else (drawdown.peak, drawdown.fall)
        )
        out.add(c.PORTFOLIO_PEAK, peak)
        out.add(c.PORTFOLIO_DRAWDOWN, fall)
        out.add(c.PORTFOLIO_WEEK_START_VALUE, self._week.value(context.monday))


DAY_MS = 86_400_000
MONDAY_MS = 4 * DAY_MS
"""The first Monday after 1970 began, which was a Thursday."""


def monday_ms(ms: float) -> int:
    """Milliseconds since 1970 of the Monday 00:00 UTC that began the week."""
    return int((ms - MONDAY_MS) // (7 * DAY_MS) * (7 * DAY_MS) + MONDAY_MS)
