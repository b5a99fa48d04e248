"""Several optimizations, and an alert and its repeats: who waits for whom, and how long."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.model import ActionResult, Subject
from exporter.optimizer.reconcile.rollback import RefusedError
from optimizer.fakes import CREATOR, FAILING, HUNTER, NOON, OTHER_SLOW, SLOW, SYSTEM, World, alert, world_at

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
OTHER_FAILING = Subject(AGENT_SUCCESS_RATE, CREATOR)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "optimizer.db") as found:
        yield found


async def succeeded(world: World, subject: Subject = SLOW) -> Entry:
    """An optimization that was acted on, and found to have helped."""
    entry = await world.acted(subject)
    world.metrics.values[subject] = (0.5, 100)
    await world.step(3 * MINUTE)
    entry = await world.entry(entry.id)
    assert entry.outcome == "succeeded", entry
    world.metrics.seen.pop(subject)
    return entry


class TestBeforeIsOfTheTimeAfterEarlierChanges:
    async def window(self, world: World, subject: Subject) -> tuple[float, float]:
        """From when until when `subject` was measured to begin with."""
        asked = [
            (start, end)
            for measure, agent, start, end in world.metrics.asked
            if (measure, agent) == (subject.bottleneck.measure.name, subject.agent) and end == world.clock.now
        ]
        return min(asked)

    @pytest.mark.parametrize("subject", [FAILING, SYSTEM])
    async def test_from_the_last_change_and_its_time_on(self, world: World, subject: Subject) -> None:
        world.metrics.ratios = {HUNTER: 0.3}
        await succeeded(world)
        world.metrics.sees(subject)
        await world.receive(alert(subject, fingerprint="second"))
        await world.step(10 * MINUTE)
        assert await self.window(world, subject) == (NOON + 2 * MINUTE, world.clock.now)
        assert (await world.entry(2)).state == "measuring"

    async def test_another_agent_s_change_does_not_matter(self, world: World) -> None:
        await succeeded(world)
        world.metrics.sees(OTHER_SLOW)
        await world.receive(alert(OTHER_SLOW, fingerprint="second"))
        await world.step()
        assert await self.window(world, OTHER_SLOW) == (world.clock.now - HOUR, world.clock.now)

    async def test_a_change_of_the_whole_bot_is_one_of_every_agent(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.3}
        await world.acted(SYSTEM)
        acted_at = world.clock.now
        await world.reconciler.roll_back(1)
        await world.step(MINUTE)
        world.metrics.seen.clear()
        world.metrics.sees(OTHER_SLOW)
        await world.receive(alert(OTHER_SLOW, fingerprint="second"))
        await world.step()
        entry = await world.entry(2)
        assert entry.state == "waiting"
        assert "an earlier change" in entry.reason
        await world.step(15 * MINUTE)
        assert await self.window(world, OTHER_SLOW) == (acted_at + 11 * MINUTE, world.clock.now)

    async def test_what_may_have_been_carried_out_counts_until_it_was_given_up(self, world: World) -> None:
        world.metrics.sees()
        world.bot.scripted["execute_adaptation"] = world.bot.scripted["restore"] = ActionResult("running")
        await world.receive(alert())
        await world.step()
        await world.step(11 * MINUTE)
        await world.step(11 * MINUTE)
        first = await world.entry()
        assert (first.outcome, first.closed_at) == ("rollback_failed", world.clock.now)
        assert first.closed_at is not None
        world.bot.scripted.clear()
        world.metrics.sees(FAILING)
        world.clock.pass_(20 * MINUTE)
        await world.receive(alert(FAILING, fingerprint="second"))
        await world.step()
        assert await self.window(world, FAILING) == (first.closed_at + 2 * MINUTE, world.clock.now)

    async def test_one_that_waited_for_long_has_its_time_again_after_a_taking_back(
        self, world: World
    ) -> None:
        await world.acted()
        world.metrics.sees(FAILING)
        await world.receive(alert(FAILING, fingerprint="second"))
        world.metrics.values[SLOW] = (9.0, 60)
        await world.step(7 * HOUR)
        assert (await world.entry()).outcome == "rolled_back"
        await world.step()
        assert (await world.entry(2)).state == "waiting"
        await world.step(5 * MINUTE)
        assert (await world.entry(2)).state == "measuring"

    async def test_what_a_restart_undid_counts_until_then(self, world: World) -> None:
        await world.acted()
        world.bot.restart()
        await world.step(HOUR)
        first = await world.entry()
        assert first.outcome == "interrupted"
        assert first.closed_at is not None
        world.metrics.sees(FAILING)
        await world.receive(alert(FAILING, fingerprint="second"))
        await world.step(10 * MINUTE)
        assert await self.window(world, FAILING) == (first.closed_at + 2 * MINUTE, world.clock.now)

    async def test_what_changed_nothing_does_not_matter(self, world: World) -> None:
        world.bot.silent_adaptations = True
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        assert (await world.entry()).outcome == "no_effect"
        world.bot.silent_adaptations = False
        world.metrics.sees(FAILING)
        await world.receive(alert(FAILING, fingerprint="second"))
        await world.step(MINUTE)
        assert await self.window(world, FAILING) == (world.clock.now - HOUR, world.clock.now)


class TestTheMostUrgentIsNotOvertaken:
    async def test_by_a_less_urgent_one_that_is_not_in_anybody_s_way(self, world: World) -> None:
        world.metrics.ratios = {HUNTER: 0.3}
        await world.acted()
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        world.metrics.sees(OTHER_SLOW, "medium")
        await world.receive(alert(OTHER_SLOW, "medium", fingerprint="o"), alert(SYSTEM, "critical"))
        await world.step()
        other, whole = await world.entry(2), await world.entry(3)
        assert whole.reason == "waits for optimization 1 of the same agent, which is measuring"
        assert (other.state, other.reason) == ("waiting", "waits for optimization 3, which is more urgent")
        world.metrics.values[SLOW] = (0.5, 100)
        await world.step(3 * MINUTE)
        await world.step(5 * MINUTE)
        assert (await world.entry(3)).state == "measuring"

    async def test_not_held_back_by_what_is_not_confirmed_or_for_people(self, world: World) -> None:
        await world.start(actions=["execute_adaptation"])
        world.metrics.sees(OTHER_SLOW, "medium")
        await world.receive(alert(SLOW, "critical"), alert(OTHER_SLOW, "medium", fingerprint="o"))
        await world.receive(alert(SYSTEM, "critical", fingerprint="s"))
        await world.step()
        assert (await world.entry(2)).state == "measuring"

    async def test_an_hour_s_actions_are_not_taken_away_from_it(self, world: World) -> None:
        await world.start(actions_per_hour=2)
        world.metrics.known |= {"third"}
        await world.acted()
        world.metrics.ratios = {CREATOR: 0.3}
        world.metrics.sees(OTHER_FAILING, "critical", 0.3, 0.4)
        world.metrics.sees(Subject(AGENT_RESPONSE_TIME, "third"), "medium")
        await world.receive(
            alert(OTHER_FAILING, "critical", fingerprint="two actions"),
            alert(Subject(AGENT_RESPONSE_TIME, "third"), "medium", fingerprint="one action"),
        )
        await world.step()
        for optimization in (2, 3):
            entry = await world.entry(optimization)
            assert (entry.state, entry.reason) == (
                "waiting",
                "waits: no more than 2 actions an hour (optimizer.actions_per_hour)",
            )

    async def test_a_pause_does_not_wait_for_what_is_measured_only(self, world: World) -> None:
        await world.start(actions=["execute_adaptation", "pause"])
        await world.acted()
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        await world.receive(alert(SYSTEM, "critical", fingerprint="s"))
        await world.step()
        assert ((await world.entry(2)).outcome, world.bot.paused) == ("advised", True)
        assert (await world.entry(1)).state == "measuring"
        await world.reconciler.roll_back(2)
        await world.step()
        assert ((await world.entry(2)).outcome, world.bot.paused) == ("rolled_back", False)

    async def test_a_pause_waits_for_what_is_being_done(self, world: World) -> None:
        await world.start(actions=["execute_adaptation", "pause"])
        world.metrics.sees()
        world.bot.scripted["execute_adaptation"] = ActionResult("running")
        await world.receive(alert())
        await world.step()
        world.metrics.sees(SYSTEM, "critical", 0.2, 0.55)
        await world.receive(alert(SYSTEM, "critical", fingerprint="s"))
        await world.step()
        assert ((await world.entry(2)).state, world.bot.paused) == ("waiting", False)


class TestAWorseSeverity:
    WORSE = alert(severity="critical", fingerprint="worse")

    async def test_while_a_milder_one_is_changing_the_bot_is_taken_up_after_it(self, world: World) -> None:
        await world.acted(severity="medium")
        for _ in range(3):
            assert await world.receive(self.WORSE) == {"open": 1}
        world.metrics.values[SLOW] = (0.5, 100)
        await world.step(3 * MINUTE)
        assert (await world.entry(1)).outcome == "succeeded"
        world.metrics.sees(severity="critical")
        assert await world.receive(self.WORSE) == {"accepted": 1}, "nor does the cooldown hold it back"
        await world.step(MINUTE)
        assert (await world.entry(2)).state == "measuring"

    async def test_raises_one_that_still_waits_and_is_then_dealt_with(self, world: World) -> None:
        await world.receive(alert(severity="medium"))
        assert await world.receive(self.WORSE) == {"open": 1}
        assert await world.receive(self.WORSE) == {"repeated": 1}
        assert (await world.entry()).severity == "critical"

    async def test_cools_down_itself(self, world: World) -> None:
        await world.start(actions=[])
        severities: list[Severity] = ["medium", "critical"]
        for severity in severities:
            world.metrics.sees(severity=severity)
            await world.receive(alert(severity=severity, fingerprint=severity))
            await world.step(MINUTE)
        assert (await world.entry(2)).outcome == "advised"
        assert await world.receive(alert(severity="critical", fingerprint="again")) == {"cooldown": 1}

    async def test_raises_the_one_that_waits_beside_one_that_is_rolled_back(self, world: World) -> None:
        await world.start(cooldown_seconds=0)
        await succeeded(world)
        assert await world.receive(alert(severity="medium", fingerprint="mild")) == {"accepted": 1}
        await world.reconciler.roll_back(1)
        assert await world.receive(alert(severity="high", fingerprint="worse")) == {"open": 1}
        assert (await world.entry(2)).severity == "high"

    async def test_that_prometheus_does_not_confirm_keeps_to_the_cooldown(self, world: World) -> None:
        await succeeded(world)
        world.metrics.sees(severity="high")
        assert await world.receive(self.WORSE) == {"accepted": 1}
        await world.step()
        entry = await world.entry(2)
        assert (entry.state, entry.severity) == ("waiting", "high")
        assert entry.reason == "waits: the last one ended less than 6 h ago (optimizer.cooldown_seconds)"
        await world.step(6 * HOUR)
        assert (await world.entry(2)).state == "measuring"

    @pytest.mark.parametrize("keys", [{"mode": "observe"}, {"actions": ["adjust_autonomy"]}])
    async def test_invented_ones_do_not_fill_the_ledger(self, world: World, keys: dict[str, object]) -> None:
        await world.start(**keys)
        world.metrics.sees(severity="medium")
        for number in range(10):
            await world.receive(alert(severity="critical", fingerprint=f"{number}"))
            await world.step(MINUTE)
        assert len(await world.ledger.optimizations()) == 2

    async def test_the_same_severity_is_held_back(self, world: World) -> None:
        await succeeded(world)
        assert await world.receive(alert(fingerprint="again")) == {"cooldown": 1}


class TestWhatTheClientRefuses:
    """An agent that is not in the state now, or a status 400: nothing is known of what was sent before."""

    REFUSED = ActionResult("refused", (), "the bot has no such agent", by_client=True)

    async def test_the_first_time_nothing_was_done(self, world: World) -> None:
        world.metrics.sees()
        world.bot.scripted["execute_adaptation"] = self.REFUSED
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert (entry.outcome, entry.actions[0].status) == ("action_failed", "refused")
        assert entry.reason.endswith("nothing was changed")

    async def test_after_an_answer_was_lost_it_is_given_up_and_put_back(self, world: World) -> None:
        world.metrics.sees()
        await world.receive(alert())
        world.bot.lose_answers = True
        await world.step()
        assert world.bot.levels[HUNTER] == 0.76, "it was carried out"
        world.bot.lose_answers = False
        world.bot.refuses = self.REFUSED
        await world.step(MINUTE)
        entry = await world.entry()
        assert (entry.state, entry.reason) == ("acting", "waits: the bot has no such agent")
        world.bot.refuses = None
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert (entry.outcome, world.bot.levels[HUNTER]) == ("action_failed", 0.8)


async def test_a_bot_that_could_never_be_connected_to_has_done_nothing(world: World) -> None:
    world.metrics.sees()
    await world.receive(alert())
    world.bot.goes_away = True
    for _ in range(11):
        await world.step(MINUTE)
    entry = await world.entry()
    assert (entry.outcome, entry.actions[0].status) == ("action_failed", "dropped")
    assert entry.reason.endswith("nothing was changed")


class TestCooldown:
    async def test_counts_from_the_end(self, world: World) -> None:
        """Harm that is found in the last look is not done again at once."""
        await world.acted()
        world.metrics.values[SLOW] = (9.0, 60)
        await world.step(7 * HOUR)
        entry = await world.entry()
        assert (entry.outcome, entry.closed_at) == ("rolled_back", world.clock.now)
        world.clock.pass_(6 * HOUR - 1)
        again = alert(starts_at=world.clock.now)
        assert await world.receive(again) == {"cooldown": 1}
        world.clock.pass_(1)
        assert await world.receive(again) == {"accepted": 1}


class TestMissing:
    async def test_only_without_interruption(self, world: World) -> None:
        world.metrics.sees()
        world.metrics.values[SLOW] = (2.8, 3)
        await world.receive(alert())
        await world.step(HOUR)
        seen = dict(world.metrics.seen)
        world.metrics.seen.clear()
        await world.step(9 * MINUTE)
        await world.step(9 * MINUTE)
        world.metrics.seen.update(seen)
        await world.step()
        world.metrics.seen.clear()
        await world.step(MINUTE)
        await world.step(9 * MINUTE)
        assert (await world.entry()).state == "waiting"
        world.metrics.down = True
        await world.step()
        world.metrics.down = False
        await world.step(9 * MINUTE)
        assert (await world.entry()).state == "waiting"
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert (entry.outcome, entry.reason) == ("over", "Prometheus saw no such bottleneck for 10 min")

    async def test_while_its_alert_goes_on_it_may_be_taken_up_again(self, world: World) -> None:
        await world.receive(alert())
        await world.step()
        await world.step(10 * MINUTE)
        assert (await world.entry()).outcome == "over"
        assert await world.receive(alert()) == {"cooldown": 1}
        world.clock.pass_(5 * MINUTE)
        assert await world.receive(alert()) == {"accepted": 1}
        assert await world.receive(alert()) == {"repeated": 1}

    async def test_once_it_is_resolved_it_may_not(self, world: World) -> None:
        await world.receive(alert())
        await world.receive(alert(firing=False))
        await world.step()
        assert (await world.entry()).outcome == "over"
        world.clock.pass_(HOUR)
        assert await world.receive(alert()) == {"repeated": 1}


class TestRepeats:
    async def test_keep_their_occurrence_from_being_forgotten(self, world: World) -> None:
        await succeeded(world)
        repeat = alert(fingerprint=SLOW.bottleneck.name)
        for _ in range(70):
            world.clock.pass_(12 * HOUR)
            assert await world.receive(repeat, alert(FAILING, firing=False)) != {}
            assert await world.receive(repeat) == {"repeated": 1}

    async def test_write_at_most_once_a_day(self, world: World) -> None:
        await world.receive(alert())
        written = []
        for _ in range(72):
            before = world.ledger._database.connection.total_changes
            world.clock.pass_(HOUR)
            await world.receive(alert())
            written.append(world.ledger._database.connection.total_changes - before)
        assert sum(changes > 0 for changes in written) == 3


async def test_given_up_some_time_after_the_deadline_though_prometheus_is_away(world: World) -> None:
    await world.acted()
    world.metrics.down = True
    await world.step(6 * HOUR + 11 * MINUTE)
    assert (await world.entry()).state == "measuring"
    await world.step(MINUTE)
    entry = await world.entry()
    assert entry.outcome == "not_enough_data"
    assert entry.reason == (
        "given up 10 min after the end of its time: Prometheus at http://127.0.0.1:9090 did not answer in time; "
        "what was changed is restored"
    )


async def test_taking_back_another_s_change_still_waits_for_the_one_that_is_measured(world: World) -> None:
    await succeeded(world)
    world.metrics.sees(FAILING)
    await world.receive(alert(FAILING, fingerprint="second"))
    await world.step(5 * MINUTE)
    with pytest.raises(RefusedError, match="optimization 2 of the same agent is measuring"):
        await world.reconciler.roll_back(1)
