"""The reconciler: each row of the table of an optimization's life, and what may go wrong in between."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.model import ActionResult, Change, Measurement, Subject
from exporter.optimizer.reconcile.reconciler import Reconciler
from exporter.optimizer.reconcile.rollback import NotFoundError, RefusedError
from optimizer.fakes import (
    COORDINATION,
    CREATOR,
    FAILING,
    HUNTER,
    NOON,
    OTHER_SLOW,
    SLOW,
    SYSTEM,
    RaisingBot,
    World,
    alert,
    config,
    world_at,
)

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "optimizer.db") as found:
        yield found


class TestReceiving:
    async def test_a_firing_alert_becomes_a_waiting_optimization(self, world: World) -> None:
        assert await world.receive(alert()) == {"accepted": 1}
        entry = await world.entry()
        assert (entry.subject, entry.state, entry.severity) == (SLOW, "waiting", "high")
        assert (entry.fingerprint, entry.alert_starts_at, entry.created_at) == ("f1", NOON - 300, NOON)

    async def test_asks_neither_prometheus_nor_the_bot(self, world: World) -> None:
        await world.start(bot=RaisingBot())
        await world.receive(alert())
        assert world.metrics.calls == 0

    async def test_the_same_alert_again_is_repeated_also_in_one_request(self, world: World) -> None:
        assert await world.receive(alert(), alert()) == {"accepted": 1, "repeated": 1}
        assert await world.receive(alert()) == {"repeated": 1}
        assert len(await world.ledger.optimizations()) == 1

    async def test_severities_share_one_and_the_worst_counts(self, world: World) -> None:
        medium = alert(FAILING, "medium", fingerprint="m")
        critical = alert(FAILING, "critical", fingerprint="c")
        assert await world.receive(medium) == {"accepted": 1}
        assert await world.receive(critical) == {"open": 1}
        assert (await world.entry()).severity == "critical"
        assert await world.receive(alert(FAILING, "high", fingerprint="h")) == {"open": 1}
        assert (await world.entry()).severity == "critical"

    async def test_once_it_is_acted_on_its_severity_stays(self, world: World) -> None:
        await world.acted()
        assert await world.receive(alert(severity="critical", fingerprint="c")) == {"open": 1}
        assert (await world.entry()).severity == "high"

    async def test_severities_share_one_within_a_request_too(self, world: World) -> None:
        both = [alert(FAILING, "medium", fingerprint="m"), alert(FAILING, "critical", fingerprint="c")]
        assert await world.receive(*both) == {"accepted": 1, "open": 1}
        assert (await world.entry()).severity == "critical"

    async def test_an_alert_that_shared_does_not_begin_one_of_its_own_later(self, world: World) -> None:
        await world.start(cooldown_seconds=0)
        await world.receive(alert(), alert(severity="critical", fingerprint="f2"))
        world.metrics.sees()
        world.bot.silent_adaptations = True
        await world.step()
        assert (await world.entry()).outcome == "no_effect"
        assert await world.receive(alert(severity="critical", fingerprint="f2")) == {"repeated": 1}

    async def test_resolved_before_it_fired(self, world: World) -> None:
        assert await world.receive(alert(firing=False)) == {"accepted": 1}
        assert await world.receive(alert()) == {"repeated": 1}
        assert await world.receive(alert(firing=False)) == {"repeated": 1}
        assert await world.ledger.optimizations() == []

    async def test_out_of_order_an_old_episode_does_not_resolve_a_new_one(self, world: World) -> None:
        await world.receive(alert(starts_at=NOON))
        assert await world.receive(alert(firing=False, starts_at=NOON - HOUR)) == {"accepted": 1}
        assert not (await world.entry()).alert_resolved

    async def test_unknown_agents_are_rejected_once_the_known_ones_are_known(self, world: World) -> None:
        forged = alert(Subject(AGENT_RESPONSE_TIME, "../../etc/passwd"))
        assert await world.receive(alert(Subject(AGENT_RESPONSE_TIME, "new-agent"))) == {"accepted": 1}
        await world.step()
        assert await world.receive(forged) == {"unknown_agent": 1}
        world.metrics.down = True
        await world.step()
        assert await world.receive(forged) == {"unknown_agent": 1}

    async def test_too_many_open(self, world: World) -> None:
        flood = [alert(Subject(AGENT_RESPONSE_TIME, f"agent-{n}"), fingerprint=f"{n}") for n in range(150)]
        assert await world.receive(*flood) == {"accepted": 100, "full": 50}
        assert await world.receive(flood[120]) == {"full": 1}
        await world.step()
        await world.step(10 * MINUTE)
        world.metrics.known |= {"agent-120"}
        await world.step()
        assert await world.receive(flood[120]) == {"accepted": 1}

    async def test_cooldown_after_an_action_and_its_end(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (1.5, 25)
        await world.step(3 * MINUTE)
        assert (await world.entry()).outcome == "succeeded"
        world.clock.pass_(6 * HOUR - 1)
        assert await world.receive(alert(starts_at=world.clock.now)) == {"cooldown": 1}
        assert await world.receive(alert(FAILING, fingerprint="other")) == {"accepted": 1}
        world.clock.pass_(2)
        assert await world.receive(alert(starts_at=world.clock.now - 2)) == {"accepted": 1}, "it was rejected"

    async def test_an_alert_rejected_in_the_cooldown_is_taken_when_it_is_repeated_later(
        self, world: World
    ) -> None:
        await world.start(mode="observe")
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        again = alert(starts_at=NOON + HOUR)
        world.clock.pass_(HOUR)
        assert await world.receive(again) == {"cooldown": 1}
        world.clock.pass_(6 * HOUR)
        assert await world.receive(again) == {"accepted": 1}

    async def test_mode_act_takes_what_was_only_observed(self, world: World) -> None:
        await world.start(mode="observe", bot=RaisingBot())
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        assert (await world.entry()).outcome == "observed"
        assert await world.receive(alert()) == {"repeated": 1}
        await world.start(mode="act")
        assert await world.receive(alert()) == {"accepted": 1}
        assert await world.receive(alert()) == {"repeated": 1}

    async def test_a_slow_prometheus_or_bot_does_not_hold_it_up(self, world: World) -> None:
        hung = asyncio.Event()

        async def hang() -> frozenset[str]:
            hung.set()
            await asyncio.sleep(60)
            raise AssertionError

        world.metrics.agents = hang  # type: ignore[method-assign]
        step = asyncio.create_task(world.reconciler.reconcile())
        await hung.wait()
        async with asyncio.timeout(20):
            assert await world.receive(alert()) == {"accepted": 1}
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)


class TestWaiting:
    async def test_over_when_prometheus_never_sees_it(self, world: World) -> None:
        await world.receive(alert())
        await world.step()
        await world.step(9 * MINUTE)
        entry = await world.entry()
        assert (entry.state, entry.reason) == ("waiting", "waits until Prometheus sees the bottleneck too")
        await world.step(MINUTE)
        entry = await world.entry()
        assert (entry.outcome, entry.reason) == (
            "over",
            "Prometheus saw no such bottleneck for 10 min",
        )
        assert world.bot.names == []

    async def test_over_at_once_when_its_alert_is_resolved(self, world: World) -> None:
        await world.receive(alert(), alert(severity="critical", fingerprint="f2"))
        await world.receive(alert(firing=False))
        await world.step()
        assert (await world.entry()).state == "waiting", "its other alert still fires"
        await world.receive(alert(fingerprint="f2", firing=False))
        await world.step()
        assert (await world.entry()).outcome == "over"

    async def test_a_resolved_alert_does_not_matter_while_prometheus_sees_the_bottleneck(
        self, world: World
    ) -> None:
        world.metrics.sees()
        await world.receive(alert())
        await world.receive(alert(firing=False))
        await world.step()
        assert (await world.entry()).state == "measuring"

    async def test_resolved_and_fired_again_cannot_fill_the_ledger(self, world: World) -> None:
        accepted = 0
        for second in range(600):
            world.clock.now = NOON + second
            episode = alert(starts_at=NOON + second)
            accepted += (await world.receive(episode)).get("accepted", 0)
            await world.receive(alert(starts_at=NOON + second, firing=False))
            await world.reconciler.reconcile()
        assert accepted == len(await world.ledger.optimizations()) == 2

    async def test_observe_writes_down_what_it_would_do_and_never_asks_the_bot(self, world: World) -> None:
        await world.start(mode="observe", bot=RaisingBot())
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert entry.outcome == "observed"
        assert entry.reason == "mode observe; would do: market-hunter: execute_adaptation STRATEGY_ADJUSTMENT"
        assert entry.strategy is not None
        assert entry.strategy.impact_ratio == 0.4
        assert (await world.ledger.tally()).actions == {}

    async def test_observe_leaves_what_was_begun_in_mode_act(self, world: World) -> None:
        await world.acted()
        await world.start(mode="observe", bot=RaisingBot())
        await world.step(HOUR)
        entry = await world.entry()
        assert entry.state == "measuring"
        assert entry.reason == "mode observe asks nothing of the bot: goes on in mode act"
        with pytest.raises(RefusedError, match=r"set optimizer\.mode to act"):
            await world.reconciler.roll_back(1)
        world.metrics.values[SLOW] = (1.0, 30)
        await world.start(mode="act")
        await world.step()
        assert (await world.entry()).outcome == "succeeded"

    async def test_advised_where_no_action_is_allowed(self, world: World) -> None:
        await world.start(actions=["adjust_autonomy"])
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert entry.outcome == "advised"
        assert "make the agent's decision logic faster" in entry.reason
        assert world.bot.names == []

    async def test_severity_and_impact_are_prometheus_s(self, world: World) -> None:
        world.metrics.sees(FAILING, "medium", 0.08, 0.62)
        await world.start(mode="observe")
        await world.receive(alert(FAILING, "critical"))
        await world.step()
        entry = await world.entry()
        assert entry.severity == "medium"
        assert entry.strategy is not None
        assert entry.strategy.expected_improvement_ratio == pytest.approx(0.056)

    async def test_one_change_at_a_time_for_an_agent(self, world: World) -> None:
        world.metrics.sees(SLOW)
        world.metrics.sees(FAILING, "medium", 0.08, 0.62)
        world.metrics.sees(OTHER_SLOW)
        await world.receive(
            alert(FAILING, "medium", fingerprint="b"), alert(), alert(OTHER_SLOW, fingerprint="c")
        )
        await world.step()
        states = {entry.subject: entry.state for entry in await world.ledger.optimizations()}
        assert states == {SLOW: "measuring", FAILING: "waiting", OTHER_SLOW: "measuring"}
        assert (
            await world.entry(1)
        ).reason == "waits for optimization 2 of the same agent, which is measuring"
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(3 * MINUTE)
        await world.step()
        assert (await world.entry(1)).state == "measuring"

    async def test_the_whole_bot_waits_for_all_and_all_for_it(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.4}
        await world.acted(SLOW)
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        await world.receive(alert(SYSTEM, "critical", fingerprint="s"))
        await world.step()
        assert (await world.entry(2)).state == "waiting"
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(3 * MINUTE)
        await world.step()
        assert (await world.entry(2)).state == "measuring"
        world.metrics.sees(OTHER_SLOW)
        await world.receive(alert(OTHER_SLOW, fingerprint="o"))
        await world.step()
        assert (await world.entry(3)).state == "waiting"

    async def test_the_most_urgent_goes_first(self, world: World) -> None:
        await world.start(actions_per_hour=1)
        world.metrics.sees(OTHER_SLOW, "medium", 0.9)
        world.metrics.sees(SLOW, "high", 0.1)
        await world.receive(alert(OTHER_SLOW, "critical", fingerprint="o"), alert())
        await world.step()
        assert (await world.entry(2)).state == "measuring"
        waiting = await world.entry(1)
        assert waiting.reason == "waits: no more than 1 actions an hour (optimizer.actions_per_hour)"
        await world.step(HOUR)
        assert (await world.entry(1)).state == "measuring"

    async def test_what_is_planned_counts_for_the_limit_before_it_is_sent(self, world: World) -> None:
        await world.start(actions_per_hour=2)
        world.metrics.ratios = {HUNTER: 0.3}
        world.metrics.sees(FAILING, "critical", 0.3, 0.4)
        world.metrics.sees(OTHER_SLOW)
        world.bot.scripted["execute_adaptation"] = ActionResult("running")
        await world.receive(alert(FAILING, "critical"), alert(OTHER_SLOW, fingerprint="o"))
        await world.step()
        first, second = (await world.entry(1)).actions
        assert (first.status, second.status) == ("sent", "planned")
        assert (await world.entry(2)).state == "waiting"

    async def test_a_waiting_one_gets_the_strategy_of_the_moment(self, world: World) -> None:
        world.metrics.sees(impact=0.2)
        world.metrics.values[SLOW] = (2.4, 5)
        await world.receive(alert())
        await world.step()
        world.metrics.sees(severity="critical", impact=0.4)
        await world.step()
        entry = await world.entry()
        assert entry.strategy is not None
        assert (entry.strategy.priority, entry.strategy.impact_ratio) == ("critical", 0.4)
        assert entry.severity == "critical"

    async def test_a_step_without_news_writes_nothing(self, world: World) -> None:
        world.metrics.sees(OTHER_SLOW)
        world.metrics.values[OTHER_SLOW] = (2.4, 5)
        await world.receive(alert(FAILING, fingerprint="unconfirmed"), alert(OTHER_SLOW, fingerprint="few"))
        await world.acted()
        before = world.ledger._database.connection.total_changes
        for _ in range(5):
            await world.step(1)
            await world.receive(alert(FAILING, fingerprint="unconfirmed"))
        assert world.ledger._database.connection.total_changes == before

    async def test_takings_back_are_not_limited(self, world: World) -> None:
        await world.start(actions_per_hour=1)
        await world.acted()
        world.metrics.values[SLOW] = (9.0, 30)
        await world.step(3 * MINUTE)
        await world.step()
        assert (await world.entry()).outcome == "rolled_back"

    async def test_waits_for_enough_events_before_and_gives_up(self, world: World) -> None:
        world.metrics.sees()
        world.metrics.values[SLOW] = (2.8, 19)
        await world.receive(alert())
        await world.step(HOUR)
        entry = await world.entry()
        assert entry.state == "waiting"
        assert "19 of 20 executions" in entry.reason
        await world.step(5 * HOUR)
        entry = await world.entry()
        assert entry.outcome == "not_enough_data"
        assert world.bot.names == []

    async def test_acts_as_soon_as_there_are_enough(self, world: World) -> None:
        world.metrics.sees()
        world.metrics.values[SLOW] = (2.8, 19)
        await world.receive(alert())
        await world.step()
        world.metrics.values[SLOW] = (2.8, 20)
        await world.step(MINUTE)
        entry = await world.entry()
        assert entry.state == "measuring"
        assert entry.before == Measurement(NOON + MINUTE - HOUR, NOON + MINUTE, 2.8, 20, standard_error=0.028)

    async def test_prometheus_away(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.metrics.down = True
        with capture_logs() as logs:
            for _ in range(5):
                await world.step(HOUR)
        entry = await world.entry()
        assert entry.state == "waiting"
        assert "did not answer in time" in entry.reason
        assert world.reconciler.prometheus_up is False
        assert [line["event"] for line in logs] == ["Prometheus is not available"]
        world.metrics.down = False
        await world.step()
        assert world.reconciler.prometheus_up is True
        assert (await world.entry()).state == "measuring"

    async def test_nothing_is_sent_while_the_bot_is_away(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.down = True
        await world.step()
        assert (await world.entry()).state == "waiting"
        assert world.reconciler.bot_up is False
        world.bot.down = False
        await world.step()
        assert world.bot.names == [f"execute_adaptation {HUNTER}"]
        assert world.reconciler.bot_up is True


class TestActing:
    async def test_what_it_writes_down(self, world: World) -> None:
        entry = await world.acted()
        (action,) = entry.actions
        assert action.name == "execute_adaptation"
        assert action.arguments == {"adaptations": ["STRATEGY_ADJUSTMENT"]}
        assert action.changes == (Change(HUNTER, "autonomyLevel", 0.8, 0.76),)
        assert (action.status, action.restored, action.sent_at) == ("done", False, NOON)
        assert entry.acted_at == NOON
        assert entry.before == Measurement(NOON - HOUR, NOON, 2.8, 60, standard_error=0.028)
        assert entry.track_record is not None
        assert entry.track_record.measured == 0

    async def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_id(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.lose_answers = True
        await world.step()
        assert (await world.entry()).state == "acting"
        world.bot.lose_answers = False
        await world.start()
        await world.step(MINUTE)
        assert (await world.entry()).state == "measuring"
        assert len(world.bot.executed) == 1

    async def test_a_bot_that_is_still_busy_is_asked_again(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.scripted["execute_adaptation"] = ActionResult("running")
        await world.step()
        entry = await world.entry()
        assert entry.state == "acting"
        assert entry.reason.startswith("the bot has not finished yet")
        world.bot.scripted.clear()
        await world.step(MINUTE)
        assert (await world.entry()).state == "measuring"

    async def test_a_bot_that_never_finishes(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.scripted["execute_adaptation"] = ActionResult("running")
        await world.step()
        await world.step(11 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "rollback_failed"
        assert "given up after 10 min (the bot has not finished yet" in entry.reason
        assert entry.actions[0].status == "unanswered"

    async def test_what_was_asked_for_and_never_answered_is_not_asked_for_again_late(
        self, world: World
    ) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.lose_answers = True
        await world.step()
        world.bot.lose_answers = False
        await world.step(11 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "action_failed"
        assert world.bot.levels[HUNTER] == 0.8, "it was carried out, and is put back"
        assert world.bot.names == [f"execute_adaptation {HUNTER}", "restore"]

    async def test_a_bot_that_turns_requests_away_has_done_nothing(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.turns_away = True
        for _ in range(11):
            await world.step(MINUTE)
        entry = await world.entry()
        assert entry.outcome == "action_failed"
        assert entry.reason == (
            "market-hunter: execute_adaptation STRATEGY_ADJUSTMENT: given up after 10 min (waits: the bridge "
            "answers with status 404; it was started without actions); nothing was changed"
        )
        tally = await world.ledger.tally()
        assert tally.actions == tally.failed_actions == {(HUNTER, "execute_adaptation"): 1}

    async def test_turned_away_after_an_answer_was_lost_is_not_known(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.lose_answers = True
        await world.step()
        world.bot.turns_away = True
        for _ in range(22):
            await world.step(MINUTE)
        entry = await world.entry()
        assert (entry.outcome, entry.actions[0].status) == ("rollback_failed", "unanswered")

    @pytest.mark.parametrize("status", ["refused", "failed"])
    async def test_refused_or_failed(self, world: World, status: Any) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.scripted["execute_adaptation"] = ActionResult(status, (), "the method\x1b[2J is\nmissing")
        await world.step()
        entry = await world.entry()
        assert entry.outcome == "action_failed"
        assert entry.actions[0].error == "the method [2J is missing"
        assert entry.reason.endswith("nothing was changed")
        tally = await world.ledger.tally()
        assert tally.failed_actions == {(HUNTER, "execute_adaptation"): 1}

    async def test_a_failure_half_way_restores_what_was_done(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.3}
        world.metrics.sees(FAILING, "medium", 0.08, 0.62)
        world.bot.scripted["adjust_autonomy"] = ActionResult("failed", (), "TypeError: level")
        await world.receive(alert(FAILING, "medium"))
        await world.step()
        entry = await world.entry()
        assert entry.outcome == "action_failed"
        assert [action.status for action in entry.actions] == ["done", "failed", "done"]
        assert entry.actions[0].restored
        assert world.bot.levels[HUNTER] == 0.8
        assert entry.reason == (
            "market-hunter: adjust_autonomy lower: failed: TypeError: level; what was changed is restored"
        )

    async def test_what_a_failed_action_changed_before_it_failed_is_restored_too(self, world: World) -> None:
        world.metrics.sees()
        world.bot.levels[HUNTER] = 0.5
        changes = (Change(HUNTER, "autonomyLevel", 0.8, 0.5),)
        world.bot.scripted["execute_adaptation"] = ActionResult("failed", changes, "threw")
        await world.receive(alert())
        await world.step()
        assert world.bot.levels[HUNTER] == 0.8
        assert (await world.entry()).outcome == "action_failed"

    async def test_later_actions_are_not_sent_after_a_failure(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.3, CREATOR: 0.2}
        world.metrics.sees(SYSTEM, "high", 0.1, 0.65)
        world.bot.scripted[f"adjust_autonomy {CREATOR}"] = ActionResult("refused", (), "unknown agent")
        await world.receive(alert(SYSTEM))
        await world.step()
        entry = await world.entry()
        assert [action.status for action in entry.actions] == ["refused", "dropped"]
        assert entry.outcome == "action_failed"

    async def test_the_bot_restarted(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.lose_answers = True
        await world.step()
        world.bot.restart()
        world.bot.lose_answers = False
        await world.step(MINUTE)
        entry = await world.entry()
        assert entry.outcome == "interrupted"
        assert len(world.bot.executed) == 1, "nothing is sent to another process"

    async def test_actions_that_changed_nothing_have_no_effect(self, world: World) -> None:
        world.bot.silent_adaptations = True
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert entry.outcome == "no_effect"
        assert entry.reason.startswith("the bot reported no changed value")
        assert (entry.after, entry.improvement_ratio) == (None, None)
        assert [each.verdict for each in await world.ledger.past_steps()] == [None]
        assert await world.receive(alert(starts_at=NOON)) == {"cooldown": 1}

    async def test_pause_is_sent_alone_and_ends_with_advice(self, world: World) -> None:
        await world.start(actions=["adjust_autonomy", "pause"])
        world.metrics.ratios = {HUNTER: 0.3}
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        world.metrics.values[SYSTEM] = (None, 0)
        await world.receive(alert(SYSTEM, "critical"))
        await world.step()
        entry = await world.entry()
        assert (entry.outcome, world.bot.names, world.bot.paused) == ("advised", ["pause"], True)
        assert "roll this back, which resumes the bot" in entry.reason

    async def test_an_unanswered_pause_is_not_ended_by_itself(self, world: World) -> None:
        await world.start(actions=["pause"])
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        world.bot.lose_answers = True
        await world.receive(alert(SYSTEM, "critical"))
        await world.step()
        await world.step(11 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "action_failed"
        assert entry.reason.endswith("whether it was carried out is not known")
        assert world.bot.paused


class TestMeasuring:
    async def test_nothing_is_judged_before_the_change_had_its_time(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (9.0, 500)
        await world.step(2 * MINUTE)
        assert (await world.entry()).state == "measuring"

    async def test_succeeded(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (1.15, 25)
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "succeeded"
        assert entry.reason == (
            "response time 2.80 s -> 1.15 s over 25 executions (before: 60), 58.9 % better; "
            "the threshold of 2.00 s is met"
        )
        assert entry.after is not None
        assert (entry.after.start, entry.after.end) == (NOON + 2 * MINUTE, NOON + 2 * MINUTE + 6 * HOUR / 64)
        assert (entry.after.value, entry.after.samples) == (1.15, 25)
        assert set(entry.guardrails.values()) == {"held"}
        assert entry.improvement_ratio == pytest.approx(0.589, abs=0.001)
        assert (entry.threshold, entry.threshold_met) == (2.0, True)
        assert entry.closed_at == world.clock.now

    async def test_improved(self, world: World) -> None:
        await world.acted()
        world.metrics.limits[SLOW] = 1.0
        world.metrics.values[SLOW] = (1.4, 100)
        await world.step(2 * HOUR)
        entry = await world.entry()
        assert (entry.outcome, entry.threshold_met) == ("improved", False)
        assert entry.reason.endswith("50.0 % better; the threshold of 1.00 s is not met")

    async def test_no_effect(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (2.9, 25)
        await world.step(6 * HOUR)
        assert (await world.entry()).state == "measuring"
        await world.step(2 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "no_effect"
        assert "within the margin of 5.0 %" in entry.reason
        assert world.bot.levels[HUNTER] == 0.8, "what did no good is not kept"

    async def test_harm_is_rolled_back(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (7.0, 25)
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "rolled_back"
        assert entry.reason == (
            "response time 2.80 s -> 7.00 s over 25 executions (before: 60), 150.0 % worse; "
            "the threshold of 2.00 s is not met; "
            "what was changed is restored"
        )
        assert world.bot.levels[HUNTER] == 0.8
        assert entry.improvement_ratio == pytest.approx(-1.5)
        assert [action.name for action in entry.actions] == ["execute_adaptation", "restore"]
        assert (entry.actions[0].restored, entry.actions[1].agent) == (True, HUNTER)

    async def test_what_may_be_harm_is_put_back_in_the_last_look_and_is_no_harm(self, world: World) -> None:
        world.metrics.error = 0.1
        await world.acted()
        world.metrics.values[SLOW] = (3.4, 25)
        await world.step(6 * HOUR)
        assert (await world.entry()).state == "measuring"
        await world.step(2 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "no_effect"
        assert "21.4 % worse; which may be chance; " in entry.reason
        assert world.bot.levels[HUNTER] == 0.8
        assert [each.did_harm for each in await world.ledger.past_steps()] == [False]

    async def test_other_events_than_before_say_nothing(self, world: World) -> None:
        world.metrics.events = "negotiations"
        await world.acted(COORDINATION, before=0.3)
        world.metrics.events = "messages"
        world.metrics.values[COORDINATION] = (1.0, 250)
        await world.start()
        await world.step(6 * HOUR)
        assert (await world.entry()).state == "measuring"
        await world.step(3 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "not_enough_data"
        assert "messages cannot be compared with negotiations before" in entry.reason
        assert entry.before is not None
        assert entry.before.events == "negotiations"

    async def test_the_overall_score_is_judged_without_the_hour_that_it_looks_back(
        self, world: World
    ) -> None:
        world.metrics.ratios = {HUNTER: 0.3}
        await world.acted(SYSTEM, before=0.5)
        world.metrics.values[SYSTEM] = (0.8, 500)
        start = NOON + 10 * MINUTE
        await world.step(HOUR)
        assert (await world.entry()).state == "measuring"
        await world.step(HOUR)
        entry = await world.entry()
        assert entry.outcome == "succeeded"
        assert entry.after is not None
        assert (entry.after.start, entry.after.end) == (start + HOUR, start + 6 * HOUR / 4)

    async def test_several_actions_are_rolled_back_newest_first(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.3}
        await world.acted(FAILING, severity="medium", impact=0.08, before=0.62)
        world.metrics.values[FAILING] = (0.2, 60)
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "rolled_back"
        assert [action.restores for action in entry.actions[2:]] == [
            entry.actions[1].id,
            entry.actions[0].id,
        ]
        assert world.bot.levels[HUNTER] == 0.8

    async def test_what_the_bot_changed_again_is_overridden(self, world: World) -> None:
        await world.acted()
        world.bot.levels[HUNTER] = 0.95
        world.metrics.values[SLOW] = (7.0, 25)
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "overridden"
        assert f"{HUNTER} autonomyLevel is 0.95, not 0.76" in entry.reason
        assert "found at 2027-01-15 08:10:00 UTC" in entry.reason
        assert world.bot.levels[HUNTER] == 0.95
        assert [each.did_harm for each in await world.ledger.past_steps()] == [False]

    async def test_harm_that_cannot_be_restored_is_a_failed_rollback(self, world: World) -> None:
        entry = await world.acted()
        world.bot.scripted["restore"] = ActionResult("refused", error="changed since: autonomyLevel")
        world.metrics.values[SLOW] = (7.0, 25)
        await world.step(10 * MINUTE)
        action = entry.actions[0].id
        entry = await world.entry()
        assert entry.outcome == "rollback_failed"
        assert entry.reason.endswith(
            f"not restored, check it yourself: {action}: changed since: autonomyLevel"
        )

    @pytest.mark.parametrize("found", [(1.0, 19), (None, 500), (float("nan"), 500), (float("inf"), 500)])
    async def test_too_few_events_by_the_deadline(
        self, world: World, found: tuple[float | None, int]
    ) -> None:
        await world.acted()
        world.metrics.values[SLOW] = found
        await world.step(6 * HOUR)
        assert (await world.entry()).state == "measuring"
        await world.step(3 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "not_enough_data"
        assert entry.improvement_ratio is None
        assert entry.reason.startswith("too few events after it: ")
        assert entry.after is not None
        assert world.bot.levels[HUNTER] == 0.8

    async def test_after_a_long_stop_only_its_own_time_is_measured(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (1.0, 30)
        await world.start()
        await world.step(48 * HOUR)
        asked = {(start, end) for _, _, start, end in world.metrics.asked if start >= NOON}
        start, deadline = NOON + 2 * MINUTE, NOON + 2 * MINUTE + 6 * HOUR
        assert asked == {(start, deadline)}
        assert (await world.entry()).outcome == "succeeded"

    async def test_without_a_threshold_only_the_change_counts(self, world: World) -> None:
        await world.acted()
        world.metrics.limits.clear()
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(2 * HOUR)
        entry = await world.entry()
        assert (entry.outcome, entry.threshold_met) == ("improved", None)

    async def test_prometheus_away_at_the_deadline(self, world: World) -> None:
        await world.acted()
        world.metrics.down = True
        await world.step(6 * HOUR + 5 * MINUTE)
        assert (await world.entry()).state == "measuring"
        world.metrics.down = False
        world.metrics.values[SLOW] = (9.0, 30)
        await world.step()
        assert (await world.entry()).outcome == "rolled_back"

    async def test_the_bot_restarted(self, world: World) -> None:
        await world.acted()
        world.bot.restart()
        world.metrics.values[SLOW] = (9.0, 30)
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert entry.outcome == "interrupted"
        assert entry.improvement_ratio is None, "what was measured is of both"

    async def test_the_bot_is_away(self, world: World) -> None:
        await world.acted()
        world.bot.down = True
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(HOUR)
        assert (await world.entry()).state == "measuring"
        await world.step(6 * HOUR)
        entry = await world.entry()
        assert (entry.state, entry.aim) == ("restoring", "not_enough_data")
        assert "refuses connections" in entry.reason
        world.bot.down = False
        await world.step(MINUTE)
        assert ((await world.entry()).outcome, world.bot.levels[HUNTER]) == ("not_enough_data", 0.8)

    async def test_its_own_implementation_time_may_be_configured(self, world: World) -> None:
        await world.start(implementation_seconds={"agent_response_time": 5.0})
        await world.acted()
        world.metrics.values[SLOW] = (9.0, 30)
        await world.step(6)
        assert (await world.entry()).outcome == "rolled_back"

    async def test_later_strategies_show_how_earlier_ones_did(self, world: World) -> None:
        await world.start(cooldown_seconds=0)
        for number, after in enumerate((1.4, 2.8)):
            world.metrics.sees()
            await world.receive(alert(starts_at=NOON + number))
            await world.step()
            world.metrics.values[SLOW] = (after, 30)
            await world.step(7 * HOUR)
        world.metrics.sees()
        await world.receive(alert(starts_at=NOON + 2))
        await world.step()
        entry = await world.entry(3)
        assert entry.track_record is not None
        assert (entry.track_record.measured, entry.track_record.succeeded) == (2, 1)
        assert entry.track_record.median_improvement_ratio == pytest.approx(0.25)


class TestRestoring:
    async def harmed(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (9.0, 30)

    async def test_a_restore_whose_answer_was_lost(self, world: World) -> None:
        await self.harmed(world)
        world.bot.lose_answers = True
        await world.step(10 * MINUTE)
        assert (await world.entry()).state == "restoring"
        await world.start()
        world.bot.lose_answers = False
        await world.step(MINUTE)
        assert (await world.entry()).outcome == "rolled_back"
        assert world.bot.names == [f"execute_adaptation {HUNTER}", "restore"]

    async def test_the_bot_stays_away(self, world: World) -> None:
        await self.harmed(world)
        world.bot.lose_answers = True
        await world.step(10 * MINUTE)
        world.bot.down = True
        await world.step(9 * MINUTE)
        assert (await world.entry()).state == "restoring"
        await world.step(MINUTE)
        entry = await world.entry()
        assert entry.outcome == "rollback_failed"
        assert "refuses connections" in entry.reason
        assert entry.reason.startswith("response time 2.80 s -> 9.00 s")

    async def test_after_a_long_stop_it_is_still_put_back(self, world: World) -> None:
        await self.harmed(world)
        world.bot.scripted["restore"] = ActionResult("running")
        await world.step(10 * MINUTE)
        assert (await world.entry()).state == "restoring"
        world.bot.scripted.clear()
        await world.start()
        await world.step(48 * HOUR)
        assert (await world.entry()).outcome == "rolled_back"

    async def test_the_bot_restarted(self, world: World) -> None:
        await self.harmed(world)
        world.bot.lose_answers = True
        await world.step(10 * MINUTE)
        world.bot.restart()
        world.bot.lose_answers = False
        await world.step()
        assert (await world.entry()).outcome == "interrupted"

    async def test_prometheus_is_not_needed(self, world: World) -> None:
        await self.harmed(world)
        world.bot.lose_answers = True
        await world.step(10 * MINUTE)
        world.bot.lose_answers = False
        world.metrics.down = True
        await world.step()
        assert (await world.entry()).outcome == "rolled_back"


class TestRollbackOnRequest:
    async def test_unknown_or_with_nothing_to_roll_back(self, world: World) -> None:
        with pytest.raises(NotFoundError, match="there is no optimization 7"):
            await world.reconciler.roll_back(7)
        await world.receive(alert())
        with pytest.raises(RefusedError, match="optimization 1 has changed nothing"):
            await world.reconciler.roll_back(1)

    async def test_while_it_is_measured(self, world: World) -> None:
        await world.acted()
        await world.reconciler.roll_back(1)
        assert (await world.entry()).state == "restoring"
        with pytest.raises(RefusedError, match="being rolled back already"):
            await world.reconciler.roll_back(1)
        await world.step()
        entry = await world.entry()
        assert (entry.outcome, entry.reason) == (
            "rolled_back",
            "a rollback was requested; what was changed is restored",
        )
        with pytest.raises(RefusedError, match="changed nothing that is still to be rolled back"):
            await world.reconciler.roll_back(1)

    async def test_after_its_end_and_both_ends_are_counted(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(2 * HOUR)
        before = await world.ledger.tally()
        await world.reconciler.roll_back(1)
        during = await world.ledger.tally()
        await world.step()
        after = await world.ledger.tally()
        assert before.closed == during.closed == {("agent_response_time", "succeeded"): 1}
        assert after.closed == {
            ("agent_response_time", "succeeded"): 1,
            ("agent_response_time", "rolled_back"): 1,
        }
        assert during.open == {("agent_response_time", "restoring"): 1}
        assert (await world.entry()).improvement_ratio is not None
        assert world.bot.levels[HUNTER] == 0.8

    async def test_a_pause_that_somebody_made_since_is_not_ended(self, world: World) -> None:
        await world.start(actions=["pause"])
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        await world.receive(alert(SYSTEM, "critical"))
        await world.step()
        world.metrics.resumed = True
        with pytest.raises(
            RefusedError, match="the bot was resumed since: if it is paused now, somebody else"
        ):
            await world.reconciler.roll_back(1)
        assert world.bot.paused
        world.metrics.down = True
        await world.reconciler.roll_back(1)

    async def test_a_pause_is_resumed_also_in_the_bot_s_next_process(self, world: World) -> None:
        await world.start(actions=["pause"])
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        await world.receive(alert(SYSTEM, "critical"))
        await world.step()
        world.bot.restart()
        await world.reconciler.roll_back(1)
        await world.step()
        entry = await world.entry()
        assert (entry.outcome, world.bot.paused) == ("rolled_back", False)
        assert world.bot.names == ["pause", "resume"]

    async def test_before_the_bot_took_anything(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.turns_away = True
        await world.step()
        await world.reconciler.roll_back(1)
        entry = await world.entry()
        assert (entry.outcome, entry.reason) == (
            "rolled_back",
            "a rollback was requested; nothing was changed",
        )

    async def test_while_it_acts_what_was_not_sent_is_never_sent(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.3, CREATOR: 0.2}
        world.metrics.sees(SYSTEM, "high", 0.1, 0.65)
        world.bot.scripted[f"adjust_autonomy {HUNTER}"] = ActionResult("running")
        await world.receive(alert(SYSTEM))
        await world.step()
        await world.reconciler.roll_back(1)
        world.bot.scripted.clear()
        await world.step(MINUTE)
        entry = await world.entry()
        first, second, *_ = entry.actions
        assert (first.status, first.restored, second.status) == ("done", True, "unanswered")
        assert world.bot.levels == {HUNTER: 0.8, CREATOR: 0.8}
        assert entry.outcome == "rollback_failed"
        assert entry.reason == (
            f"a rollback was requested; not restored, check it yourself: {second.id}: nothing to restore"
        )

    async def test_not_over_a_later_change_of_the_same_agent(self, world: World) -> None:
        await world.acted()
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(10 * MINUTE)
        await world.acted(FAILING, severity="medium", impact=0.08, before=0.62)
        with pytest.raises(RefusedError, match="optimization 2 of the same agent is measuring"):
            await world.reconciler.roll_back(1)
        await world.reconciler.roll_back(2)
        await world.step()
        await world.reconciler.roll_back(1)
        await world.step()
        assert (await world.entry(1)).outcome == "rolled_back"
        assert world.bot.levels[HUNTER] == 0.8

    async def test_again_after_it_could_not_be(self, world: World) -> None:
        await world.acted()
        world.bot.levels[HUNTER] = 0.1
        await world.reconciler.roll_back(1)
        await world.step()
        assert (await world.entry()).outcome == "rollback_failed"
        world.bot.levels[HUNTER] = 0.76
        await world.reconciler.roll_back(1)
        await world.step()
        assert (await world.entry()).outcome == "rolled_back"
        assert world.bot.levels[HUNTER] == pytest.approx(0.8)

    async def test_beside_a_waiting_one_of_the_same_subject(self, world: World) -> None:
        await world.start(cooldown_seconds=0)
        await world.acted()
        world.metrics.values[SLOW] = (1.0, 30)
        await world.step(10 * MINUTE)
        world.metrics.seen.clear()
        await world.receive(alert(starts_at=NOON + 1))
        await world.reconciler.roll_back(1)
        await world.step()
        assert (await world.entry(1)).outcome == "rolled_back"
        assert (await world.entry(2)).state == "waiting"


def test_mode_act_without_a_bot_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a bot"):
        Reconciler(config(), None, None, None)  # type: ignore[arg-type]


async def test_one_line_for_each_change_of_state_and_none_for_a_webhook(world: World) -> None:
    world.metrics.sees()
    with capture_logs() as logs:
        await world.receive(alert())
        for _ in range(50):
            await world.receive(alert(), alert(fingerprint="again"))
        for _ in range(3):
            await world.step()
        world.metrics.values[SLOW] = (9.0, 30)
        for _ in range(3):
            await world.step(10 * MINUTE)
    assert [line["event"] for line in logs] == [
        "optimization waiting",
        "optimization acting",
        "optimization measuring",
        "optimization restoring",
        "optimization rolled back",
    ]


async def test_last_run(world: World) -> None:
    assert world.reconciler.last_run is None
    await world.step(7)
    assert world.reconciler.last_run == NOON + 7


@pytest.mark.parametrize(
    "requests", [20, pytest.param(1000, marks=pytest.mark.slow("as many as a flood has"))]
)
async def test_a_flood_of_alerts_leaves_a_small_ledger(world: World, requests: int) -> None:
    """A thousand in each request, all forged in another way, for the agents that there are."""
    world.metrics.sees()
    await world.step()
    accepted = 0
    began = time.process_time()
    tracemalloc.start()
    for request in range(requests):
        batch = [
            alert(
                Subject(AGENT_SUCCESS_RATE, (HUNTER, CREATOR, "nobody")[n % 3]),
                fingerprint=f"{request}-{n}",
                firing=n % 7 > 0,
                starts_at=NOON - n,
            )
            for n in range(1000)
        ]
        accepted += (await world.receive(*batch)).get("accepted", 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
    # Ten times slower than it is, tracing included.
    assert time.process_time() - began < requests * 0.5
    assert len(await world.ledger.optimizations()) == 2
    assert accepted > 2, "resolutions are noted"
    assert await world.receive(alert()) == {"accepted": 1}, "the honest one"
    await world.step()
    assert (await world.entry(3)).state == "measuring"
    assert world.path.stat().st_size < 4 << 20
