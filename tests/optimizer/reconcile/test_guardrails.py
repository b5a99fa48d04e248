"""What would lose money: harm beside the target, harm that is repeated, a bot that is still falling."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.optimizer.model import Portfolio
from optimizer.fakes import COORDINATION, HUNTER, NOON, OTHER_SLOW, SLOW, World, alert, world_at

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "optimizer.db") as found:
        yield found


async def harmed(world: World, starts_at: float = NOON) -> None:
    """The target gets better, and the success rate falls from 62 to 24 %."""
    world.metrics.guarded["success_rate", HUNTER] = (0.62, 60)
    world.metrics.sees()
    await world.receive(alert(starts_at=starts_at))
    await world.step()
    world.metrics.values[SLOW] = (0.86, 60)
    world.metrics.guarded["success_rate", HUNTER] = (0.24, 60)
    await world.step(10 * MINUTE)


class TestGuardrails:
    async def test_faster_and_worse_is_rolled_back(self, world: World) -> None:
        await harmed(world)
        entry = await world.entry()
        assert (entry.outcome, world.bot.levels[HUNTER]) == ("rolled_back", 0.8)
        assert entry.guardrails["success_rate"] == "harmed"
        assert "worse: success rate 62.0 % -> 24.0 % over 60 executions (before: 60)" in entry.reason
        assert entry.improvement_ratio == pytest.approx(0.69, abs=0.01)

    async def test_what_is_switched_off_is_not_looked_at(self, world: World) -> None:
        await world.start(guardrails={"success_rate": None, "profit": None, "drawdown": None})
        await harmed(world)
        assert "success_rate" not in {measure for measure, *_ in world.metrics.asked}

    async def test_a_gain_is_not_kept_while_a_level_is_not_known_to_hold(self, world: World) -> None:
        await world.start(guardrails={})
        await world.acted()
        world.metrics.values[SLOW] = (0.86, 60)
        await world.step(HOUR)
        assert (await world.entry()).state == "measuring", "the levels look back an hour themselves"
        await world.step(HOUR)
        entry = await world.entry()
        assert (entry.outcome, set(entry.guardrails.values())) == ("succeeded", {"held"})
        assert len(entry.guardrails) == 6

    async def test_inconclusive_is_put_back(self, world: World) -> None:
        world.metrics.error = 0.15
        await world.acted()
        world.metrics.values[SLOW] = (0.86, 60)
        await world.step(7 * HOUR)
        entry = await world.entry()
        assert (entry.outcome, world.bot.levels[HUNTER]) == ("inconclusive", 0.8)
        assert "not shown to be no worse: success rate 90.0 % -> 90.0 %" in entry.reason
        assert [each.did_harm for each in await world.ledger.past_steps()] == [False]


class TestBefore:
    async def test_never_has_the_damaged_stretch_in_it(self, world: World) -> None:
        await world.start(harm_cooldown_seconds=0, cooldown_seconds=0)
        await harmed(world)
        restored = world.clock.now
        world.metrics.guarded["success_rate", HUNTER] = (0.62, 60)
        world.metrics.sees(COORDINATION, before=0.5)
        await world.receive(alert(COORDINATION, fingerprint="c"))
        await world.step(30 * MINUTE)
        entry = await world.entry(2)
        assert entry.state == "measuring"
        assert entry.before is not None
        assert entry.before.start == restored + 2 * MINUTE
        assert entry.measured_before["success_rate"].start == restored + 2 * MINUTE

    async def test_waits_while_the_bot_still_changes_by_itself(self, world: World) -> None:
        """What fell by half just before looks harmed by whatever is done."""
        world.metrics.sees()
        world.metrics.halves["success_rate"] = (0.96, 0.62)
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert entry.state == "waiting"
        assert "the success rate is still changing by itself" in entry.reason
        world.metrics.halves.clear()
        await world.step(MINUTE)
        assert (await world.entry()).state == "measuring"

    @pytest.mark.parametrize("before", [(None, 0), (0.62, 19)])
    async def test_waits_until_what_is_there_can_be_guarded(
        self, world: World, before: tuple[float | None, int]
    ) -> None:
        """As just after the exporter was started, when the counters of its database cannot be compared."""
        world.metrics.guarded["success_rate", HUNTER] = before
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert entry.state == "waiting"
        assert "its success rate cannot be guarded yet: " in entry.reason

    async def test_what_the_bot_does_not_have_is_left_out(self, world: World) -> None:
        world.metrics.absent.add("coordination")
        entry = await world.acted()
        assert entry.measured_before["coordination"].value is None
        world.metrics.values[SLOW] = (0.86, 60)
        await world.step(10 * MINUTE)
        entry = await world.entry()
        assert (entry.outcome, entry.guardrails["coordination"]) == ("succeeded", "not_measured")
        assert entry.reason.endswith("not measured: coordination")


class TestMemory:
    async def test_what_harmed_is_not_repeated_for_another_bottleneck(self, world: World) -> None:
        """Ninety seconds after its rollback it was sent to the same agent again."""
        await harmed(world)
        world.metrics.seen.clear()
        world.metrics.sees(COORDINATION, before=0.5)
        await world.receive(alert(COORDINATION, "critical", fingerprint="c"))
        await world.step(90)
        entry = await world.entry(2)
        assert entry.outcome == "advised"
        assert "STRATEGY_ADJUSTMENT did harm or was rolled back in optimization 1" in entry.reason
        assert "not repeated before 2027-02-14" in entry.reason
        assert world.bot.names == [f"execute_adaptation {HUNTER}", "restore"]

    async def test_nor_what_somebody_rolled_back(self, world: World) -> None:
        await world.acted()
        await world.reconciler.roll_back(1)
        await world.step()
        world.metrics.sees(COORDINATION, before=0.5)
        await world.receive(alert(COORDINATION, fingerprint="c"))
        await world.step(MINUTE)
        assert (await world.entry(2)).outcome == "advised"

    async def test_another_agent_is_another_matter(self, world: World) -> None:
        await harmed(world)
        world.metrics.sees(OTHER_SLOW)
        await world.receive(alert(OTHER_SLOW, fingerprint="o"))
        await world.step()
        assert (await world.entry(2)).state == "measuring"

    async def test_after_several_harms_in_a_day_it_suspends_itself(self, world: World) -> None:
        await world.start(harms_per_day=2, harm_cooldown_seconds=0, cooldown_seconds=0)
        for number in range(2):
            world.metrics.values[SLOW] = (2.8, 60)
            await harmed(world, NOON + number)
            world.metrics.guarded.clear()
            await world.step(HOUR)
        assert (await world.ledger.tally()).suspended
        world.metrics.sees(OTHER_SLOW)
        await world.receive(alert(OTHER_SLOW, fingerprint="o"))
        await world.step()
        entry = await world.entry(3)
        assert (entry.state, "2 changes did harm within a day" in entry.reason) == ("waiting", True)
        await world.step(2 * DAY)
        assert (await world.entry(3)).state == "waiting", "only a person ends it"
        await world.reconciler.resume()
        await world.step()
        assert (await world.entry(3)).state == "measuring", "the harms before do not count any more"

    async def test_the_track_record_is_of_the_same_action_on_the_same_agent(self, world: World) -> None:
        await world.start(cooldown_seconds=0, harm_cooldown_seconds=0)
        await harmed(world)
        for subject in (COORDINATION, OTHER_SLOW):
            world.metrics.sees(subject, before=0.5 if subject is COORDINATION else 2.8)
            await world.receive(alert(subject, fingerprint=subject.bottleneck.name + subject.agent))
        await world.step(30 * MINUTE)
        records = [(await world.entry(number)).track_record for number in (2, 3)]
        assert [(each.measured, each.harmed) if each else None for each in records] == [(1, 1), (0, 0)]


class TestLossCap:
    @pytest.mark.parametrize(
        ("keys", "money", "why"),
        [
            ({"loss_cap_usd": 9000}, Portfolio(8999.0, 10_000.0), "is 8999.00 USD, and under 9000.00 USD"),
            ({"loss_cap_usd": 9000}, Portfolio(None, None), "the portfolio's value is not known"),
            ({"max_drawdown_ratio": 0.1}, Portfolio(8900.0, 10_000.0), "drawdown is 11.0 %, and past 10.0 %"),
            ({"max_drawdown_ratio": 0.1}, Portfolio(8900.0, None), "the portfolio's drawdown is not known"),
        ],
    )
    async def test_past_it_nothing_is_done(
        self, world: World, keys: dict[str, float], money: Portfolio, why: str
    ) -> None:
        await world.start(**keys)
        world.metrics.money = money
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        entry = await world.entry()
        assert (entry.outcome, world.bot.executed) == ("advised", [])
        assert why in entry.reason

    async def test_before_it_everything_goes_on(self, world: World) -> None:
        await world.start(loss_cap_usd=9000, max_drawdown_ratio=0.1)
        world.metrics.money = Portfolio(9500.0, 10_000.0)
        await world.acted()


class TestClock:
    async def test_a_clock_that_was_set_keeps_new_things_from_being_done(self, world: World) -> None:
        world.clock_fault = "the system's clock was set back"
        world.metrics.sees()
        await world.receive(alert())
        await world.step()
        assert (await world.entry()).reason == "waits: the system's clock was set back"
        world.clock_fault = ""
        await world.step()
        assert (await world.entry()).state == "measuring"

    async def test_but_what_does_harm_is_rolled_back(self, world: World) -> None:
        await world.acted()
        world.clock_fault = "the system's clock was set back"
        world.metrics.values[SLOW] = (9.0, 60)
        await world.step(10 * MINUTE)
        assert (await world.entry()).outcome == "rolled_back"
