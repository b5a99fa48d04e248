"""The oracle against SQL aggregates over a real file: two ways to the same number."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tools import NO_REAL_DATA, REAL_DATA

from .expected import READ, expected
from .values import slugify

NOW = 1794700800.0  # Sunday 2026-11-15: all of the file's snapshots are of that week

pytestmark = pytest.mark.skipif(not REAL_DATA.is_dir(), reason=NO_REAL_DATA)


class File:
    """One sample file: `page[name, labels]` as the oracle has it, `sql` as SQLite has it."""

    def __init__(self, path: Path) -> None:
        self.page = expected(str(path), now=NOW)
        self.connection = sqlite3.connect(path)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement).fetchall()

    def one(self, statement: str) -> Any:
        ((value,),) = self.sql(statement)
        return value

    def family(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Label values in the order asked for → value."""
        return {
            tuple(dict(found)[label] for label in labels): value
            for (sample, found), value in self.page.items()
            if sample == f"tweetbot_{name}"
        }

    def grouped(self, statement: str) -> dict[tuple[str, ...], float]:
        """The last column is the value, the first an agent."""
        return {(slugify(agent), *labels): value for agent, *labels, value in self.sql(statement)}


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[File]:
    copy = tmp_path_factory.mktemp("real") / "three-days.db"
    shutil.copyfile(REAL_DATA / "three-days.db", copy)
    file = File(copy)
    yield file
    file.connection.close()


def above_zero(found: Mapping[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {labels: value for labels, value in found.items() if value}


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("executions_total", "count(*)"),
        ("executions_succeeded_total", "total(success = 1)"),
        ("executions_failed_total", "total(success = 0)"),
        ("executions_errored_total", "count(error_message)"),
        ("execution_duration_seconds_count", "count(execution_time_ms)"),
        ("execution_duration_seconds_sum", "sum(execution_time_ms) / 1000.0"),
    ],
)
def test_executions(three_days: File, name: str, counted: str) -> None:
    by_pair = f"SELECT agent_name, execution_type, {counted} FROM agent_executions GROUP BY 1, 2"
    assert three_days.family(name, "agent", "execution_type") == three_days.grouped(by_pair)


@pytest.mark.parametrize("bucket", ["0.05", "0.1", "0.25", "0.5", "1.0", "2.0", "60.0"])
def test_duration_buckets(three_days: File, bucket: str) -> None:
    found = three_days.family("execution_duration_seconds_bucket", "agent", "execution_type", "le")
    below = f"total(execution_time_ms <= {bucket} * 1000)"
    by_pair = f"SELECT agent_name, execution_type, '{bucket}', {below} FROM agent_executions GROUP BY 1, 2"
    assert three_days.grouped(by_pair).items() <= found.items()


EXECUTION_CONFIDENCE = """
    SELECT agent_name AS agent, json_extract(output_data, '$.confidence') AS raw,
           CASE WHEN json_extract(output_data, '$.confidence') > 1 THEN 0.01 ELSE 1 END AS scale
    FROM agent_executions
"""


def test_execution_confidence_and_signals(three_days: File) -> None:
    sums = three_days.grouped(f"SELECT agent, total(raw * scale) FROM ({EXECUTION_CONFIDENCE}) GROUP BY 1")
    assert three_days.family("execution_confidence_ratio_sum", "agent") == pytest.approx(sums, rel=1e-9)
    counts = three_days.grouped(f"SELECT agent, count(raw) FROM ({EXECUTION_CONFIDENCE}) GROUP BY 1")
    assert three_days.family("execution_confidence_ratio_count", "agent") == counts
    given = "total(json_extract(output_data, '$.signalsGenerated'))"
    signals = three_days.grouped(f"SELECT agent_name, {given} FROM agent_executions GROUP BY 1")
    assert three_days.family("execution_signals_total", "agent") == signals


EXECUTION_WINDOW = """
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY agent_name ORDER BY timestamp DESC, rowid DESC) AS place
        FROM agent_executions
    ) WHERE place <= 50
"""


@pytest.mark.parametrize(
    ("name", "aggregate"),
    [
        ("recent_executions", "count(*)"),
        ("recent_success_ratio", "avg(success)"),
        ("recent_error_ratio", "avg(error_message IS NOT NULL)"),
        ("recent_response_time_seconds", "nullif(avg(execution_time_ms), 0) / 1000"),
        ("recent_window_start_timestamp_seconds", "unixepoch(min(timestamp))"),
        ("execution_last_timestamp_seconds", "unixepoch(max(timestamp))"),
    ],
)
def test_recent_executions(three_days: File, name: str, aggregate: str) -> None:
    known = f"{aggregate} IS NOT NULL"
    by_agent = f"SELECT agent_name, {aggregate} FROM ({EXECUTION_WINDOW}) GROUP BY 1 HAVING {known}"
    assert three_days.family(name, "agent") == pytest.approx(three_days.grouped(by_agent), rel=1e-14)


DECISIONS = """
    SELECT rowid, agent, type, timestamp,
           json_extract(reasoning, '$.confidence') AS confidence,
           json_extract(reasoning, '$.riskAssessment') AS risk,
           json_array_length(reasoning, '$.alternatives') AS alternatives,
           json_extract(outcome, '$.success') AS success,
           json_extract(agent_state, '$.autonomyLevel') AS autonomy
    FROM agent_decisions
"""


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("decisions_total", "count(*)"),
        ("decisions_succeeded_total", "total(success IS 1)"),
        ("decisions_failed_total", "total(success IS 0)"),
    ],
)
def test_decisions(three_days: File, name: str, counted: str) -> None:
    by_pair = f"SELECT agent, type, {counted} FROM ({DECISIONS}) GROUP BY 1, 2"
    assert three_days.family(name, "agent", "decision_type") == three_days.grouped(by_pair)


@pytest.mark.parametrize(
    ("name", "aggregate"),
    [
        ("decisions_pending", "total(success IS NULL)"),
        ("decision_confidence_ratio_count", "count(confidence)"),
        ("decision_confidence_ratio_sum", "total(confidence)"),
        ("decision_alternatives_count", "count(alternatives)"),
        ("decision_alternatives_sum", "total(alternatives)"),
        ("decision_results_total", "0"),
        ("learning_adjustments_total", "0"),
        ("decision_last_timestamp_seconds", "round((julianday(max(timestamp)) - 2440587.5) * 86400, 3)"),
    ],
)
def test_decisions_by_agent(three_days: File, name: str, aggregate: str) -> None:
    by_agent = f"SELECT agent, {aggregate} FROM ({DECISIONS}) GROUP BY 1"
    assert three_days.family(name, "agent") == pytest.approx(three_days.grouped(by_agent), rel=1e-9)


def test_risk(three_days: File) -> None:
    by_risk = f"SELECT agent, risk, count(*) FROM ({DECISIONS}) GROUP BY 1, 2"
    found = three_days.family("decisions_by_risk_total", "agent", "risk")
    assert above_zero(found) == three_days.grouped(by_risk)


def test_messages(three_days: File) -> None:
    by_target = """
        SELECT agent, json_extract(value, '$.target'), count(*)
        FROM agent_decisions, json_each(system, '$.interAgentCommunication') GROUP BY 1, 2
    """
    assert three_days.family("decision_messages_total", "agent", "to_agent") == three_days.grouped(by_target)


def test_calibration(three_days: File) -> None:
    by_band = f"""
        SELECT agent, '0.' || min(CAST(confidence * 10 AS INTEGER), 9), count(*)
        FROM ({DECISIONS}) WHERE success IS NOT NULL GROUP BY 1, 2
    """
    resolved = three_days.family("decision_resolved_total", "agent", "confidence_band")
    assert above_zero(resolved) == three_days.grouped(by_band)
    succeeded = three_days.family("decision_resolved_succeeded_total", "agent", "confidence_band")
    in_sql = three_days.grouped(by_band.replace("count(*)", "sum(success)"))
    assert above_zero(succeeded) == above_zero(in_sql)


def newest_decisions(where: str) -> str:
    return f"""
        SELECT * FROM (
            SELECT *, row_number() OVER (PARTITION BY agent ORDER BY timestamp DESC, rowid DESC) AS place
            FROM ({DECISIONS}) WHERE {where}
        ) WHERE place <= 50
    """


@pytest.mark.parametrize(
    ("name", "where", "aggregate"),
    [
        ("recent_confidence_ratio", "true", "avg(confidence)"),
        ("recent_autonomy_ratio", "true", "avg(autonomy)"),
        ("recent_adaptation_ratio", "true", "0"),
        (
            "decision_brier_score",
            "success IS NOT NULL",
            "avg((confidence - success) * (confidence - success))",
        ),
        ("decision_autonomy_ratio", "true", "max(autonomy) FILTER (WHERE place = 1)"),
    ],
)
def test_recent_decisions(three_days: File, name: str, where: str, aggregate: str) -> None:
    by_agent = f"SELECT agent, {aggregate} FROM ({newest_decisions(where)}) GROUP BY 1"
    assert three_days.family(name, "agent") == pytest.approx(three_days.grouped(by_agent), rel=1e-8)


@pytest.mark.parametrize(
    ("name", "aggregate", "error"),
    [
        ("trades_total", "count(*)", 0),
        ("trade_volume_btc_total", "sum(amount_btc)", 0.5e-12),
        ("trade_volume_usd_total", "sum(total_usd)", 0.5e-6),
        ("trade_fees_usd_total", "total(fee_usd)", 0.5e-6),
    ],
)
def test_trades(three_days: File, name: str, aggregate: str, error: float) -> None:
    in_sql = three_days.grouped(
        f"SELECT executed_by, lower(trade_type), {aggregate} FROM trades GROUP BY 1, 2"
    )
    found = three_days.family(name, "agent", "side")
    assert found == pytest.approx(in_sql, abs=error * three_days.one("SELECT count(*) FROM trades"))


# First-in-first-out as overlapping intervals: a trade covers a stretch of all that was bought or sold.
SALES = """
    WITH placed AS (
        SELECT rowid AS id, *, round(amount_btc * 1e12) AS units, coalesce(fee_usd, 0) AS fee,
               sum(round(amount_btc * 1e12)) OVER (PARTITION BY trade_type ORDER BY rowid) AS until
        FROM trades
    ), matched AS (
        SELECT sell.id, sell.units, sell.total_usd - sell.fee AS proceeds,
               max(0, min(sell.until, buy.until)
                      - max(sell.until - sell.units, buy.until - buy.units)) AS taken,
               (buy.total_usd + buy.fee) / buy.units AS unit_cost
        FROM placed AS sell JOIN placed AS buy ON buy.trade_type = 'BUY'
        WHERE sell.trade_type = 'SELL'
    )
    SELECT sum(taken) / units * proceeds - sum(taken * unit_cost) AS gain, units - sum(taken) AS unmatched
    FROM matched GROUP BY id
"""


def test_gains_and_losses(three_days: File) -> None:
    by_rounding = 0.5e-6 * three_days.one("SELECT count(*) FROM trades") * 2
    found = {
        name: three_days.family(name, "agent")["bitcoin-orchestrator",]
        for name in ("trade_gains_usd_total", "trade_losses_usd_total")
    }
    gained, lost = three_days.sql(f"SELECT total(max(gain, 0)), total(max(-gain, 0)) FROM ({SALES})")[0]
    assert found["trade_gains_usd_total"] == pytest.approx(gained, abs=by_rounding)
    assert found["trade_losses_usd_total"] == pytest.approx(lost, abs=by_rounding)
    profitable = three_days.one(f"SELECT sum(gain > 0) FROM ({SALES})")
    unprofitable = three_days.one(f"SELECT sum(gain <= 0) FROM ({SALES})")
    assert three_days.family("trades_profitable_total", "agent") == {("bitcoin-orchestrator",): profitable}
    assert three_days.family("trades_unprofitable_total", "agent") == {
        ("bitcoin-orchestrator",): unprofitable
    }
    unmatched = three_days.one(f"SELECT total(unmatched) / 1e12 FROM ({SALES})")
    assert three_days.family("trade_unmatched_btc_total", "agent") == {("bitcoin-orchestrator",): unmatched}


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("portfolio_balance_btc", "SELECT btc_balance FROM portfolio"),
        ("portfolio_balance_usd", "SELECT usd_balance FROM portfolio"),
        ("portfolio_updated_timestamp_seconds", "SELECT unixepoch(last_updated) FROM portfolio"),
        ("portfolio_peak_value_usd", "SELECT max(total_value_usd) FROM portfolio_history"),
        ("portfolio_snapshot_timestamp_seconds", "SELECT unixepoch(max(timestamp)) FROM portfolio_history"),
        (
            "portfolio_max_drawdown_ratio",
            "SELECT max(1 - total_value_usd / peak) FROM (SELECT total_value_usd, max(total_value_usd) "
            "OVER (ORDER BY rowid) AS peak FROM portfolio_history)",
        ),
        (
            "portfolio_week_start_value_usd",
            "SELECT total_value_usd FROM portfolio_history ORDER BY timestamp",
        ),
        (
            "portfolio_value_usd",
            "SELECT usd_balance + btc_balance * (SELECT price_usd FROM market_data ORDER BY timestamp DESC, "
            "rowid DESC LIMIT 1) FROM portfolio",
        ),
        ("market_price_usd", "SELECT price_usd FROM market_data ORDER BY timestamp DESC, rowid DESC"),
        ("market_volume_24h_usd", "SELECT volume_24h FROM market_data ORDER BY timestamp DESC, rowid DESC"),
        (
            "market_price_change_24h_ratio",
            "SELECT price_change_24h / 100 FROM market_data ORDER BY timestamp DESC",
        ),
        ("market_fear_greed_index", "SELECT fear_greed_index FROM market_data ORDER BY timestamp DESC"),
        ("market_updated_timestamp_seconds", "SELECT unixepoch(max(timestamp)) FROM market_data"),
        ("system_paused", "SELECT value = 'paused' FROM system_config WHERE key = 'system_status'"),
    ],
)
def test_money_and_market(three_days: File, name: str, statement: str) -> None:
    assert three_days.page[f"tweetbot_{name}", ()] == pytest.approx(
        three_days.sql(statement)[0][0], rel=1e-13
    )


def test_control_tables(three_days: File) -> None:
    levels = {
        (level,): count
        for level, count in three_days.sql("SELECT level, count(*) FROM system_alerts GROUP BY 1")
    }
    assert above_zero(three_days.family("system_alerts_total", "level")) == levels
    statuses = dict(three_days.sql("SELECT status, count(*) FROM system_commands GROUP BY 1"))
    found = three_days.family("system_commands", "status")
    assert above_zero(found) == {(status,): count for status, count in statuses.items()}


@pytest.mark.parametrize("table", READ)
def test_every_row_is_read_and_nothing_is_malformed(three_days: File, table: str) -> None:
    assert three_days.family("database_rows_total", "table")[table,] == three_days.one(
        f"SELECT count(*) FROM {table}"
    )
    assert not above_zero(three_days.family("database_malformed_values_total", "table", "column"))


@pytest.mark.parametrize("name", ["fresh-start", "old-layout", "orchestrator-only-32-cycles"])
def test_the_other_sample_files(tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy.db"
    shutil.copyfile(REAL_DATA / f"{name}.db", copy)
    file = File(copy)
    assert file.family("portfolio_balance_usd") == {(): file.one("SELECT usd_balance FROM portfolio")}
    assert file.one("SELECT btc_balance FROM portfolio") == 0
    assert file.family("portfolio_value_usd") == file.family("portfolio_balance_usd")
    if name.startswith("orchestrator"):
        by_pair = file.grouped("SELECT agent, type, count(*) FROM agent_decisions GROUP BY 1, 2")
        assert file.family("decisions_total", "agent", "decision_type") == by_pair
    file.connection.close()
