"""The state document: valid by the bridge's schema, in agreement with the file; its counters never fall."""

import copy
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.protocols import Validator

import exporter
from demo.simulated import MINUTE, Json, MakeDatabase, SimulatedDatabase, simulate
from exporter.demo.process_stats import EventLoopLag, process_document
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.state_document import state_document

SCHEMA = Path(exporter.__file__).parent / "bridge" / "state.schema.json"
COUNTERS = {
    "cycles",
    "total",
    "failed",
    "succeeded",
    "sent",
    "count",
    "sum",
    "queued",
    "buckets",
    "adaptations",
}
COUNTERS |= {
    "totalDecisions",
    "decisionCount",
    "sourcesQueried",
    "signalsGenerated",
    "apiCallsUsed",
    "user",
    "system",
}


@pytest.fixture(scope="session")
def validator() -> Validator:
    if not SCHEMA.exists():
        pytest.skip("the bridge's schema is not there")
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def shown(database: SimulatedDatabase, until: int, lag: EventLoopLag | None = None) -> Json:
    database.advance(until)
    now = database.simulation.clock.moment(until).timestamp()
    written = state_document(database.simulation, process_document(lag or EventLoopLag()), now)
    document: Json = json.loads(json.dumps(written))
    return document


def by(key: str, entries: Iterable[Json]) -> dict[str, Json]:
    return {entry[key]: entry for entry in entries}


def counters(
    document: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Every number under a counter's name, by its path; list entries by what they are about."""
    if isinstance(document, dict):
        about = tuple(str(document[key]) for key in ("id", "agent", "from", "to") if key in document)
        for key, value in document.items():
            if key != "successHistory":
                yield from counters(value, (*path, *about, key))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from counters(value, path if isinstance(value, dict) else (*path, place))
    elif COUNTERS & set(path):
        yield path, document


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_it_validates_from_the_first_moment_on(
    make_database: MakeDatabase, validator: Validator, scenario: str
) -> None:
    database = make_database(scenario, seed=31, history_days=0.5)
    lag = EventLoopLag()
    for until in (0, 1, 20_000, 5 * MINUTE, 30 * MINUTE):
        validator.validate(shown(database, until, lag))
    lag.record(0.001)
    lag.close_minute(time.time())
    document = shown(database, 30 * MINUTE, lag)
    assert "eventLoopLag" in document["process"]
    validator.validate(document)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_counters_never_fall(make_database: MakeDatabase, scenario: str) -> None:
    database = make_database(scenario, seed=32, history_days=0.5)
    before = dict(counters(shown(database, 0)))
    for until in range(3 * MINUTE, 60 * MINUTE, 3 * MINUTE):
        after = dict(counters(shown(database, until)))
        lost = {path for path in before.keys() - after.keys() if "selfReports" not in path}
        assert not lost
        assert all(after[path] >= value for path, value in before.items() if path in after)
        before = after
    assert len(before) > 200


def test_it_starts_at_zero_and_moves(make_database: MakeDatabase) -> None:
    database = make_database("healthy", seed=33)
    first, later = shown(database, 0), shown(database, 5 * MINUTE)
    assert {agent["cycles"] for agent in first["agents"]} == {0}
    assert first["communication"]["pairs"] == []
    assert first["orchestrator"]["cycles"]["total"] == 0
    assert all(agent["cycles"] > 2 for agent in later["agents"])
    assert later["communication"]["pairs"]
    assert later["orchestrator"]["cycles"]["total"] > 4


def test_it_says_what_the_file_says(two_hours: SimulatedDatabase) -> None:
    database, document = two_hours, shown(two_hours, 120 * MINUTE)
    windows = database.rows(
        "SELECT lower(replace(agent_name, ' ', '-')), sum(success = 1), sum(success = 0), "
        "avg(execution_time_ms), max(timestamp) FROM (SELECT *, row_number() OVER "
        "(PARTITION BY agent_name ORDER BY timestamp DESC, id DESC) AS place FROM agent_executions) "
        "WHERE place <= 50 GROUP BY 1"
    )
    agents, reports = by("id", document["agents"]), by("agent", document["selfReports"])
    assert set(agents) == {row[0] for row in windows}
    for agent, succeeded, failed, milliseconds, newest in windows:
        assert agents[agent]["successHistory"] == {"succeeded": succeeded, "failed": failed}
        last = database.value("SELECT unixepoch(?)", newest)
        assert last <= agents[agent]["lastExecutionTime"] < last + 1
        if agent in reports:
            report = reports[agent]["report"]
            scale = 100 if agent == "content-creator" else 1
            assert report["successRate"] == pytest.approx(scale * succeeded / (succeeded + failed))
            assert report["avgResponseTime"] == pytest.approx(milliseconds)


def test_its_counters_are_those_of_the_live_rows(two_hours: SimulatedDatabase) -> None:
    database, document = two_hours, shown(two_hours, 120 * MINUTE)
    start = database.simulation.clock.plain(0)
    cycles: dict[str, int] = dict(
        database.rows(
            "SELECT lower(replace(agent_name, ' ', '-')), count(*) FROM agent_executions "
            "WHERE timestamp >= ? GROUP BY 1",
            start,
        )
    )
    assert {agent["id"]: agent["cycles"] for agent in document["agents"]} == cycles
    chief = cycles["strategic-orchestrator"]
    assert (
        document["orchestrator"]["cycles"]["total"]
        == chief
        == document["orchestrator"]["cycles"]["duration"]["count"]
    )
    messages = database.value(
        "SELECT sum(json_array_length(system, '$.interAgentCommunication')) FROM agent_decisions "
        "WHERE timestamp >= ?",
        database.simulation.clock.iso(0),
    )
    assert sum(pair["sent"] for pair in document["communication"]["pairs"]) == messages
    signals = database.value(
        "SELECT sum(json_extract(output_data, '$.signalsGenerated')) FROM agent_executions "
        "WHERE agent_name = 'market-hunter' AND timestamp >= ?",
        start,
    )
    assert by("agent", document["selfReports"])["market-hunter"]["report"]["signalsGenerated"] == signals


def coordination(document: Json) -> dict[str, float]:
    entries = by("agent", document["communication"]["negotiations"])
    return {
        agent: entry["succeeded"] / max(1, entry["total"])
        for agent, entry in entries.items()
        if entry["total"]
    }


def test_coordination_is_healthy_but_for_the_degraded_agent(make_database: MakeDatabase) -> None:
    database = make_database("degraded", seed=34, history_days=0.5)
    for until in range(5 * MINUTE, 60 * MINUTE, 5 * MINUTE):
        seen = coordination(shown(database, until))
        assert seen.pop("market-hunter") < 0.6
        assert min(seen.values()) >= 0.8
    database.advance(600 * MINUTE)
    assert coordination(shown(database, 600 * MINUTE))["market-hunter"] == pytest.approx(0.54, abs=0.001)


def test_healthy_coordination_never_looks_bad(make_database: MakeDatabase) -> None:
    database = make_database("healthy", seed=35, history_days=0.5)
    for until in range(0, 60 * MINUTE, MINUTE):
        assert min(coordination(shown(database, until)).values(), default=1) >= 0.8


def test_the_failing_agent_is_no_longer_running(make_database: MakeDatabase) -> None:
    database = make_database("failing", seed=36, history_days=0.5)
    document = shown(database, 10 * MINUTE)
    running = {agent["id"]: agent["running"] for agent in document["agents"]}
    assert [agent for agent, runs in running.items() if not runs] == ["narrative-architect"]
    assert "narrative-architect" not in by("agent", document["selfReports"])
    assert "goalProgress" not in by("id", document["agents"])["narrative-architect"]
    assert document["orchestrator"]["running"] is True
    assert coordination(document)["market-analyzer"] < 0.6


def test_a_request_does_not_change_the_simulation() -> None:
    asked, left_alone = simulate(history_days=0.5), simulate(history_days=0.5)
    for until in range(0, 10 * MINUTE, 30_000):
        seen = list(asked.advance(until))
        state_document(asked, process_document(EventLoopLag()), time.time())
        assert seen == list(left_alone.advance(until))


@pytest.mark.parametrize(
    ("scenario", "least", "most"),
    [
        ("healthy", 0.8, 1),
        ("degraded", 0.78, 1),
        ("failing", 0, 0.78),
        ("harmful", 0.78, 1),
        ("tradeoff", 0.78, 1),
    ],
)
def test_profiles_score_as_the_scenario_says(
    make_database: MakeDatabase, scenario: str, least: float, most: float
) -> None:
    """The mean of an agent's success, coordination, efficiency and goal progress, then of the agents."""
    database = make_database(scenario, seed=37, history_days=0.5)
    document = shown(database, 60 * MINUTE)
    reports, negotiated = by("agent", document["selfReports"]), coordination(document)
    scores = []
    for agent in document["agents"]:
        known, report = agent["successHistory"], reports.get(agent["id"], {}).get("report", {})
        parts = [known["succeeded"] / (known["succeeded"] + known["failed"]), negotiated[agent["id"]]]
        if "goalProgress" in agent:
            parts.append(agent["goalProgress"]["overall"])
        if "cacheHitRate" in report:
            parts.append(report["cacheHitRate"])
        scores.append(sum(parts) / len(parts))
    assert least < sum(scores) / len(scores) < most


def test_reports_differ_in_what_they_have(make_database: MakeDatabase) -> None:
    database = make_database("healthy", seed=38, history_days=0.5)
    reports = {
        agent: entry["report"]
        for agent, entry in by("agent", shown(database, 20 * MINUTE)["selfReports"]).items()
    }
    assert len(reports) == 6
    assert {"totalDecisions", "sourcesQueried", "signalsGenerated", "cacheHitRate"} <= reports[
        "market-hunter"
    ].keys()
    assert "cacheHitRate" not in reports["market-analyzer"]
    assert reports["content-creator"]["successRate"] > 1
    assert "decisionCount" in reports["content-creator"]
    assert reports["market-hunter"]["queue"]["retries"]["total"] >= 0


def test_the_process_is_this_one(validator: Validator) -> None:
    document: Json = process_document(EventLoopLag())
    assert document["memory"]["heapUsed"] <= document["memory"]["heapTotal"] <= document["memory"]["rss"]
    assert document["startTime"] < time.time()
    before = copy.deepcopy(document["cpu"])
    after: Json = process_document(EventLoopLag())
    assert after["cpu"]["user"] >= before["user"]


def test_lag_shows_the_last_full_minute_only() -> None:
    assert EventLoopLag().last_minute is None
    lag = EventLoopLag()
    for milliseconds in range(1, 101):
        lag.record(milliseconds / 1000)
    lag.close_minute(1000.0)
    assert lag.last_minute == {"p50": 0.051, "p99": 0.1, "max": 0.1, "time": 1000.0}
    lag.record(5.0)
    assert lag.last_minute["max"] == 0.1
    lag.close_minute(1060.0)
    assert lag.last_minute["p50"] == 5.0
