"""The oracle itself: small files, and what a person works out for them by hand."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .expected import expected
from .files import UPSTREAM, TableRows, write_database
from .page import family
from .table import Key

MONDAY = 1760313600.0  # 2025-10-13 00:00:00 UTC


Row = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """What is expected of a file: `ask(name, **labels)` for one value, or `all` of it."""

    all: dict[Key, float]

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.all.get((f"tweetbot_{name}", tuple(sorted(labels.items()))))


Oracle = Callable[..., Ask]


@pytest.fixture
def oracle(tmp_path: Path) -> Oracle:
    """Tables by name, as lists of rows → what is expected of the file."""

    def build(
        tables: Mapping[str, list[Row]],
        columns: Mapping[str, Mapping[str, str]] = UPSTREAM,
        **options: Any,
    ) -> Ask:
        path = str(tmp_path / "bot.db")
        write_database(path, {name: TableRows(columns[name], rows) for name, rows in tables.items()})
        return Ask(expected(path, **{"now": MONDAY, **options}))

    return build


def malformed(ask: Ask, table: str) -> dict[str, float]:
    """Only what is above 0."""
    counted = {
        dict(labels)["column"]: value
        for (name, labels), value in ask.all.items()
        if name == "tweetbot_database_malformed_values_total" and ("table", table) in labels
    }
    return {column: value for column, value in counted.items() if value}


def execution(**row: Any) -> Row:
    return {"timestamp": "2025-10-10 15:30:00", "agent_name": "A", "execution_type": "t", "success": 1} | row


def decision(number: int, **row: Any) -> Row:
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
    return {
        "id": f"dec_{number}",
        "timestamp": f"2025-10-10T15:30:{number:02d}.000Z",
        "agent": "A",
        "type": "T",
    } | given


def trade(side: Any, amount: Any, total: Any, **row: Any) -> Row:
    return {
        "timestamp": "2025-10-10 15:30:00",
        "trade_type": side,
        "amount_btc": amount,
        "total_usd": total,
        "executed_by": "A",
    } | row


# Names and bounds


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("Intelligent Execution Agent", "intelligent-execution-agent"),
        ("market_hunter", "market-hunter"),
        ("  --A__b..C--", "a-b-c"),
        ("Über 猎人", "über-猎人"),
        ("U\u0308ber", "über"),
        ("", "unknown"),
        ("!?", "unknown"),
        ("กิน", "กิน"),
        ("กน", "กน"),
        ("\u0301a", "a"),
        ("İ", "i\u0307"),
        (None, "unknown"),
        ("x" * 128, "x" * 128),
        ("x" * 129, "other"),
        (b"blob", "unknown"),
    ],
)
def test_an_agent_is_spelt_as_a_label(oracle: Oracle, raw: str | bytes | None, label: str) -> None:
    ask = oracle({"agent_executions": [execution(agent_name=raw)]})
    assert ask("executions_total", agent=label, execution_type="t") == 1
    assert ask("label_overflow_total", collector="database") == (label == "other")
    assert malformed(ask, "agent_executions") == ({"agent_name": 1} if isinstance(raw, bytes) else {})


def test_an_alias_joins_two_spellings(oracle: Oracle) -> None:
    executions = [execution(agent_name="Execution Agent"), execution(agent_name="exec")]
    ask = oracle({"agent_executions": executions}, aliases={"Execution Agent": "Exec"})
    assert ask("executions_total", agent="exec", execution_type="t") == 2


def test_a_type_keeps_its_spelling(oracle: Oracle) -> None:
    kinds = ["Trading Decision", None, "", "y" * 129]
    ask = oracle({"agent_executions": [execution(execution_type=kind) for kind in kinds]})
    found = {
        kind: ask("executions_total", agent="a", execution_type=kind)
        for kind in ("Trading Decision", "unknown")
    }
    assert found == {"Trading Decision": 1, "unknown": 2}
    assert ask("executions_total", agent="a", execution_type="other") == 1


def test_who_comes_after_the_bound_is_other(oracle: Oracle) -> None:
    agents = ["a", "b", "c", "a", "other", "d"]
    ask = oracle({"agent_executions": [execution(agent_name=agent) for agent in agents]}, max_agents=2)
    assert [ask("recent_executions", agent=agent) for agent in ("a", "b", "c", "other")] == [2, 1, None, 3]
    assert ask("label_overflow_total", collector="database") == 2


def test_pairs_have_their_own_bound(oracle: Oracle) -> None:
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "y")]
    executions = [execution(agent_name=agent, execution_type=kind) for agent, kind in pairs]
    ask = oracle({"agent_executions": executions}, max_pairs=2)
    assert ask("executions_total", agent="a", execution_type="y") == 2
    assert ask("executions_total", agent="b", execution_type="x") is None
    assert ask("executions_total", agent="b", execution_type="other") == 1
    assert ask("label_overflow_total", collector="database") == 1


def test_messages_overflow_by_their_recipient(oracle: Oracle) -> None:
    targets = ["x", "y", "x", "z" * 129, "other"]
    system = {"interAgentCommunication": [{"target": target} for target in targets]}
    ask = oracle({"agent_decisions": [decision(1, system=system)]}, max_pairs=1)
    sent = [ask("decision_messages_total", agent="a", to_agent=to) for to in ("x", "y", "other")]
    assert sent == [2, None, 3]
    assert ask("label_overflow_total", collector="database") == 2


def test_without_the_agents_column_nothing_is_said_of_agents(oracle: Oracle) -> None:
    columns = {"agent_executions": {"execution_type": "TEXT", "success": "BOOLEAN"}}
    ask = oracle({"agent_executions": [{"execution_type": "x" * 129, "success": "?"}]}, columns=columns)
    assert not [name for name, labels in ask.all if "agent" in dict(labels)]
    assert ask("label_overflow_total", collector="database") == 0
    assert ask("database_rows_total", table="agent_executions") == 1
    assert malformed(ask, "agent_executions") == {"success": 1}


# Executions


def test_outcomes_of_executions(oracle: Oracle) -> None:
    given = [(1, None), (0, "boom"), (0, None), (None, ""), (2, None), ("true", "x")]
    executions = [execution(success=success, error_message=error) for success, error in given]
    ask = oracle({"agent_executions": executions})
    pair = {"agent": "a", "execution_type": "t"}
    assert ask("executions_total", **pair) == 6
    assert ask("executions_succeeded_total", **pair) == 1
    assert ask("executions_failed_total", **pair) == 2
    assert ask("executions_errored_total", **pair) == 3
    assert ask("recent_success_ratio", agent="a") == pytest.approx(1 / 3, rel=1e-15)
    assert ask("recent_error_ratio", agent="a") == 0.5
    assert malformed(ask, "agent_executions") == {"success": 2}


def test_durations(oracle: Oracle) -> None:
    times = [0, 50, 50.0004, 2800, 60_001, -1, None, "slow"]
    ask = oracle({"agent_executions": [execution(execution_time_ms=time) for time in times]})

    def bucket(le: str) -> float | None:
        return ask("execution_duration_seconds_bucket", agent="a", execution_type="t", le=le)

    assert [bucket(le) for le in ("0.05", "0.1", "2.0", "5.0", "60.0", "+Inf")] == [3, 3, 3, 4, 4, 5]
    assert ask("execution_duration_seconds_sum", agent="a", execution_type="t") == 62.901
    assert ask("recent_response_time_seconds", agent="a") == 12.5802
    assert malformed(ask, "agent_executions") == {"execution_time_ms": 2}


def test_what_an_execution_put_out(oracle: Oracle) -> None:
    outputs = [
        {"confidence": 0.85, "signalsGenerated": 3},
        {"confidence": 85, "signalsGenerated": 2.0},
        {"confidence": None},
        {"confidence": "0.8", "signalsGenerated": 2.5},
        {"confidence": True, "signalsGenerated": -1},
    ]
    texts = [*map(json.dumps, outputs), "{", "[]", '{"confidence":NaN}', None, b"{}"]
    ask = oracle({"agent_executions": [execution(output_data=text) for text in texts]})
    assert ask("execution_confidence_ratio_sum", agent="a") == 1.7
    assert ask("execution_confidence_ratio_count", agent="a") == 2
    assert ask("execution_confidence_ratio_bucket", agent="a", le="0.8") == 0
    assert ask("execution_confidence_ratio_bucket", agent="a", le="0.9") == 2
    assert ask("execution_signals_total", agent="a") == 5
    assert malformed(ask, "agent_executions") == {"output_data": 8}


def test_the_window_is_the_newest_by_time_then_by_row(oracle: Oracle) -> None:
    times = ["2025-10-10 15:30:02", "2025-10-10T15:30:01.500Z", "2025-10-10 15:30:02", "yesterday", None]
    executions = [execution(timestamp=time, execution_time_ms=10**row) for row, time in enumerate(times)]
    ask = oracle({"agent_executions": executions}, window=2)
    assert ask("recent_executions", agent="a") == 2
    assert ask("recent_response_time_seconds", agent="a") == pytest.approx(0.0505, rel=1e-15)
    assert ask("recent_window_start_timestamp_seconds", agent="a") == 1760110202
    assert ask("execution_last_timestamp_seconds", agent="a") == 1760110202
    assert malformed(ask, "agent_executions") == {"timestamp": 1}


@pytest.mark.parametrize(("window", "mean"), [(2, 0.002), (1, 0.001)])
def test_an_unreadable_timestamp_counts_and_is_the_oldest(oracle: Oracle, window: int, mean: float) -> None:
    executions = [execution(execution_time_ms=1), execution(timestamp="?", execution_time_ms=3)]
    ask = oracle({"agent_executions": executions}, window=window)
    assert ask("recent_executions", agent="a") == window
    assert ask("recent_response_time_seconds", agent="a") == mean


def test_without_a_readable_timestamp_there_is_no_moment(oracle: Oracle) -> None:
    ask = oracle({"agent_executions": [execution(timestamp=None)]})
    assert ask("recent_executions", agent="a") == 1
    assert ask("execution_last_timestamp_seconds", agent="a") is None
    assert ask("recent_window_start_timestamp_seconds", agent="a") is None


# Decisions


def test_outcomes_of_decisions(oracle: Oracle) -> None:
    outcomes = [
        {"success": True, "actualResult": 2},
        {"success": False, "actualResult": -3},
        {"success": None, "actualResult": "as expected"},
        {"success": "yes", "actualResult": True},
        {},
        '"settled"',
        "{",
    ]
    ask = oracle({"agent_decisions": [decision(n, outcome=outcome) for n, outcome in enumerate(outcomes)]})
    assert ask("decisions_total", agent="a", decision_type="T") == 7
    assert ask("decisions_succeeded_total", agent="a", decision_type="T") == 1
    assert ask("decisions_failed_total", agent="a", decision_type="T") == 1
    assert ask("decisions_pending", agent="a") == 5
    assert ask("decision_outcome_revisions_total", agent="a") == 0
    assert ask("decision_results_total", agent="a") == 2
    assert ask("recent_actual_result", agent="a") == -0.5
    assert malformed(ask, "agent_decisions") == {"outcome": 3}


def test_reasoning(oracle: Oracle) -> None:
    reasonings = [
        {"confidence": 0.5, "riskAssessment": "HIGH", "alternatives": [1, 2]},
        {"confidence": 100, "riskAssessment": "extreme", "alternatives": []},
        {"riskAssessment": 3, "alternatives": "none"},
        {"riskAssessment": None, "alternatives": None},
    ]
    ask = oracle({"agent_decisions": [decision(n, reasoning=given) for n, given in enumerate(reasonings)]})
    by_risk = [
        ask("decisions_by_risk_total", agent="a", risk=risk) for risk in ("low", "medium", "high", "other")
    ]
    assert by_risk == [0, 0, 1, 2]
    assert ask("decision_alternatives_count", agent="a") == 2
    assert ask("decision_alternatives_sum", agent="a") == 2
    assert ask("decision_alternatives_bucket", agent="a", le="0.0") == 1
    assert ask("recent_confidence_ratio", agent="a") == 0.75
    assert malformed(ask, "agent_decisions") == {"reasoning": 1}


def test_calibration(oracle: Oracle) -> None:
    stated = [(0.75, True), (0.75, False), (1, True), (0, False), (0.3, None), (None, True)]
    decisions = [
        decision(n, reasoning={"confidence": confidence}, outcome={"success": success})
        for n, (confidence, success) in enumerate(stated)
    ]
    ask = oracle({"agent_decisions": decisions})
    resolved = {
        f"0.{n}": ask("decision_resolved_total", agent="a", confidence_band=f"0.{n}") for n in range(10)
    }
    assert resolved == {f"0.{n}": {0: 1, 7: 2, 9: 1}.get(n, 0) for n in range(10)}
    assert ask("decision_resolved_succeeded_total", agent="a", confidence_band="0.7") == 1
    assert ask("decision_resolved_succeeded_total", agent="a", confidence_band="0.0") == 0
    assert ask("decision_brier_score", agent="a") == (0.0625 + 0.5625) / 4


def test_the_brier_score_has_a_window_of_its_own(oracle: Oracle) -> None:
    known_first = [decision(n, reasoning={"confidence": 0.5}, outcome={"success": True}) for n in range(2)]
    pending_after = [decision(n, reasoning={"confidence": 0.5}) for n in range(2, 9)]
    ask = oracle({"agent_decisions": known_first + pending_after}, window=2)
    assert ask("decision_brier_score", agent="a") == 0.25


def test_the_state_is_that_of_the_newest_decision(oracle: Oracle) -> None:
    older = decision(2, agent_state={"autonomyLevel": 0.4, "performanceScore": 0.2, "learningRate": 0.1})
    newest = decision(3, agent_state={"autonomyLevel": 95, "learningRate": 1.5, "performanceScore": -1})
    ask = oracle({"agent_decisions": [newest, older]})
    assert ask("decision_autonomy_ratio", agent="a") == 0.95
    assert ask("decision_performance_score_ratio", agent="a") is None
    assert ask("decision_learning_rate_ratio", agent="a") == 1.5
    assert ask("recent_autonomy_ratio", agent="a") == 0.675
    assert malformed(ask, "agent_decisions") == {"agent_state": 1}


def test_a_decision_that_was_saved_again_is_the_same(oracle: Oracle) -> None:
    again = [decision(1, outcome={"success": None}), decision(2), decision(1, outcome={"success": True})]
    columns = {"agent_decisions": UPSTREAM["agent_decisions"] | {"id": "TEXT"}}
    ask = oracle({"agent_decisions": again}, columns=columns)
    assert ask("decisions_total", agent="a", decision_type="T") == 2
    assert ask("decisions_succeeded_total", agent="a", decision_type="T") == 1
    assert ask("decisions_pending", agent="a") == 1


def test_the_last_of_two_keys_counts(oracle: Oracle) -> None:
    ask = oracle({"agent_decisions": [decision(1, reasoning='{"confidence":0.9,"confidence":0.1}')]})
    assert ask("decision_confidence_ratio_sum", agent="a") == 0.1


def test_learning_and_messages(oracle: Oracle) -> None:
    entries = [{"target": "Market Hunter"}, {"target": "market-hunter"}, {"target": 5}, {}, None, "hello"]
    decisions = [
        decision(1, feedback={"learningAdjustments": ["a", {"b": 1}]}),
        decision(2, feedback={"learningAdjustments": []}, system={"interAgentCommunication": entries}),
        decision(3, feedback={"learningAdjustments": {}}, system={"interAgentCommunication": "none"}),
        decision(4, feedback={"learningAdjustments": None}, system={"interAgentCommunication": None}),
    ]
    ask = oracle({"agent_decisions": decisions})
    assert ask("learning_adjustments_total", agent="a") == 2
    assert ask("recent_adaptation_ratio", agent="a") == 0.25
    assert ask("decision_messages_total", agent="a", to_agent="market-hunter") == 2
    assert malformed(ask, "agent_decisions") == {"feedback": 1, "system": 5}


# Trades


def sales(ask: Ask, agent: str = "a") -> list[float | None]:
    names = (
        "trades_profitable",
        "trades_unprofitable",
        "trade_gains_usd",
        "trade_losses_usd",
        "trade_unmatched_btc",
    )
    return [ask(f"{name}_total", agent=agent) for name in names]


def test_sells_are_matched_first_in_first_out(oracle: Oracle) -> None:
    trades = [
        trade("BUY", 0.5, 50, fee_usd=1),  # costs 51
        trade("BUY", 1, 200),
        trade("SELL", 1, 180, fee_usd=2),  # 178 - 51 - 100 = 27
        trade("SELL", 0.5, 90),  # 90 - 100 = -10
    ]
    ask = oracle({"trades": trades})
    assert sales(ask) == [1, 1, 27, 10, 0]
    assert ask("trade_volume_btc_total", agent="a", side="buy") == 1.5
    assert ask("trade_volume_usd_total", agent="a", side="sell") == 270
    assert ask("trade_fees_usd_total", agent="a", side="sell") == 2


def test_what_was_sold_without_a_buy_is_unmatched(oracle: Oracle) -> None:
    trades = [trade("SELL", 1, 100), trade("BUY", 1, 100), trade("SELL", 4, 480, executed_by="B")]
    ask = oracle({"trades": trades})
    assert sales(ask, "a") == [0, 0, 0, 0, 1]
    assert sales(ask, "b") == [1, 0, 20, 0, 3]


def test_breaking_even_is_unprofitable(oracle: Oracle) -> None:
    ask = oracle({"trades": [trade("BUY", 3, 1), trade("SELL", 3, 1)]})
    assert sales(ask) == [0, 1, 0, 0, 0]


def test_a_third_is_rounded_once_per_sell(oracle: Oracle) -> None:
    sells = [trade("SELL", 1, 1) for _ in range(3)]
    ask = oracle({"trades": [trade("BUY", 3, 1), *sells]})
    assert sales(ask) == [3, 0, 2.000001, 0, 0]


def test_the_position_is_what_is_left(oracle: Oracle) -> None:
    def at(hour: int) -> Row:
        return {"timestamp": f"2025-10-10 {hour:02d}:00:00"}

    trades = [
        trade("BUY", 0.5, 50, fee_usd=1, **at(10)),
        trade("BUY", 1, 200, **at(11)),
        trade("SELL", 0.75, 180, **at(13)),
        trade("SELL", 0.25, 60) | {"timestamp": "?"},
    ]
    market = [{"timestamp": "2025-10-10 15:30:00", "price_usd": 300}]
    ask = oracle({"trades": trades, "market_data": market})
    assert ask("position_btc") == 0.5
    assert ask("position_cost_usd") == 100
    assert ask("position_opened_timestamp_seconds") == 1760094000
    assert ask("position_unrealized_profit_usd") == 50
    assert ask("trades_holding_seconds_count") == 2
    assert ask("trades_holding_seconds_sum") == 3 * 3600 + 2 * 3600
    assert ask("trades_holding_seconds_bucket", le="3600.0") == 0
    assert ask("trades_holding_seconds_bucket", le="14400.0") == 2


def test_a_position_that_was_sold_is_nothing(oracle: Oracle) -> None:
    ask = oracle({"trades": [trade("BUY", 1e-12, 50), trade("SELL", 1, 180)]})
    assert ask("position_btc") == 0
    assert ask("position_cost_usd") == 0
    assert ask("position_opened_timestamp_seconds") is None
    assert ask("position_unrealized_profit_usd") is None
    assert ask("trade_unmatched_btc_total", agent="a") == 1 - 1e-12


def test_malformed_trades(oracle: Oracle) -> None:
    trades = [
        trade("HOLD", 1, 100, executed_by="Z"),
        trade(None, "much", 100),
        trade("Buy", -1, 100),
        trade("buy", 1, "dear"),
        trade("buy", None, 7, fee_usd=-1),
        trade("sell", 1, 5, fee_usd=None, timestamp="2025-10-10 15:30:09"),
    ]
    ask = oracle({"trades": trades})
    assert ask("trades_total", agent="a", side="buy") == 3
    assert ask("trades_total", agent="z", side="buy") is None
    assert ask("trade_volume_btc_total", agent="a", side="buy") == 1
    assert ask("trade_volume_usd_total", agent="a", side="buy") == 107
    assert ask("trade_fees_usd_total", agent="a", side="buy") == 0
    assert ask("trade_value_usd_count", side="buy") == 2
    assert ask("trade_value_usd_bucket", side="buy", le="10.0") == 1
    assert sales(ask) == [0, 0, 0, 0, 1]
    assert ask("trade_last_timestamp_seconds", side="sell") == 1760110209
    assert ask("database_rows_total", table="trades") == 6
    assert malformed(ask, "trades") == {"trade_type": 1, "amount_btc": 2, "total_usd": 1, "fee_usd": 1}


def test_a_layout_without_fees_loses_only_the_fees(oracle: Oracle) -> None:
    columns = {"trades": {name: type_ for name, type_ in UPSTREAM["trades"].items() if name != "fee_usd"}}
    ask = oracle({"trades": [trade("BUY", 1, 100), trade("SELL", 1, 120)]}, columns=columns)
    assert ask("trade_fees_usd_total", agent="a", side="buy") is None
    assert sales(ask) == [1, 0, 20, 0, 0]


# Portfolio and market


def test_the_value_is_at_the_newest_price(oracle: Oracle) -> None:
    market = [
        {
            "timestamp": "2025-10-10 15:30:01",
            "price_usd": 50_000,
            "price_change_24h": 2.5,
            "volume_24h": 4.5e10,
        },
        {"timestamp": "2025-10-10 15:30:00", "price_usd": 60_000},
    ]
    live = {"id": 1, "btc_balance": 0.1, "usd_balance": 5250, "last_updated": "2025-10-10 15:30:02"}
    ask = oracle({"portfolio": [live], "market_data": market})
    assert ask("portfolio_value_usd") == 10250
    assert ask("portfolio_growth_ratio") == 0.025
    assert ask("portfolio_goal_progress_ratio") == 0.5
    assert ask("portfolio_deployed_ratio") == pytest.approx(5000 / 10250, rel=1e-15)
    assert ask("portfolio_updated_timestamp_seconds") == 1760110202
    assert ask("market_price_usd") == 50_000
    assert ask("market_price_change_24h_ratio") == 0.025
    assert ask("market_volume_24h_usd") == 4.5e10
    assert ask("market_fear_greed_index") is None
    assert ask("market_updated_timestamp_seconds") == 1760110201


def test_without_any_price_there_is_no_value(oracle: Oracle) -> None:
    ask = oracle({"portfolio": [{"id": 1, "btc_balance": 0.5, "usd_balance": 1, "last_updated": None}]})
    assert ask("portfolio_balance_usd") == 1
    assert ask("portfolio_value_usd") is None
    assert ask("portfolio_starting_value_usd") == 10000
    assert ask("portfolio_goal_value_usd") == 10500


def test_without_btc_no_price_is_needed(oracle: Oracle) -> None:
    ask = oracle({"portfolio": [{"id": 1, "btc_balance": 0, "usd_balance": 9000, "last_updated": None}]})
    assert ask("portfolio_value_usd") == 9000
    assert ask("portfolio_growth_ratio") == -0.1
    assert ask("portfolio_deployed_ratio") == 0


def test_the_price_of_last_resort_is_that_of_a_decision(oracle: Oracle) -> None:
    def priced(number: int, price: Any) -> Row:
        return decision(number, context={"inputs": {"marketData": {"price_usd": price}}})

    live = {"id": 1, "btc_balance": 2, "usd_balance": 0, "last_updated": None}
    decisions = [priced(2, 50_000), priced(1, 40_000), priced(3, "dear"), decision(4, context="{")]
    assert oracle({"portfolio": [live], "agent_decisions": decisions})("portfolio_value_usd") == 100_000


def test_a_row_ahead_of_the_clock_is_the_oldest(oracle: Oracle) -> None:
    late = [
        {"timestamp": "2062-01-01 00:00:00", "price_usd": 31_000},
        {"timestamp": "2025-10-13 00:05:00", "price_usd": 95_000},
    ]
    ask = oracle({"market_data": late, "agent_executions": [execution(timestamp="2025-10-13 00:05:01")]})
    assert ask("market_price_usd") == 95_000
    assert ask("database_future_rows_total", table="market_data") == 1
    assert ask("database_future_rows_total", table="agent_executions") == 1
    assert ask("recent_executions", agent="a") == 1
    assert ask("execution_last_timestamp_seconds", agent="a") is None
    assert malformed(ask, "market_data") == {}


def test_debts_are_not_deployed(oracle: Oracle) -> None:
    live = {"id": 3, "btc_balance": 1, "usd_balance": -40, "last_updated": "2025-10-10 15:30:00"}
    older = live | {"id": 2, "usd_balance": 0}
    ask = oracle(
        {"portfolio": [older, live], "market_data": [{"timestamp": None, "price_usd": 100}]},
        starting_value_usd=60,
        goal_value_usd=60,
    )
    assert ask("portfolio_value_usd") == 60
    assert ask("portfolio_deployed_ratio") is None
    assert ask("portfolio_growth_ratio") == 0
    assert ask("portfolio_goal_progress_ratio") is None


def snapshot(timestamp: str, value: Any, price: float = 50_000) -> Row:
    return {"timestamp": timestamp, "total_value_usd": value, "btc_price_usd": price}


def test_history(oracle: Oracle) -> None:
    history = [
        snapshot("2025-10-12 23:59:59", 100),
        snapshot("2025-10-13 00:00:00", 80, price=40_000),
        snapshot("2025-10-13 01:00:00", "?"),
        snapshot("2025-10-14 00:00:00", 120, price=60_000),
        snapshot("not a time", 90),
    ]
    live = {"id": 1, "btc_balance": 0.001, "usd_balance": 40, "last_updated": "2025-10-10 15:30:00"}
    ask = oracle({"portfolio": [live], "portfolio_history": history}, now=MONDAY + 3 * 86400)
    assert ask("portfolio_week_start_value_usd") == 80
    assert ask("portfolio_peak_value_usd") == 10000
    assert ask("portfolio_max_drawdown_ratio") == 0.992
    assert ask("portfolio_snapshot_timestamp_seconds") == 1760400000
    assert ask("portfolio_value_usd") == 100
    assert malformed(ask, "portfolio_history") == {"timestamp": 1, "total_value_usd": 1}


@pytest.mark.parametrize(
    ("live", "peak", "fall"), [(90, 120, 0.25), (150, 150, 0.2), (60, 120, 0.5), (None, 120, 0.2)]
)
def test_the_fall_begins_at_the_starting_value_and_ends_at_the_live_one(
    oracle: Oracle, live: float | None, peak: float, fall: float
) -> None:
    history = [snapshot("2025-10-12 23:59:59", value) for value in (80, 120, 110)]
    row = {"id": 1, "btc_balance": 0, "usd_balance": live, "last_updated": None}
    ask = oracle(
        {"portfolio": [row], "portfolio_history": history}, starting_value_usd=100, goal_value_usd=200
    )
    assert ask("portfolio_peak_value_usd") == peak
    assert ask("portfolio_max_drawdown_ratio") == fall


@pytest.mark.parametrize("later", [0, 1, 6 * 86400 + 86399])
def test_the_week_starts_on_monday(oracle: Oracle, later: int) -> None:
    history = [snapshot("2025-10-12 23:59:59", 1), snapshot("2025-10-13 00:00:00", 2)]
    ask = oracle({"portfolio_history": history}, now=MONDAY + later)
    assert ask("portfolio_week_start_value_usd") == 2


@pytest.mark.parametrize("later", [0, 1, 86399])
def test_the_day_starts_at_midnight(oracle: Oracle, later: int) -> None:
    history = [snapshot("2025-10-13 23:59:59", 1), snapshot("2025-10-14 00:00:00", 2)]
    ask = oracle({"portfolio_history": history}, now=MONDAY + 86400 + later)
    assert ask("portfolio_day_start_value_usd") == 2


# Control tables, and what is not there


def test_control_tables(oracle: Oracle) -> None:
    ask = oracle(
        {
            "system_config": [{"key": "system_status", "value": "paused"}, {"key": "mode", "value": "?"}],
            "system_alerts": [{"level": level} for level in ("info", "Warning", "fatal", None)],
            "system_commands": [{"status": status} for status in ("pending", "completed", "pending", b"?")],
        }
    )
    assert ask("system_paused") == 1
    levels = ("info", "warning", "critical", "error", "other", "unknown")
    assert [ask("system_alerts_total", level=level) for level in levels] == [1, 1, 0, 0, 1, 1]
    statuses = ("pending", "processed", "failed", "completed", "unknown")
    assert [ask("system_commands", status=status) for status in statuses] == [2, 0, 0, 1, 1]
    assert ask("database_rows_total", table="system_config") == 2
    assert malformed(ask, "system_commands") == {"status": 1}


def test_an_empty_file_says_only_what_is_configured(oracle: Oracle) -> None:
    assert set(oracle({}).all) == {
        ("tweetbot_portfolio_starting_value_usd", ()),
        ("tweetbot_portfolio_goal_value_usd", ()),
        ("tweetbot_label_overflow_total", (("collector", "database"),)),
    }


def test_counters_start_at_zero(oracle: Oracle) -> None:
    ask = oracle(
        {"agent_executions": [execution()], "agent_decisions": [decision(1)], "trades": [trade("BUY", 1, 1)]}
    )
    assert ask("executions_failed_total", agent="a", execution_type="t") == 0
    assert ask("execution_signals_total", agent="a") == 0
    assert ask("execution_duration_seconds_count", agent="a", execution_type="t") == 0
    assert ask("decisions_failed_total", agent="a", decision_type="T") == 0
    assert ask("decisions_by_risk_total", agent="a", risk="other") == 0
    assert ask("decision_resolved_total", agent="a", confidence_band="0.9") == 0
    assert ask("learning_adjustments_total", agent="a") == 0
    assert ask("decision_results_total", agent="a") == 0
    assert ask("trades_total", agent="a", side="sell") == 0
    assert sales(ask) == [0, 0, 0, 0, 0]
    assert ask("trade_value_usd_count", side="sell") == 0
    assert ask("database_malformed_values_total", table="trades", column="amount_btc") == 0


def test_a_missing_column_loses_only_its_own_families(oracle: Oracle) -> None:
    columns = {"agent_executions": {"agent_name": "TEXT", "execution_type": "TEXT", "success": "BOOLEAN"}}
    ask = oracle(
        {"agent_executions": [{"agent_name": "A", "execution_type": "t", "success": 0}]}, columns=columns
    )
    assert ask("executions_failed_total", agent="a", execution_type="t") == 1
    about_executions = {family(name) for name, _ in ask.all if "execution" in name}
    assert about_executions == {
        "tweetbot_executions_total",
        "tweetbot_executions_succeeded_total",
        "tweetbot_executions_failed_total",
    }
    assert ask("recent_executions", agent="a") is None
