"""trades."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from . import values
from .table import Labels, Samples, Settings, Table, grouped, known, rowid, seconds

SIDES = ("buy", "sell")
HOLDING_BUCKETS = (60, 300, 900, 3600, 14400, 43200, 86400, 259200, 604800, 2592000, 7776000)
VALUE_BUCKETS = ("10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000")


@dataclass(frozen=True)
class Trade:
    rowid: int
    agent: str
    side: str
    at: int | None
    amount: int | None
    total: int | None
    fee: int


@dataclass(frozen=True)
class Sale:
    """What first-in-first-out matching says of one sell; `gain` is negative for a loss."""

    agent: str
    gain: int | None
    unmatched: int
    held: tuple[int, ...] = ()


@dataclass
class Lot:
    """A buy, and how much of it has not been sold yet."""

    amount: int
    left: int
    cost: int
    at: int | None


def read(table: Table, labels: Labels, now: float) -> list[Trade]:
    return known(_trade(table, labels, row, now) for row in table.rows)


def _trade(table: Table, labels: Labels, row: dict[str, Any], now: float) -> Trade | None:
    """None where the side is not known: such a row counts nowhere, but for its malformed values."""
    side = table.read(row, "trade_type", values.side)
    at = table.moment(row, "timestamp", now)
    amount = table.read(row, "amount_btc", values.btc)
    total = table.read(row, "total_usd", values.usd)
    fee = table.read(row, "fee_usd", values.usd) or 0
    name = table.read(row, "executed_by", values.word)
    return Trade(rowid(row), labels.agent(name), side, at, amount, total, fee) if side else None


def sales(trades: list[Trade], lots: deque[Lot]) -> Iterator[Sale]:
    """The lots that are left are in `lots` afterwards."""
    for trade in trades:
        if trade.amount is None or trade.total is None:
            continue
        if trade.side == "buy":
            if trade.amount:
                lots.append(Lot(trade.amount, trade.amount, trade.total + trade.fee, trade.at))
        else:
            yield _sale(trade, trade.amount, trade.total, lots)


def _sale(trade: Trade, amount: int, total: int, lots: deque[Lot]) -> Sale:
    unmatched, cost = amount, Fraction(0)
    held: list[int] = []
    while unmatched and lots:
        lot = lots[0]
        taken = min(unmatched, lot.left)
        cost += Fraction(lot.cost * taken, lot.amount)
        if lot.at is not None and trade.at is not None and lot.at <= trade.at:
            held.append(trade.at - lot.at)
        unmatched -= taken
        lot.left -= taken
        if not lot.left:
            lots.popleft()
    matched = amount - unmatched
    if not matched:
        return Sale(trade.agent, None, unmatched)
    proceeds = Fraction((total - trade.fee) * matched, amount)
    return Sale(trade.agent, values.round_half_away(proceeds - cost), unmatched, tuple(held))


def put(samples: Samples, table: Table, labels: Labels, settings: Settings, price: float | None) -> None:
    trades = read(table, labels, settings.now)
    if not table.has("trade_type"):
        return
    for side in SIDES:
        _put_side(samples, table, [trade for trade in trades if trade.side == side], side)
    lots: deque[Lot] = deque()
    every_sale = list(sales(trades, lots))
    if table.has("amount_btc", "total_usd"):
        _put_position(samples, table, lots, price)
        if table.has("timestamp"):
            held = [time for sale in every_sale for time in sale.held]
            samples.put_histogram("tweetbot_trades_holding_seconds", held, map(str, HOLDING_BUCKETS), 1000)
    if not table.has("executed_by"):
        return
    agents = dict.fromkeys(trade.agent for trade in trades)
    for agent in agents:
        for side in SIDES:
            rows = [trade for trade in trades if (trade.agent, trade.side) == (agent, side)]
            _put_agent(samples, table, rows, agent=agent, side=side)
    if table.has("amount_btc", "total_usd"):
        sold = grouped(every_sale, lambda sale: sale.agent)
        for agent in agents:
            _put_sales(samples, sold.get(agent, []), agent)


def _put_position(samples: Samples, table: Table, lots: deque[Lot], price: float | None) -> None:
    btc = Fraction(sum(lot.left for lot in lots), values.BTC)
    cost = sum((Fraction(lot.cost * lot.left, lot.amount * values.USD) for lot in lots), Fraction(0))
    samples.put("tweetbot_position_btc", btc)
    samples.put("tweetbot_position_cost_usd", cost)
    if lots and table.has("timestamp"):
        samples.put_known("tweetbot_position_opened_timestamp_seconds", seconds(lots[0].at))
    if price is not None:
        samples.put("tweetbot_position_unrealized_profit_usd", float(btc) * price - float(cost))


def _put_side(samples: Samples, table: Table, trades: list[Trade], side: str) -> None:
    if table.has("total_usd"):
        totals = known(trade.total for trade in trades)
        samples.put_histogram("tweetbot_trade_value_usd", totals, VALUE_BUCKETS, values.USD, side=side)
    newest = max(known(trade.at for trade in trades), default=None)
    samples.put_known("tweetbot_trade_last_timestamp_seconds", seconds(newest), side=side)


def _put_agent(samples: Samples, table: Table, trades: list[Trade], **labels: str) -> None:
    samples.put("tweetbot_trades_total", len(trades), **labels)
    if table.has("amount_btc"):
        amount = Fraction(sum(known(trade.amount for trade in trades)), values.BTC)
        samples.put("tweetbot_trade_volume_btc_total", amount, **labels)
    if table.has("total_usd"):
        total = Fraction(sum(known(trade.total for trade in trades)), values.USD)
        samples.put("tweetbot_trade_volume_usd_total", total, **labels)
    if table.has("fee_usd"):
        fees = Fraction(sum(trade.fee for trade in trades), values.USD)
        samples.put("tweetbot_trade_fees_usd_total", fees, **labels)


def _put_sales(samples: Samples, sold: list[Sale], agent: str) -> None:
    gains = known(sale.gain for sale in sold)
    samples.put("tweetbot_trades_profitable_total", sum(gain > 0 for gain in gains), agent=agent)
    samples.put("tweetbot_trades_unprofitable_total", sum(gain <= 0 for gain in gains), agent=agent)
    gained = sum(gain for gain in gains if gain > 0)
    samples.put("tweetbot_trade_gains_usd_total", Fraction(gained, values.USD), agent=agent)
    lost = -sum(gain for gain in gains if gain < 0)
    samples.put("tweetbot_trade_losses_usd_total", Fraction(lost, values.USD), agent=agent)
    unmatched = sum(sale.unmatched for sale in sold)
    samples.put("tweetbot_trade_unmatched_btc_total", Fraction(unmatched, values.BTC), agent=agent)
