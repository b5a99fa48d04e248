"""portfolio_history: what the bot's money came to."""

from collections.abc import Callable
from typing import Any, ClassVar

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Latest, Needs, Newest
from exporter.collectors.sqlite.batch import Batch, By, Value
from exporter.collectors.sqlite.table import Context, GrowingTable
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
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


DAY_MS = 86_400_000
MONDAY_MS = 4 * DAY_MS
"""The first Monday after 1970 began, which was a Thursday."""


def midnight_ms(ms: float) -> int:
    """Milliseconds since 1970 of the 00:00 UTC that began the day."""
    return int(ms // DAY_MS * DAY_MS)


def monday_ms(ms: float) -> int:
    """Milliseconds since 1970 of the Monday 00:00 UTC that began the week."""
    return int((ms - MONDAY_MS) // (7 * DAY_MS) * (7 * DAY_MS) + MONDAY_MS)


class FirstValue(Aggregate):
    """The first snapshot of each of the newest periods that have one: the last may have begun by the bot's clock only.

    `start_of` says when the period of a moment began; both are milliseconds since 1970.
    """

    PERIODS = 2

    def __init__(self, family: Family, start_of: Callable[[float], int]) -> None:
        self.family = family
        self._start_of = start_of
        self._first: dict[int, tuple[int, int, float]] = {}

    @property
    def needs(self) -> Needs:
        return {self.family: frozenset({AT.column, TOTAL.column})}

    def fold(self, batch: Batch) -> None:
        for row in zip(batch.moments, batch.row_ids, batch.values[TOTAL], strict=True):
            if row[2] is not None:
                period = self._start_of(row[0])
                self._first[period] = min(self._first.get(period, row), row)
        for period in sorted(self._first)[: -self.PERIODS]:
            del self._first[period]

    def since(self, start: float) -> float | None:
        """USD of the first snapshot at or after the start of a period, in seconds since 1970."""
        periods = [period for period in self._first if period >= start * 1000]
        return self._first[min(periods)][2] if periods else None

    def samples(self, out: Samples) -> None:
        """Nothing by itself: which period it is now, is not of this table."""

    def dump(self) -> Any:
        return [*self._first.values()]

    def load(self, found: Any) -> None:
        self._first = {self._start_of(row[0]): tuple(row) for row in found}


class History(GrowingTable):
    """The peak, the largest fall from a peak, the first snapshots of today and of this week, and a price."""

    name = "portfolio_history"
    values = (AT, PRICE, TOTAL)
    at = AT
    columns = ("timestamp", "btc_price_usd", "total_value_usd")
    identity = ("timestamp", "btc_price_usd", "total_value_usd")
    depends: ClassVar = ("midnight", "monday", "value")

    def declare(self) -> tuple[Aggregate, ...]:
        self._priced = Latest(AT, having=PRICE)
        self._drawdown = Drawdown(self.config.portfolio.starting_value_usd)
        self._day = FirstValue(c.PORTFOLIO_DAY_START_VALUE, midnight_ms)
        self._week = FirstValue(c.PORTFOLIO_WEEK_START_VALUE, monday_ms)
        return (self._priced, self._drawdown, self._day, self._week, Newest(c.PORTFOLIO_SNAPSHOT, ALL, AT))

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
        out.add(c.PORTFOLIO_DAY_START_VALUE, self._day.since(context.midnight))
        out.add(c.PORTFOLIO_WEEK_START_VALUE, self._week.since(context.monday))
