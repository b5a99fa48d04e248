"""The profile: each row is its family, each absence has its reason; JSON, terminal, pipe, HTTP."""

import asyncio
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from rich.console import Console

from exporter.cli import profile_lookup as command
from exporter.cli.profile_table import plain, print_table, readable, readable_age, show
from exporter.collectors.registry import build
from exporter.collectors.scrape import CollectorStatus, Scraper
from exporter.config import Web, load
from exporter.demo import DemoBot
from exporter.http import server
from exporter.http.client import fetch_json
from exporter.http.sockets import bound_address, open_sockets
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import FAMILIES
from exporter.metrics.samples import HistogramValue, Samples
from exporter.profile import GROUPS, ROWS, Profile, Snapshot, rows
from exporter.profile import snapshot as snapshots
from exporter.web import app as web

NOW = 10_000.0
HUNTER = "market-hunter"
ALL = ("database", "agents", "communication", "self_reports", "system")

# The seed's combined object, name by name.
SEED = {
    "performance": ("decisionCount", "successRate", "avgConfidence", "avgResponseTime"),
    "adaptation": ("adaptationScore", "coordinationScore", "resourceEfficiency"),
    "goals": ("goalProgress", "reputation", "autonomyLevel"),
    "integration": ("isRunning", "lastExecution", "messageLatency", "messageCount"),
}


def states(*names: str, error: str = "", pending: tuple[str, ...] = ()) -> list[CollectorStatus]:
    return [CollectorStatus(name, NOW, 0.1, error, pending) for name in names]


def samples() -> Samples:
    made = Samples()
    for family, value in {
        c.EXECUTION_LAST: NOW - 30,
        c.DECISION_LAST: NOW - 60,
        c.RECENT_EXECUTIONS: 50,
        c.RECENT_SUCCESS: 0.62,
        c.RECENT_RESPONSE_TIME: 2.8,
        c.RECENT_CONFIDENCE: 0.8,
        c.AGENT_COORDINATION: 0.54,
        c.AGENT_REPUTATION: 0.9,
        c.AGENT_GOAL_PROGRESS_TIME: NOW - 20,
        c.RESOURCE_EFFICIENCY: 0.5,
        c.REPORTED_TIME: NOW - 200_000,
    }.items():
        made.add(family, value, HUNTER)
    made.add(c.AGENT_GOAL_PROGRESS, 0.7, HUNTER, "overall")
    made.add(c.AGENT_GOAL_PROGRESS, 0.1, HUNTER, "primary")
    made.add(c.BRIDGE_STATE, NOW - 1)
    made.add(c.EXECUTIONS, 40, HUNTER, "scan")
    made.add(c.EXECUTIONS, 2, HUNTER, "trade")
    made.add(c.MESSAGES, 3, HUNTER, "a")
    made.add(c.MESSAGES, 4, HUNTER, "b")
    made.add(c.MESSAGES, 99, "b", HUNTER)
    made.add(c.MESSAGE_LATENCY, HistogramValue([0] * 10 + [4], 2.0), HUNTER)
    made.add(c.PROCESS_CPU, 1.5, "orchestrator", "user")
    made.add(c.PROCESS_CPU, 0.5, "orchestrator", "system")
    made.add(c.RECENT_SUCCESS, 1.0, "retired")
    made.add(c.EXECUTIONS, 1, "other", "scan")
    return made


def snapshot(*names: str) -> Snapshot:
    return Snapshot(samples().metrics(), states(*(names or ALL)), NOW)


def value(profile: Profile, key: str) -> Any:
    (found,) = [each for values in profile.groups.values() for each in values if each.key == key]
    return found


def test_all_that_the_seed_combines_is_there() -> None:
    for group, keys in SEED.items():
        assert set(keys) <= {row.key for row in ROWS if row.group == group}
    assert {row.family.collector for row in ROWS} == set(ALL)


def test_of_several_processes() -> None:
    made = Samples()
    for name, started, lag in (("orchestrator", 2000.0, 0.1), ("hunter", 1000.0, 0.3)):
        made.add(c.PROCESS_RESIDENT, 500.0, name)
        made.add(c.PROCESS_START, started, name)
        made.add(c.EVENTLOOP_P99, lag, name)
    shown = Snapshot(made.metrics(), states("system"), NOW).profile(HUNTER)
    assert value(shown, "residentMemory").value == 1000
    assert value(shown, "startTime").value == 1000
    assert value(shown, "eventLoopLag").value == 0.3


def test_rows_are_sound() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert {row.family for row in ROWS} <= set(FAMILIES)
    assert list(dict.fromkeys(row.group for row in ROWS)) == list(GROUPS), "each group is in one piece"
    assert set(rows.SCORED) <= {row.key for row in ROWS}
    assert set(rows.NO_VALUE_REASONS) <= {row.family for row in ROWS}
    for row in ROWS:
        assert row.unit in row.family.name or row.unit in ("count", "timestamp", "flag", "score"), row.key
        assert row.moment is None or set(row.moment.labels) <= {"agent"}


# Every family of an agent or of the process is a row, dates one, or is here with the reason.
NOT_A_ROW = {
    "the ratio of the window says it": {
        c.EXECUTIONS_SUCCEEDED, c.EXECUTIONS_FAILED, c.EXECUTIONS_ERRORED, c.EXECUTION_DURATION,
        c.EXECUTION_CONFIDENCE, c.DECISION_CONFIDENCE, c.DECISION_AUTONOMY, c.LEARNING_ADJUSTMENTS,
    },
    "how long ago the window began": {c.RECENT_WINDOW_START},
    "what alerts need to tell chance from change": {
        c.RECENT_SUCCESS_BOUND, c.RECENT_RESPONSE_TIME_BOUND, c.DECISION_CONFIDENCE_GAP,
        c.DECISION_CONFIDENCE_GAP_ERROR,
    },
    "a rate over time, for a graph": {
        c.EXECUTION_SIGNALS, c.DECISIONS_SUCCEEDED, c.DECISIONS_FAILED, c.DECISIONS_PENDING, c.DECISION_REVISIONS,
        c.DECISION_RESULTS, c.RECENT_ACTUAL_RESULT, c.DECISION_MESSAGES, c.NEGOTIATIONS_SUCCEEDED,
    },
    "a distribution, for a graph": {
        c.DECISIONS_BY_RISK, c.DECISION_ALTERNATIVES, c.DECISION_RESOLVED, c.DECISION_RESOLVED_SUCCEEDED,
    },
    "money is the portfolio's, not an agent's": {
        c.TRADES, c.TRADE_VOLUME_BTC, c.TRADE_VOLUME_USD, c.TRADE_FEES, c.TRADES_PROFITABLE, c.TRADES_UNPROFITABLE,
        c.TRADE_GAINS, c.TRADE_LOSSES, c.TRADE_UNMATCHED,
    },
    "how much the bot keeps in memory": {c.AGENT_RECENT_DECISIONS, c.AGENT_DECISION_HISTORY},
    "names that an agent chose itself": {c.REPORTED_VALUE},
    "about the process, not the agent; the dashboard has them": {
        c.PROCESS_HEAP_SIZE, c.PROCESS_HEAP_LIMIT, c.PROCESS_FDS, c.PROCESS_THREADS,
        c.EVENTLOOP_P50, c.EVENTLOOP_MAX, c.NODEJS_INFO,
    },
}  # fmt: skip


def test_every_family_of_an_agent_is_a_row_or_has_a_reason() -> None:
    shown = {row.family for row in ROWS} | {row.moment for row in ROWS}
    about_agents = {
        family
        for family in FAMILIES
        if family.collector in ALL
        and (family.collector == "system" or set(snapshots.AGENT_LABELS) & set(family.labels))
    }
    left_out = [family for families in NOT_A_ROW.values() for family in families]
    assert len(left_out) == len(set(left_out))
    assert {family.name for family in about_agents - shown} == {family.name for family in left_out}


def test_every_collector_has_its_reasons() -> None:
    assert {family.collector for family in FAMILIES} - {"exporter", "optimizer"} == set(ALL)
    with_agents = {row.family.collector for row in ROWS if row.agent_label}
    assert set(snapshots._NOT_CONFIGURED) == set(snapshots._NO_VALUE) == set(ALL)
    assert set(snapshots._UNKNOWN_AGENT) == with_agents
    everything = {"database.path": Path("x.db"), "bridge.url": "http://127.0.0.1:9465"}
    assert {collector.name for collector in build(load(None, everything))} == set(ALL)


def test_values_with_source_and_age() -> None:
    profile = snapshot().profile(HUNTER)
    expected = {
        "successRate": (0.62, "database", 30),
        "avgConfidence": (0.8, "database", 60),
        "executionsTotal": (42, "database", 30),
        "goalProgress": (0.7, "agents", 20),
        "reputation": (0.9, "agents", 1),
        "coordinationScore": (0.54, "communication", 1),
        "messageCount": (7, "communication", 1),
        "messageLatency": (0.5, "communication", 1),
        "resourceEfficiency": (0.5, "self_reports", 200_000),
        "cpuSeconds": (2.0, "system", 0),
    }
    for key, (number, source, age) in expected.items():
        found = value(profile, key)
        assert (found.value, found.source, profile.age(found)) == (number, source, age), key
    assert profile.score.value == pytest.approx((0.62 + 0.8 + 0.54 + 0.5 + 0.7) / 5)
    assert profile.age(profile.score) == 200_000, "a score is as old as the oldest of its parts"
    assert sorted(profile.scored) == [
        "avgConfidence",
        "coordinationScore",
        "goalProgress",
        "resourceEfficiency",
        "successRate",
    ]
    assert profile.document()["score"]["parts"] == profile.scored


def test_a_score_needs_two_parts() -> None:
    profile = snapshot().profile("retired")
    assert profile.score.value is None
    assert profile.score.reason.startswith("fewer than 2 of successRate, avgConfidence")
    assert len(profile.scored) < 2


def test_agents_and_who_knows_them() -> None:
    assert snapshot().agents == {
        "b": ["communication"],
        HUNTER: ["database", "agents", "communication", "self_reports"],
        "retired": ["database"],
    }


def test_reasons_for_what_is_absent() -> None:
    def reason(key: str, agent: str, found: Snapshot) -> str:
        absent = value(found.profile(agent), key)
        assert absent.value is None
        return str(absent.reason)

    assert reason("isRunning", HUNTER, snapshot()) == "the live agent does not have it"
    assert reason("performanceRatio", HUNTER, snapshot()).startswith("needs reputation")
    assert reason("isRunning", "retired", snapshot()) == "the orchestrator has no agent of this name"
    assert reason("messageCount", "retired", snapshot()).startswith("it has neither sent")
    assert reason("reportedDecisions", "b", snapshot()) == "it does not report of itself"
    assert reason("isRunning", HUNTER, snapshot("database")) == "no bridge is configured (--bridge.url)"
    assert "--bot.pid-file" in reason("heapUsed", HUNTER, snapshot("database"))
    assert "--database.path" in reason("errorRate", "b", snapshot("agents"))
    failed = Snapshot(samples().metrics(), states("agents", error="the bot is down"), NOW)
    assert reason("isRunning", HUNTER, failed) == "the bot is down"
    pending = Snapshot([], states("database", pending=("table trades: 5 rows left",)), NOW)
    assert reason("errorRate", HUNTER, pending) == "not read yet: table trades: 5 rows left"


def test_json_and_back() -> None:
    profile = snapshot().profile(HUNTER)
    document = json.loads(json.dumps(profile.document()))
    assert document["performance"]["avgResponseTime"] == {
        "value": 2.8,
        "unit": "seconds",
        "source": "database",
        "family": "tweetbot_recent_response_time_seconds",
        "ageSeconds": 30,
    }
    absent = document["integration"]["isRunning"]
    assert (absent["value"], absent["reason"]) == (None, "the live agent does not have it")
    assert Profile.of(document) == profile


@pytest.mark.parametrize("width", [30, 50, 71, 72, 100, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    out = io.StringIO()
    print_table(snapshot().profile(HUNTER), Console(file=out, width=width))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "2.80 s" in text
    assert "[1]" in text
    assert bool(re.search(r"\bsource\b", text)) is (width >= 72)


def test_a_pipe_gets_a_line_for_each_value() -> None:
    out = io.StringIO()
    show([snapshot().profile(HUNTER)], out)
    lines = [line.split("\t") for line in out.getvalue().splitlines()]
    assert len(lines) == len(ROWS) + 2
    by_metric = {line[2]: line for line in lines}
    assert by_metric["avgResponseTime"][:7] == [
        HUNTER, "performance", "avgResponseTime", "2.8", "seconds", "database", "30",
    ]  # fmt: skip
    assert by_metric["isRunning"][3:] == ["-", "flag", "agents", "-", "the live agent does not have it"]


def test_names_cannot_reach_the_terminal_raw() -> None:
    assert "\x1b" not in "".join(plain([Snapshot([], states("agents", error="\x1b[2J"), NOW).profile("a")]))


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0.625, "ratio", "62.5 %"),
        (2.8, "seconds", "2.80 s"),
        (0.0083, "seconds", "8.3 ms"),
        (0, "seconds", "0.00 s"),
        (12345, "seconds", "12,345.00 s"),
        (999, "bytes", "999 B"),
        (1023, "bytes", "1023 B"),
        (45 * 2**20, "bytes", "45 MiB"),
        (1, "flag", "yes"),
        (0, "flag", "no"),
        (1_795_367_592, "timestamp", "2026-11-22 17:13:12Z"),
        (1e300, "timestamp", "1e+300"),
        (1262, "count", "1,262"),
        (0.15, "score", "0.15"),
    ],
)
def test_values_as_people_read_them(number: float, unit: str, text: str) -> None:
    assert readable(number, unit) == text


def test_ages_as_people_read_them() -> None:
    shown = [readable_age(seconds) for seconds in (None, 0.4, 2, 119, 120, 7199, 7200, 172_800)]
    assert shown == ["", "now", "2 s", "119 s", "2 min", "120 min", "2 h", "2 d"]


class Page:
    """A source that delivers the samples above."""

    name = "database"

    async def start(self) -> None: ...

    async def collect(self, timeout: float) -> list[Any]:
        return samples().metrics()

    def self_metrics(self) -> list[Any]:
        return []

    def readiness(self) -> list[str]:
        return []

    async def diagnose(self) -> list[Any]:
        return []

    async def close(self) -> None: ...


async def test_over_http() -> None:
    sockets = open_sockets(["127.0.0.1:0"])
    app = web.make_app(Scraper([Page()]), Web())
    async with server.running(app, sockets), ClientSession() as session:
        base = f"http://127.0.0.1:{bound_address(sockets[0]).port}"
        async with session.get(f"{base}/api/v1/agents") as response:
            listed = await response.json()
            assert response.headers["Cache-Control"] == "no-store"
        assert [each["agent"] for each in listed["agents"]] == ["b", HUNTER, "retired"]
        assert listed["agents"][1]["path"] == "/api/v1/agents/market-hunter"
        async with session.get(f"{base}/api/v1/agents/Market%20Hunter") as response:
            assert response.status == 200
            assert (await response.json())["performance"]["successRate"]["value"] == 0.62
        for name in ("nobody", "other", "%00", "%2F", "x" * 5000):
            async with session.get(f"{base}/api/v1/agents/{name}") as response:
                assert response.status == 404, name
                assert response.content_type == "application/json"
                assert (await response.json())["known"] == ["b", HUNTER, "retired"]
        # The command can ask it.
        (profile,) = await command.asked(base, ["Market Hunter"])
        assert value(profile, "successRate").value == 0.62
        with pytest.raises(command.ProfileError, match="'market-huntr'; did you mean market-hunter"):
            await command.asked(base, ["market-huntr"])
        with pytest.raises(command.ProfileError, match="status 404"):
            await command.asked(f"{base}/elsewhere", [])
    with pytest.raises(command.ProfileError, match="cannot connect"):
        await command.asked(base, [])


async def test_a_database_that_cannot_be_read_does_not_keep_it_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.5)
    told = io.StringIO()
    found = await command.collect(load(None, {"database.path": tmp_path / "none.db"}), told)
    assert "none.db" in value(found.profile("a"), "successRate").reason


def profiled(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "exporter", "profile", *arguments], capture_output=True, text=True, timeout=60
    )


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "bridge", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), said) == (141, b"")


async def test_the_command_against_the_demo(tmp_path: Path) -> None:
    async with DemoBot(directory=tmp_path, scenario="degraded", history_days=0.5) as bot:
        flags = ("--database.path", str(bot.database_path), "--bridge.url", bot.state_url)
        one = await asyncio.to_thread(profiled, "Market Hunter", "--json", *flags)
        everyone = await asyncio.to_thread(profiled, *flags)
        nobody = await asyncio.to_thread(profiled, "nobody", *flags)
        state = await fetch_json(bot.state_url, 5)
    assert one.returncode == 0, one.stderr
    document = json.loads(one.stdout)
    assert document["performance"]["successRate"]["value"] == 0.62
    assert document["performance"]["avgResponseTime"]["value"] == 2.8
    (live,) = [agent for agent in state["agents"] if agent["id"] == HUNTER]
    assert document["goals"]["reputation"]["value"] == pytest.approx(live["reputation"], abs=0.05)
    shown = [each for group in GROUPS for each in document[group].values()]
    assert {each["source"] for each in shown if each["value"] is not None} == set(ALL)
    assert everyone.returncode == 0
    assert {line.split("\t")[0] for line in everyone.stdout.splitlines()[1:]} >= {HUNTER, "content-creator"}
    assert nobody.returncode == 1
    assert "there is no agent 'nobody'; known: " in nobody.stderr


def test_without_a_bot_it_says_what_to_name() -> None:
    done = profiled()
    assert done.returncode == 2
    assert "--bridge.url" in done.stderr
