"""trades: how much was bought and sold by whom, what the sells earned, and what is left."""

from itertools import product
from typing import Any, ClassVar

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Count, Histogram, Needs, Newest, Total
from exporter.collectors.sqlite.batch import Batch, By, Value
from exporter.collectors.sqlite.fifo import Fifo
from exporter.collectors.sqlite.table import Context, GrowingTable
from exporter.collectors.sqlite.values import MICRO, OLDEST, PICO, seconds
from exporter.metrics import catalogue as c
from exporter.metrics.samples import Samples

AT = Value("timestamp", values.moment)
TYPE = Value("trade_type", values.side)
AMOUNT = Value("amount_btc", values.btc)
TOTAL = Value("total_usd", values.usd)
FEE = Value("fee_usd", values.usd)
AGENT_NAME = Value("executed_by", values.name)

SIDES = ("buy", "sell")
PAIR = By(("executed_by", "trade_type"))
SIDE = By(("trade_type",))
AGENT = By(("executed_by",))
_MATCHED = frozenset({"trade_type", "amount_btc", "total_usd"})


class Earnings(Aggregate):
    """What each agent's sells earned, and the position that is left."""

    EARNED = (c.TRADES_PROFITABLE, c.TRADES_UNPROFITABLE, c.TRADE_GAINS, c.TRADE_LOSSES, c.TRADE_UNMATCHED)
    UNITS = (1, 1, MICRO, MICRO, PICO)

    def __init__(self) -> None:
        self._by_agent: dict[str, list[int]] = {}
        self._fifo = Fifo(OLDEST)
        self._held = Histogram(c.TRADE_HOLDING, By(), AT, 1000)
        self._held.totals = {(): self._held.empty()}

    @property
    def needs(self) -> Needs:
        return {
            **dict.fromkeys(self.EARNED, _MATCHED | {"executed_by"}),
            **dict.fromkeys((c.POSITION_BTC, c.POSITION_COST, c.POSITION_PROFIT), _MATCHED),
            **dict.fromkeys((c.POSITION_OPENED, c.TRADE_HOLDING), _MATCHED | {"timestamp"}),
        }

    def fold(self, batch: Batch) -> None:
        columns = (batch.values[value] for value in (TYPE, AMOUNT, TOTAL, FEE))
        rows = zip(batch.groups[AGENT], batch.moments, *columns, strict=True)
        held: list[int] = []
        for group, ms, side, amount, total, fee in rows:
            assert group is not None
            earned = self._by_agent.setdefault(group[0], [0] * len(self.EARNED))
            if amount is None or total is None:
                continue
            if side == "buy":
                self._fifo.buy(amount, total + (fee or 0), ms)
            else:
                held += self._sell(earned, amount, total - (fee or 0), ms)
        known = Batch(held, values={AT: held})
        known.group(By(), [()] * len(held))
        self._held.fold(known)

    def _sell(self, totals: list[int], amount: int, proceeds: int, ms: int) -> list[int]:
        matched, earned, held = self._fifo.sell(amount, proceeds, ms)
        totals[4] += amount - matched
        if matched:
            profitable = earned > 0
            totals[0 if profitable else 1] += 1
            totals[2 if profitable else 3] += abs(earned)
        return held

    def samples(self, out: Samples) -> None:
        for agent, totals in self._by_agent.items():
            for family, unit, total in zip(self.EARNED, self.UNITS, totals, strict=True):
                out.add(family, total if unit == 1 else total / unit, agent)
        self._held.samples(out)
        out.add(c.POSITION_BTC, self._fifo.left / PICO)
        out.add(c.POSITION_COST, self._fifo.cost / MICRO)
        out.add(c.POSITION_OPENED, seconds(self._fifo.opened_ms))

    def profit(self, price: float | None) -> float | None:
        """USD that the position is worth more than it cost."""
        return None if price is None else self._fifo.left / PICO * price - self._fifo.cost / MICRO

    def dump(self) -> Any:
        return {"by_agent": self._by_agent, "fifo": self._fifo.dump(), "held": self._held.dump()}

    def load(self, found: Any) -> None:
        self._by_agent = dict(found["by_agent"])
        self._fifo.load(found["fifo"])
        self._held.load(found["held"])


class Trades(GrowingTable):
    """Totals per agent and side, and the matching of sells with buys."""

    name = "trades"
    values = (AT, TYPE, AMOUNT, TOTAL, FEE, AGENT_NAME)
    agent = AGENT_NAME
    at = AT
    columns = ("timestamp", "trade_type", "amount_btc", "total_usd", "fee_usd", "executed_by")
    identity = ("timestamp", "trade_type", "amount_btc", "total_usd")
    depends: ClassVar = ("price",)

    def declare(self) -> tuple[Aggregate, ...]:
        traded = Histogram(c.TRADE_VALUE, SIDE, TOTAL, MICRO)
        traded.totals = {(side,): traded.empty() for side in SIDES}
        self._earnings = Earnings()
        return (
            Count(c.TRADES, PAIR),
            Total(c.TRADE_VOLUME_BTC, PAIR, AMOUNT, PICO),
            Total(c.TRADE_VOLUME_USD, PAIR, TOTAL, MICRO),
            Total(c.TRADE_FEES, PAIR, FEE, MICRO),
            traded,
            Newest(c.TRADE_LAST, SIDE, AT),
            self._earnings,
        )

    def prepare(self, batch: Batch) -> Batch:
        """A row of which the side is not known counts nowhere."""
        batch = batch.only([place for place, side in enumerate(batch.values[TYPE]) if side is not None])
        agents, sides = self.label(batch.values[AGENT_NAME]), batch.values[TYPE]
        pairs = [(agent, side) for (agent,), side in zip(agents, sides, strict=True)]
        batch.group(PAIR, pairs, [(agent, side) for (agent,), side in product(dict.fromkeys(agents), SIDES)])
        batch.group(SIDE, [(side,) for side in sides])
        batch.group(AGENT, agents)
        return batch

    def samples(self, out: Samples, context: Context) -> None:
        super().samples(out, context)
        out.add(c.POSITION_PROFIT, self._earnings.profit(context.price))
