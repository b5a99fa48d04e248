"""What actions do to the simulated bot: exact, since time is fast-forwarded; read by plain SQL from the file."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from demo.simulated import (
    MINUTE,
    Json,
    MakeDatabase,
    RecordingSchedule,
    Row,
    SimulatedDatabase,
    simulate,
)
from exporter.demo.actions import ActionExecutor
from exporter.demo.errors import LockedError
from exporter.demo.process_stats import EventLoopLag, process_document
from exporter.demo.requests import RejectedError, Request, parse_request
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.state_document import state_document
from exporter.demo.transaction import Transaction

HUNTER = "market-hunter"
NEWEST = """
SELECT round(avg(execution_time_ms), 6), avg(success) FROM
  (SELECT * FROM agent_executions WHERE agent_name = ? AND timestamp > ? ORDER BY id LIMIT 50)
"""


async def never_commit(_: Transaction) -> None:
    raise AssertionError("only commands are committed")


class ActionClient:
    """Posts actions to the bot that writes a database."""

    def __init__(self, database: SimulatedDatabase) -> None:
        self.database = database
        self.executor = ActionExecutor(database.simulation, never_commit, bot_start=1.0)
        self.now = 0
        self.ids = 0

    def advance(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.database.advance(self.now)

    def act(self, action: str, **more: object) -> Json:
        self.ids += 1
        request_id = f"a{self.ids}"
        asked = {"version": 1, "id": request_id, "botStart": 1.0, "action": action, **more}
        answer = asyncio.run(self.executor.execute(parse_request(json.dumps(asked).encode())))
        return answer.document(request_id)

    def adapt(self, agent: str, *adaptations: str) -> Json:
        return self.act("execute_adaptation", agent=agent, adaptations=adaptations)

    def next_fifty(self, agent: str) -> Row:
        """Milliseconds and success of the next 50 executions."""
        since = self.database.simulation.clock.plain(self.now)
        self.advance(20)
        return self.database.rows(NEWEST, agent, since)[0]

    def next_coordination(self, agent: str) -> float:
        """Of the negotiations from now on, as the state counts them."""
        before = self._negotiations(agent)
        self.advance(60)
        after = self._negotiations(agent)
        succeeded: int = after["succeeded"] - before["succeeded"]
        total: int = after["total"] - before["total"]
        return succeeded / total

    def _negotiations(self, agent: str) -> Json:
        document: Json = state_document(self.database.simulation, process_document(EventLoopLag()), 0.0)
        negotiations: list[Json] = document["communication"]["negotiations"]
        return next(entry for entry in negotiations if entry["agent"] == agent)


class MakeClient(Protocol):
    def __call__(self, scenario: str, *, seed: int = 1) -> ActionClient: ...


@pytest.fixture
def make_client(make_database: MakeDatabase) -> MakeClient:
    def make(scenario: str, *, seed: int = 1) -> ActionClient:
        return ActionClient(make_database(scenario, seed=seed, history_days=0.5))

    return make


DEGRADED = (2800, 0.62, 0.54)


@pytest.mark.parametrize(
    ("scenario", "adapted"),
    [("degraded", (1150, 0.96, 0.9)), ("harmful", (5000, 0.4, 0.36)), ("tradeoff", (900, 0.24, 0.54))],
)
def test_an_adjusted_strategy_changes_the_agent_and_a_restore_changes_it_back(
    make_client: MakeClient, scenario: str, adapted: tuple[float, float, float]
) -> None:
    bot = make_client(scenario, seed=41)
    for expected in (DEGRADED, adapted, DEGRADED):
        assert bot.next_fifty(HUNTER) == expected[:2]
        assert bot.next_coordination(HUNTER) == pytest.approx(expected[2], abs=0.02)
        if expected is DEGRADED:
            bot.adapt(HUNTER, "STRATEGY_ADJUSTMENT")
        else:
            assert bot.act("restore", restores="a1")["status"] == "done"


@pytest.mark.parametrize("scenario", ["degraded", "harmful", "tradeoff"])
def test_only_the_strategy_counts_and_only_for_its_agent(make_client: MakeClient, scenario: str) -> None:
    bot = make_client(scenario, seed=42)
    bot.adapt(HUNTER, "GOAL_ADAPTATION", "INCREASE_AUTONOMY")
    bot.adapt("content-creator", "STRATEGY_ADJUSTMENT")
    assert bot.next_fifty(HUNTER) == DEGRADED[:2]
    bot.adapt(HUNTER, "STRATEGY_ADJUSTMENT")
    since = bot.database.simulation.clock.plain(bot.now)
    bot.advance(40)
    assert bot.database.rows(NEWEST, "content-creator", since)[0][1] >= 0.9


def test_a_second_adjustment_keeps_what_the_first_did(make_client: MakeClient) -> None:
    bot = make_client("degraded", seed=43)
    changes = [bot.adapt(HUNTER, "STRATEGY_ADJUSTMENT")["changes"][0] for _ in range(2)]
    assert [(change["from"], change["to"]) for change in changes] == [(64, 32), (32, 16)]
    bot.act("restore", restores="a2")
    assert bot.next_fifty(HUNTER) == (1150, 0.96)
    bot.act("restore", restores="a1")
    assert bot.next_fifty(HUNTER) == DEGRADED[:2]


@pytest.mark.parametrize("scenario", ["healthy", "failing"])
def test_elsewhere_an_adaptation_changes_a_goal_and_nothing_else(scenario: str) -> None:
    asked, left_alone = (simulate(scenario, seed=44, history_days=0.5) for _ in range(2))
    with closing(sqlite3.connect(":memory:")) as unused:
        bot = ActionClient(SimulatedDatabase(asked, unused))
        for until in range(0, 10 * MINUTE, MINUTE):
            seen = list(asked.advance(until))
            for agent in ("market-hunter", "market-analyzer", "intelligent-execution-agent"):
                answer = bot.adapt(agent, "STRATEGY_ADJUSTMENT", "GOAL_ADAPTATION")
                assert answer["status"] == "done"
            assert seen == list(left_alone.advance(until))
    assert asked.agents_by_id["market-hunter"].value("goals.analysisDepth") == 1


@pytest.mark.parametrize("agent", ["market-hunter", "narrative-architect"])
def test_autonomy_is_seen_in_the_state_and_in_decisions(make_client: MakeClient, agent: str) -> None:
    bot = make_client("healthy", seed=45)
    level = bot.database.simulation.agents_by_id[agent].value("autonomyLevel")
    for _ in range(10):
        (change,) = bot.act("adjust_autonomy", agent=agent, direction="lower")["changes"]
        assert change == {
            "agent": agent,
            "path": "autonomyLevel",
            "from": pytest.approx(level),
            "to": pytest.approx(level * 0.95),
        }
        level = change["to"]
    since = bot.database.simulation.clock.iso(bot.now)
    bot.advance(60)
    document: Json = state_document(bot.database.simulation, process_document(EventLoopLag()), 0.0)
    assert next(each["autonomy"] for each in document["agents"] if each["id"] == agent) == level
    logged = [
        value / 100 if value > 1 else value
        for (value,) in bot.database.rows(
            "SELECT json_extract(agent_state, '$.autonomyLevel') FROM agent_decisions "
            "WHERE agent = ? AND timestamp > ?",
            agent,
            since,
        )
    ]
    assert sum(logged) / len(logged) == pytest.approx(level, abs=0.01)
    seen = bot.database.rows(
        "SELECT DISTINCT json_extract(each.value, '$.autonomyLevel') FROM agent_decisions, "
        "json_each(context, '$.systemState.agentStates') AS each "
        "WHERE json_extract(each.value, '$.agentId') = ? AND timestamp > ?",
        agent,
        since,
    )
    assert seen in ([(level,)], [])
    assert seen or agent == "narrative-architect"


@pytest.mark.parametrize(("direction", "bound"), [("lower", 0.3), ("raise", 0.95)])
def test_autonomy_stays_within_its_bounds(make_client: MakeClient, direction: str, bound: float) -> None:
    bot = make_client("healthy", seed=46)
    answers = [bot.act("adjust_autonomy", agent=HUNTER, direction=direction) for _ in range(25)]
    assert {answer["status"] for answer in answers} == {"done"}
    changed = [answer for answer in answers if answer["changes"]]
    assert changed[-1]["changes"][0]["to"] == bound
    assert len(changed) < len(answers)
    assert changed == answers[: len(changed)]


def test_what_was_changed_since_is_left_alone_and_the_rest_restored(make_client: MakeClient) -> None:
    bot = make_client("degraded", seed=47)
    first = bot.adapt(HUNTER, "STRATEGY_ADJUSTMENT", "INCREASE_AUTONOMY")
    bot.act("adjust_autonomy", agent=HUNTER, direction="lower")
    answer = bot.act("restore", restores=first["id"])
    assert answer == {
        "version": 1,
        "id": "a3",
        "status": "refused",
        "changes": [{"agent": HUNTER, "path": "goals.analysisDepth", "from": 32, "to": 64}],
        "error": "changed since: autonomyLevel",
    }
    assert bot.next_fifty(HUNTER) == DEGRADED[:2]


def test_what_is_as_it_was_needs_no_restore(make_client: MakeClient) -> None:
    bot = make_client("degraded", seed=48)
    level = bot.database.simulation.agents_by_id[HUNTER].value("autonomyLevel")
    first = bot.adapt(HUNTER, "INCREASE_AUTONOMY", "STRATEGY_ADJUSTMENT")
    second = bot.act("adjust_autonomy", agent=HUNTER, direction="raise")
    bot.act("restore", restores=second["id"])
    bot.database.simulation.set_value(bot.database.simulation.agents_by_id[HUNTER], "autonomyLevel", level)
    answer = bot.act("restore", restores=first["id"])
    assert answer["status"] == "done"
    assert [change["path"] for change in answer["changes"]] == ["goals.analysisDepth"]


def test_a_restore_works_once_and_is_not_restored_itself(make_client: MakeClient) -> None:
    bot = make_client("degraded", seed=48)
    bot.adapt(HUNTER, "STRATEGY_ADJUSTMENT")
    assert bot.act("restore", restores="a1")["status"] == "done"
    for restored, message in (
        ("a1", "there is nothing to restore"),
        ("a2", "a restore or a resume cannot be restored"),
        ("a9", "no action a9 is known"),
    ):
        answer = bot.act("restore", restores=restored)
        assert (answer["status"], answer["error"], answer["changes"]) == ("refused", message, [])
    assert bot.next_fifty(HUNTER) == DEGRADED[:2]


def test_what_was_refused_changed_nothing_that_could_be_restored(make_client: MakeClient) -> None:
    bot = make_client("healthy", seed=49)
    bot.adapt("nobody", "STRATEGY_ADJUSTMENT")
    answer = bot.act("restore", restores="a1")
    assert (answer["status"], answer["error"]) == ("refused", "there is nothing to restore")


def test_only_the_newest_thousand_are_remembered(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.demo.actions.ACTIONS_PER_MINUTE", 2000)
    bot = make_client("healthy", seed=50)
    bot.adapt(HUNTER, "GOAL_ADAPTATION")
    for _ in range(999):
        bot.act("restore", restores="never")
    assert bot.act("restore", restores="a1")["status"] == "done"
    assert bot.act("restore", restores="a1")["error"] == "no action a1 is known"


def now() -> datetime:
    return datetime.now(UTC)


def pause(action_id: str) -> Request:
    asked = {"version": 1, "id": action_id, "botStart": 1.0, "action": "pause"}
    return parse_request(json.dumps(asked).encode())


async def test_one_action_at_a_time() -> None:
    go_on = asyncio.Event()

    async def commit(_: Transaction) -> None:
        await go_on.wait()

    executor = ActionExecutor(simulate(history_days=0.5, start=now()), commit, 1.0)
    first = asyncio.create_task(executor.execute(pause("a1")))
    await asyncio.sleep(0)
    for again in ("a1", "a2"):
        with pytest.raises(RejectedError, match="another action is running") as raised:
            await executor.execute(pause(again))
        assert (raised.value.status, raised.value.retry_after_seconds) == (429, 1)
    go_on.set()
    assert (await first).status == "done"
    assert await executor.execute(pause("a1")) == await first
    assert (await executor.execute(pause("a2"))).status == "done"


async def test_a_command_that_cannot_be_written_has_no_effect() -> None:
    async def commit(_: Transaction) -> None:
        raise LockedError(Path("trading.db"), 1.0)

    simulation = simulate(history_days=0.5, start=now())
    list(simulation.advance(0))
    answer = await ActionExecutor(simulation, commit, 1.0).execute(pause("a1"))
    assert (answer.status, answer.document("a1")["changes"]) == ("failed", [])
    assert answer.error.startswith("database is locked")
    assert len(list(simulation.advance(5 * MINUTE))) > 50


def test_an_agent_that_only_trades_is_none(make_client: MakeClient) -> None:
    """The state does not show it."""
    answer = make_client("healthy").adapt("bitcoin-orchestrator", "GOAL_ADAPTATION")
    assert (answer["status"], answer["error"]) == ("refused", "there is no such agent")


def test_the_adapted_are_agents_of_their_scenario() -> None:
    for scenario in SCENARIOS.values():
        names = [agent.name for agent in scenario.agents]
        for adapted in scenario.adapted:
            assert adapted.name in names
            assert adapted != scenario.profile(adapted.name, adapted=False)


@pytest.fixture
def schedule() -> RecordingSchedule:
    """Three things a hundred milliseconds apart, and one in between that also happens during a pause."""
    schedule = RecordingSchedule()
    schedule.add_pausable(100, 200, 300)
    schedule.add_unpausable(250)
    return schedule


def test_what_is_held_comes_later_by_the_length_of_the_pause(schedule: RecordingSchedule) -> None:
    assert schedule.run(100) == [100]
    schedule.pause(150)
    schedule.pause(170)
    assert schedule.run(1000) == [("always", 250)]
    schedule.resume(1150)
    assert schedule.run(5000) == [1200, 1300]
    schedule.resume(9000)
    schedule.add_pausable(6000)
    assert schedule.run(9000) == [6000]


def test_a_sleep_during_the_pause_counts_once(schedule: RecordingSchedule) -> None:
    schedule.pause(50)
    schedule.postpone(10_000)
    assert schedule.run(10_250) == [("always", 10_250)]
    schedule.resume(10_300)
    assert schedule.run(20_000) == [10_350, 10_450, 10_550]
