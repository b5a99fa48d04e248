"""The tables' modules without a file: rows as cells in, families out."""

from random import Random
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.cells import CELLS
from oracle.page import samples_of
from oracle.table import Key

from exporter.collectors.sqlite.table import Context, GrowingTable
from exporter.collectors.sqlite.tables.all import TABLES
from exporter.collectors.sqlite.tables.control import SystemCommands, SystemConfig
from exporter.collectors.sqlite.tables.executions import Executions
from exporter.collectors.sqlite.tables.history import History
from exporter.collectors.sqlite.tables.market import Market
from exporter.collectors.sqlite.tables.portfolio import Portfolio
from exporter.collectors.sqlite.tables.trades import Trades
from exporter.config import Config

from .harness import NOW, configured

MIDNIGHT = 1760486400.0
MONDAY = 1760313600.0
GROWING = [kind for kind in TABLES if issubclass(kind, GrowingTable)]
CONTEXT = Context(MIDNIGHT, MONDAY, price=95_000.0, value=9_000.0)


def shown(table: GrowingTable, context: Context = CONTEXT) -> dict[Key, float]:
    return samples_of(table.metrics(context))


def value(table: GrowingTable, name: str, **labels: str) -> float | None:
    return shown(table).get((f"tweetbot_{name}", tuple(sorted(labels.items()))))


def drawn_rows(kind: type[GrowingTable], chance: Random, count: int) -> list[list[Any]]:
    """Cells as `ranges` gives them."""
    columns = kind(Config()).read_columns
    makers = CELLS[kind.name] | {"id": lambda chance: f"dec_{chance.randrange(10**9)}"}
    return [
        [number, *(_cell(makers[column](chance), column in kind.tested) for column in columns)]
        for number in range(1, count + 1)
    ]


def _cell(cell: Any, is_tested: bool) -> Any:
    if is_tested:
        return int(cell is not None)
    return {} if isinstance(cell, bytes) or cell in (float("inf"), float("-inf")) else cell


@pytest.mark.parametrize("kind", GROWING, ids=lambda kind: kind.name)
def test_neither_cuts_nor_restarts_can_be_seen(kind: type[GrowingTable]) -> None:
    @given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 50]), st.sampled_from([1, 100]))
    @settings(max_examples=15)
    def check(chance: Random, window: int, agents: int) -> None:
        config = configured(window=window, agents=agents)
        rows = drawn_rows(kind, chance, chance.randrange(1, 12))
        whole, cut = kind(config), kind(config)
        whole.fold(rows, NOW)
        while rows:
            some = chance.randrange(1, len(rows) + 1)
            cut.fold(rows[:some], NOW)
            rows = rows[some:]
            dumped, cut = cbor2.loads(cbor2.dumps(cut.dump())), kind(config)
            cut.load(dumped)
        assert shown(cut) == shown(whole)
        assert (cut.rows, cut.future, +cut.malformed) == (whole.rows, whole.future, +whole.malformed)
        assert cut.labels.overflow == whole.labels.overflow

    check()


@pytest.mark.parametrize("kind", GROWING, ids=lambda kind: kind.name)
def test_without_rows_only_known_series_are_there(kind: type[GrowingTable]) -> None:
    assert set(shown(kind(Config()), Context(MIDNIGHT, MONDAY)).values()) <= {0.0, 10000.0}


def test_executions_by_hand() -> None:
    table = Executions(configured(window=2))
    cells = {"agent_name": "A", "execution_type": "t", "error_message": 0}
    rows = [
        {"timestamp": "2025-10-10 15:30:00", "success": 1, "execution_time_ms": 100},
        {"timestamp": "2025-10-10 15:30:02", "success": 0, "execution_time_ms": 300, "error_message": 1},
        {"timestamp": "2025-10-10 15:30:01", "success": 1, "output_data": '{"confidence":85}'},
    ]
    table.fold(
        [
            [place, *((cells | row).get(name) for name in table.read_columns)]
            for place, row in enumerate(rows)
        ],
        NOW,
    )
    pair = {"agent": "a", "execution_type": "t"}
    assert value(table, "executions_total", **pair) == 3
    assert value(table, "executions_failed_total", **pair) == 1
    assert value(table, "execution_duration_seconds_sum", **pair) == 0.4
    assert value(table, "recent_success_ratio", agent="a") == 0.5
    assert value(table, "recent_response_time_seconds", agent="a") == 0.3
    assert value(table, "execution_confidence_ratio_sum", agent="a") == 0.85


def test_a_missing_column_leaves_out_its_families() -> None:
    table = Executions(Config())
    table.present -= {"success"}
    table.fold([[1, *[None] * len(table.read_columns)]], NOW)
    names = {name for name, _ in shown(table)}
    assert "tweetbot_executions_total" in names
    assert not {"tweetbot_executions_failed_total", "tweetbot_recent_success_ratio"} & names


def test_trades_by_hand() -> None:
    table = Trades(Config())
    at = "2025-10-10 15:30:00"
    rows = [
        [1, at, "BUY", 2, 100, 10, "a"],
        [2, "2025-10-10 15:31:00", "SELL", 1, 80, 5, "b"],
        [3, at, "HOLD", 1, 1, 0, "c"],
    ]
    assert table.read_columns == (
        "timestamp",
        "trade_type",
        "amount_btc",
        "total_usd",
        "fee_usd",
        "executed_by",
    )
    table.fold(rows, NOW)
    assert value(table, "trade_gains_usd_total", agent="b") == 20
    assert value(table, "position_btc") == 1
    assert value(table, "position_cost_usd") == 55
    assert value(table, "position_unrealized_profit_usd") == 95_000 - 55
    assert value(table, "trades_holding_seconds_sum") == 60
    assert value(table, "trades_total", agent="c", side="buy") is None
    assert table.malformed["trade_type"] == 1


def test_history_by_hand() -> None:
    table = History(Config())
    table.fold([[1, "2025-10-13 00:00:01", 90_000, 8_000], [2, "2025-10-12 23:59:59", 91_000, 8_500]], NOW)
    assert table.price() == 90_000
    assert value(table, "portfolio_week_start_value_usd") == 8_000
    assert value(table, "portfolio_peak_value_usd") == 10_000
    assert value(table, "portfolio_max_drawdown_ratio") == 0.2


def test_the_newest_quote_and_the_newest_price() -> None:
    table = Market(Config())
    quotes = {"2025-10-10 15:30:00": 90_000, "2025-10-10 15:31:00": None, "2062-01-01 00:00:00": 1}
    table.fold([[place, at, quotes[at], None, None, None] for place, at in enumerate(quotes)], NOW)
    assert table.price() == 90_000
    assert value(table, "market_price_usd") is None
    assert value(table, "market_updated_timestamp_seconds") == 1760110260
    assert table.future == 1


def test_the_portfolio_by_hand() -> None:
    table = Portfolio(Config())
    row = [1, 1, 0.5, 1_000, "2025-10-10 15:30:00"]
    assert table.look([row], NOW)
    assert not table.look([row], NOW)
    assert table.value(10_000) == 6_000
    assert table.value(None) is None
    assert table.look([[1, 1, "much", 1_000, None]], NOW)
    assert table.look([[1, 1, 0, 1_000, None]], NOW)
    assert table.value(None) == 1_000
    assert table.malformed["btc_balance"] == 1


def test_the_control_tables_by_hand() -> None:
    config, commands = SystemConfig(Config()), SystemCommands(Config())
    assert config.look([[1, "system_status", "paused"], [2, "mode", "?"]])
    assert not config.look([[1, "system_status", "paused"]])
    assert samples_of(config.metrics(CONTEXT)) == {("tweetbot_system_paused", ()): 1}
    assert commands.look([[2, "pending"], [1, {}]])
    found = samples_of(commands.metrics(CONTEXT))
    statuses = {dict(key[1])["status"]: count for key, count in found.items()}
    assert statuses == {"pending": 1, "processed": 0, "failed": 0, "unknown": 1}
    assert commands.malformed["status"] == 1
