"""Source 1 as the contract states it, for a fresh exporter that has read the whole file.

`expected(path)` reads every table with `SELECT rowid, *` and computes in plain Python. Where the contract
leaves a choice, this is the reading taken here:

 1. A JSON column that holds `null` is missing; any other valid JSON that is no object is malformed.
 2. `outcome.success` that is neither true, false nor null is malformed, and the decision pending.
 3. `outcome.actualResult` beyond the doubles (9e999) is malformed; the mean is over plain doubles.
 4. Malformed values are counted over all rows of the tables that only grow, even where only the newest row
    shows (agent_state, market_data), so that ranges cannot be seen; of `portfolio` only the live row is read,
    of `system_config` only `system_status`.
 5. The malformed counter starts at 0 for every column that is there and is read (`READ`).
 6. A name, level or status that is no text (a BLOB) is malformed and reads `unknown`; the row counts.
 7. Data that says "other" itself takes no place within a bound and is no overflow; "unknown" takes one. A
    row overflows once, be it for agent or type. A message overflows by its recipient only; its sender's row
    already did.
 8. An alias applies to every spelling of a name (keys are spelt as labels too), not to names too long.
 9. Timestamps must exist in the calendar: 30 February and 24:00:00 are malformed. A fraction is cut to ms.
10. Histogram buckets and bands compare the integer units, not the doubles they came from.
11. Gauges: balances, prices, learning rate and actual results as stored; autonomy and performance score
    in units of 1e-9, as they are for sums. Any finite price or balance will do, negative ones too.
12. A negative fee is malformed. A trade whose type cannot be read counts nowhere, but all of its malformed
    values count. A missing `fee_usd` column leaves only the fees out; matching goes on without fees.
13. Profitable or not is said of the gain rounded to 1e-6 USD; a gain that rounds to zero is unprofitable.
14. The price for the portfolio's value is the newest usable one: of market_data, else of the snapshots, else of
    the decisions' context, whose unusable values are not counted: it is read for the price alone. The week's first
    snapshot is the earliest by time with a usable value. Peak and drawdown are in row order, and are there where
    portfolio_history has values to tell. A value that is not finite is absent.
15. Starting and goal value come from the configuration: always present. No growth where the start is 0.
16. Families that need "newest" (window, state, Brier score, market, snapshot price) need a timestamp column;
    without the agent's column everything by agent is absent.
17. A holding time is said of each buy that a sell takes from, where both moments are known and the sell is not the
    earlier. The position's cost is exact; without buys left its moment is absent.
18. A row ahead of the clock is counted as such and not as malformed. A decision saved again counts as it is now.
19. `system_status` other than running and paused is malformed. Alert levels: known ones in any case, NULL or
    empty `unknown`, the rest `other`. Statuses other than the three are bounded as agents are.
"""

import time
from collections.abc import Mapping

from . import control, decisions, executions, portfolio, trades
from .table import Key, Labels, Samples, Settings, Table, read_tables

READ = {
    "agent_executions": (
        "timestamp", "agent_name", "execution_type", "success", "execution_time_ms", "output_data",
    ),
    "agent_decisions": (
        "timestamp", "agent", "type", "reasoning", "outcome", "agent_state", "system", "feedback",
    ),
    "portfolio": ("btc_balance", "usd_balance", "last_updated"),
    "portfolio_history": ("timestamp", "btc_price_usd", "total_value_usd"),
    "trades": ("timestamp", "trade_type", "amount_btc", "total_usd", "fee_usd", "executed_by"),
    "market_data": ("timestamp", "price_usd", "volume_24h", "price_change_24h", "fear_greed_index"),
    "system_config": ("value",),
    "system_commands": ("status",),
    "system_alerts": ("level",),
}  # fmt: skip
LIVE = ("portfolio", "system_config", "system_commands")
"""The tables whose rows are changed in place; those of all others are read by their numbers."""
DATED = {table for table, columns in READ.items() if {"timestamp", "last_updated"}.intersection(columns)}


def expected(
    path: str,
    *,
    window: int = 50,
    starting_value_usd: float = 10000.0,
    goal_value_usd: float = 10500.0,
    aliases: Mapping[str, str] | None = None,
    now: float | None = None,
    max_agents: int = 100,
    max_pairs: int = 500,
) -> dict[Key, float]:
    settings = Settings(
        window=window,
        starting_value_usd=starting_value_usd,
        goal_value_usd=goal_value_usd,
        aliases=aliases or {},
        now=time.time() if now is None else now,
        max_agents=max_agents,
        max_pairs=max_pairs,
    )
    return expected_of(readable(read_tables(path, READ)), settings)


def readable(tables: Mapping[str, Table]) -> dict[str, Table]:
    return {name: table for name, table in tables.items() if table.is_numbered or name in LIVE}


def expected_of(tables: Mapping[str, Table], settings: Settings) -> Samples:
    samples = Samples()
    labels = {name: Labels(settings) for name in tables}
    for name, put in (("agent_executions", executions.put), ("agent_decisions", decisions.put)):
        if table := tables.get(name):
            before = len(samples)
            put(samples, table, labels[name], settings)
            if len(samples) == before:
                labels[name].overflow = 0  # no label, no overflow
    price = decisions.newest_price(table, settings.now) if (table := tables.get("agent_decisions")) else None
    live, history, market = map(tables.get, ("portfolio", "portfolio_history", "market_data"))
    price = portfolio.put(samples, live, history, market, price, settings)
    if table := tables.get("trades"):
        trades.put(samples, table, labels[table.name], settings, price)
    if table := tables.get("system_config"):
        control.put_config(samples, table)
    if table := tables.get("system_alerts"):
        control.put_alerts(samples, table)
    if table := tables.get("system_commands"):
        control.put_commands(samples, table, labels[table.name], settings)
    _put_reading(samples, tables, labels)
    return samples


def _put_reading(samples: Samples, tables: Mapping[str, Table], labels: Mapping[str, Labels]) -> None:
    for table in tables.values():
        samples.put("tweetbot_database_rows_total", len(table.rows), table=table.name)
        if table.name in DATED:
            samples.put("tweetbot_database_future_rows_total", table.future, table=table.name)
        for column in READ[table.name]:
            if table.has(column):
                name = "tweetbot_database_malformed_values_total"
                samples.put(name, table.malformed[column], table=table.name, column=column)
    overflow = sum(of_table.overflow for of_table in labels.values())
    samples.put("tweetbot_label_overflow_total", overflow, collector="database")
