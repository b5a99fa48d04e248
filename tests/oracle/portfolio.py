"""portfolio, portfolio_history and market_data: gauges, shown as they are stored."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from . import values
from .table import Samples, Settings, Table, known, newest_last, rowid, seconds


@dataclass(frozen=True)
class Moment:
    """A row of market_data or portfolio_history."""

    rowid: int
    at: int | None
    price: float | None
    value: float | None = None
    volume: float | None = None
    change: float | None = None
    fear_greed: float | None = None


def read_market(table: Table, now: float) -> list[Moment]:
    """Oldest first; empty where the table has no timestamps to tell the newest by."""
    moments = [
        Moment(
            rowid(row),
            table.moment(row, "timestamp", now),
            price=table.read(row, "price_usd", values.number),
            volume=table.read(row, "volume_24h", values.number),
            change=table.read(row, "price_change_24h", values.number),
            fear_greed=table.read(row, "fear_greed_index", values.number),
        )
        for row in table.rows
    ]
    return newest_last(moments) if table.has("timestamp") else []


def read_history(table: Table, now: float) -> list[Moment]:
    """In row order."""
    return [
        Moment(
            rowid(row),
            table.moment(row, "timestamp", now),
            price=table.read(row, "btc_price_usd", values.number),
            value=table.read(row, "total_value_usd", values.number),
        )
        for row in table.rows
    ]


def put(
    samples: Samples,
    live: Table | None,
    history: Table | None,
    market: Table | None,
    decisions_price: float | None,
    settings: Settings,
) -> float | None:
    """Gives the price."""
    samples.put("tweetbot_portfolio_starting_value_usd", settings.starting_value_usd)
    samples.put("tweetbot_portfolio_goal_value_usd", settings.goal_value_usd)
    quotes = read_market(market, settings.now) if market else []
    snapshots = read_history(history, settings.now) if history else []
    if quotes:
        _put_market(samples, quotes[-1])
    dated = [snapshot for snapshot in newest_last(snapshots) if snapshot.at is not None]
    if dated:
        samples.put_known("tweetbot_portfolio_snapshot_timestamp_seconds", seconds(dated[-1].at))
        _put_first_values(samples, dated, settings.now)
    ordered = newest_last(snapshots) if history and history.has("timestamp") else []
    price = newest_price(quotes, ordered)
    if price is None:
        price = decisions_price
    value = _put_live(samples, live, price, settings) if live and live.rows else None
    if history and history.has("total_value_usd"):
        _put_drawdown(
            samples, known([settings.starting_value_usd, *(snapshot.value for snapshot in snapshots), value])
        )
    return price


def newest_price(quotes: Iterable[Moment], snapshots: Iterable[Moment]) -> float | None:
    """Market prices first, however old: a snapshot's only where there is none."""
    prices = known(quote.price for quote in quotes) or known(snapshot.price for snapshot in snapshots)
    return prices[-1] if prices else None


def _put_market(samples: Samples, newest: Moment) -> None:
    samples.put_known("tweetbot_market_price_usd", newest.price)
    samples.put_known("tweetbot_market_volume_24h_usd", newest.volume)
    change = None if newest.change is None else newest.change / 100
    samples.put_known("tweetbot_market_price_change_24h_ratio", change)
    samples.put_known("tweetbot_market_fear_greed_index", newest.fear_greed)
    samples.put_known("tweetbot_market_updated_timestamp_seconds", seconds(newest.at))


def _put_drawdown(samples: Samples, history: list[float]) -> None:
    samples.put("tweetbot_portfolio_peak_value_usd", max(history))
    peaks = accumulate(history, max)
    drawdowns = [(peak - value) / peak for peak, value in zip(peaks, history, strict=True) if peak > 0]
    samples.put("tweetbot_portfolio_max_drawdown_ratio", max(drawdowns, default=0.0))


def _put_first_values(samples: Samples, dated: list[Moment], now: float) -> None:
    """Of today and of this week, both of which begin at 00:00 UTC."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for name, start in (("day", today), ("week", today - timedelta(days=today.weekday()))):
        since = start.timestamp() * 1000
        first = next(iter(known(row.value for row in dated if row.at is not None and row.at >= since)), None)
        samples.put_known(f"tweetbot_portfolio_{name}_start_value_usd", first)


def live_row(table: Table) -> dict[str, Any]:
    """Id 1, else the highest id."""
    return max(table.rows, key=lambda row: (row_id(row) == 1, row_id(row)))


def row_id(row: dict[str, Any]) -> int:
    id_ = row.get("id")
    return id_ if isinstance(id_, int) else rowid(row)


def _put_live(samples: Samples, table: Table, price: float | None, settings: Settings) -> float | None:
    """Gives the value."""
    row = live_row(table)
    btc = table.read(row, "btc_balance", values.number)
    usd = table.read(row, "usd_balance", values.number)
    updated = table.moment(row, "last_updated", settings.now)
    samples.put_known("tweetbot_portfolio_balance_btc", btc)
    samples.put_known("tweetbot_portfolio_balance_usd", usd)
    samples.put_known("tweetbot_portfolio_updated_timestamp_seconds", seconds(updated))
    if btc is None or usd is None or (btc and price is None):
        return None
    held = float(btc) * price if btc and price is not None else 0.0
    value = usd + held
    if not math.isfinite(value):
        return None
    _put_value(samples, value, held, settings)
    return value


def _put_value(samples: Samples, value: float, held: float, settings: Settings) -> None:
    start, goal = settings.starting_value_usd, settings.goal_value_usd
    samples.put("tweetbot_portfolio_value_usd", value)
    if start:
        samples.put("tweetbot_portfolio_growth_ratio", (value - start) / start)
    if goal != start:
        samples.put("tweetbot_portfolio_goal_progress_ratio", (value - start) / (goal - start))
    if value and 0 <= held / value <= 1:
        samples.put("tweetbot_portfolio_deployed_ratio", held / value)
