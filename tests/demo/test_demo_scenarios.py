"""The scenarios keep their promises: plain SQL over the file, as a user would check them."""

from collections.abc import Sequence
from typing import Any

import pytest

from demo.simulated import MINUTE, MakeDatabase, SimulatedDatabase
from exporter.demo.scenarios import DEGRADED, FAILING, HARMFUL, HEALTHY, SCENARIOS, Scenario

WINDOWS = """
SELECT agent_name, count(*), avg(success), avg(execution_time_ms) / 1000.0, avg(error_message IS NOT NULL)
FROM (SELECT *, row_number() OVER (PARTITION BY agent_name ORDER BY timestamp DESC, id DESC) AS place
      FROM agent_executions)
WHERE place <= 50 GROUP BY agent_name
"""
DRAWDOWN = """
SELECT max(1 - total_value_usd / peak) FROM
  (SELECT total_value_usd, max(total_value_usd) OVER (ORDER BY id) AS peak FROM portfolio_history)
"""


def windows(database: SimulatedDatabase) -> dict[str, list[Any]]:
    return {agent: rest for agent, *rest in database.rows(WINDOWS)}


@pytest.fixture(scope="module")
def steps() -> range:
    """Moments of a live afternoon, close enough to see every kind of window."""
    return range(0, 180 * MINUTE, 9 * MINUTE)


def assert_healthy(agent: str, window: Sequence[float]) -> None:
    rows, success, seconds, errors = window
    assert rows == 50, agent
    assert success >= 0.9, agent
    assert 0.3 <= seconds <= 1.6, agent
    assert errors <= 0.1, agent


def test_healthy_crosses_no_threshold_at_any_moment(make_database: MakeDatabase, steps: range) -> None:
    database = make_database("healthy", seed=11)
    for until in steps:
        database.advance(until)
        for agent, window in windows(database).items():
            assert_healthy(agent, window)


def test_healthy_succeeds_in_about_97_percent(make_database: MakeDatabase) -> None:
    database = make_database("healthy", seed=12)
    database.advance(60 * MINUTE)
    assert database.value("SELECT avg(success) FROM agent_executions") == pytest.approx(0.975, abs=0.01)
    assert database.value(DRAWDOWN) < 0.04
    assert (
        database.value("SELECT total_value_usd > 10000 FROM portfolio_history ORDER BY id DESC LIMIT 1") == 1
    )


@pytest.mark.parametrize("scenario", [DEGRADED, HARMFUL])
def test_degraded_is_exactly_the_example(
    make_database: MakeDatabase, steps: range, scenario: Scenario
) -> None:
    database = make_database(scenario.name, seed=13)
    for until in steps:
        database.advance(until)
        seen = windows(database)
        rows, success, seconds, _ = seen.pop("market-hunter")
        assert (rows, success) == (50, 0.62)
        assert seconds == pytest.approx(2.8, rel=1e-9)
        for agent, window in seen.items():
            assert_healthy(agent, window)


def test_degraded_was_healthy_before(make_database: MakeDatabase) -> None:
    database = make_database("degraded", seed=14)
    before = database.simulation.clock.plain(database.simulation.clock.trouble_from)
    sql = "SELECT avg(success), avg(execution_time_ms) FROM agent_executions "
    sql += "WHERE agent_name = 'market-hunter' AND timestamp < ?"
    success, milliseconds = database.rows(sql, before)[0]
    assert success > 0.93
    assert milliseconds < 1300


def test_failing_stops_an_agent_and_fails_another(make_database: MakeDatabase, steps: range) -> None:
    database = make_database("failing", seed=15)
    newest = "SELECT max(timestamp) FROM agent_executions WHERE agent_name = 'narrative-architect'"
    for until in steps:
        database.advance(until)
        rows, success, _, errors = windows(database)["market-analyzer"]
        assert (rows, success) == (50, 0.4)
        assert errors > 0.15
        assert windows(database)["Intelligent Execution Agent"][2] == pytest.approx(3.4, rel=1e-9)
        assert windows(database)["strategic-orchestrator"][1] == 0.82
    start = database.simulation.clock
    assert start.plain(0) < database.value(newest) <= start.plain(90_000)
    assert database.value(DRAWDOWN) > 0.12
    assert database.value("SELECT count(*) FROM system_alerts WHERE level IN ('error', 'critical')") > 15


def test_failing_is_overconfident(make_database: MakeDatabase) -> None:
    database = make_database("failing", seed=16)
    database.advance(240 * MINUTE)
    resolved = database.rows(
        "SELECT json_extract(reasoning, '$.confidence'), json_extract(outcome, '$.success') "
        "FROM agent_decisions WHERE agent = 'market-analyzer' AND timestamp > ? "
        "AND json_extract(outcome, '$.success') IS NOT NULL",
        database.simulation.clock.iso(0),
    )
    assert sum(confidence for confidence, _ in resolved) / len(resolved) > 0.85
    assert sum(success for _, success in resolved) / len(resolved) < 0.5


@pytest.mark.parametrize("scenario", [HEALTHY, DEGRADED])
def test_confidences_are_calibrated(make_database: MakeDatabase, scenario: Scenario) -> None:
    database = make_database(scenario.name, seed=17)
    database.advance(60 * MINUTE)
    resolved = database.rows(
        "SELECT agent, json_extract(reasoning, '$.confidence'), json_extract(outcome, '$.success') "
        "FROM agent_decisions WHERE json_type(outcome, '$.success') IN ('true', 'false')"
    )
    ratios = [(stated / 100 if stated > 1 else stated, success) for _, stated, success in resolved]
    stated = sum(confidence for confidence, _ in ratios) / len(ratios)
    assert stated == pytest.approx(sum(success for _, success in ratios) / len(ratios), abs=0.04)
    assert sum((confidence - success) ** 2 for confidence, success in ratios) / len(ratios) < 0.2


def test_tables_name_the_same_agents() -> None:
    names = [[agent.name for agent in scenario.agents] for scenario in SCENARIOS.values()]
    assert all(each == names[0] for each in names)
    assert len(set(names[0])) == 9
    assert {agent.stops_after_seconds for agent in HEALTHY.agents + DEGRADED.agents + HARMFUL.agents} == {
        None
    }
    assert sum(agent.stops_after_seconds is not None for agent in FAILING.agents) == 1
