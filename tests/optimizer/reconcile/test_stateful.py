"""Alerts, steps, waits, failures, kills and restarts in any order: what must hold all the same."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.model import ActionResult, Subject
from exporter.optimizer.reconcile.rollback import RefusedError
from optimizer.fakes import CREATOR, HUNTER, SYSTEM, KilledError, RaisingBot, World, alert

LIMIT = 4
KEYS = {
    "actions_per_hour": LIMIT,
    "cooldown_seconds": 600.0,
    "actions": ["execute_adaptation", "adjust_autonomy", "pause"],
}
CHANGING = ("acting", "measuring", "restoring")
KINDS = (AGENT_RESPONSE_TIME, AGENT_SUCCESS_RATE)
SUBJECTS = st.sampled_from([*(Subject(kind, agent) for kind in KINDS for agent in (HUNTER, CREATOR)), SYSTEM])
SEVERITIES: st.SearchStrategy[Severity] = st.sampled_from(["critical", "high", "medium"])
SCRIPTS = st.sampled_from(
    [
        None,
        None,
        ActionResult("running"),
        ActionResult("refused", (), "not allowed"),
        ActionResult("failed", (), "TypeError"),
    ]
)
FAULTS = st.sampled_from(
    ["", "", "", "prometheus", "bot", "answers", "turned away", "silent", "all", "scripts"]
)


class Optimizing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name, "optimizer.db"))
        self.closed: dict[int, Entry] = {}
        self.requested: set[int] = set()
        self.acts = True
        self.run(self.world.start(**KEYS))

    def teardown(self) -> None:
        try:
            self.everything_comes_to_an_end()
        finally:
            self.run(self.world.stop())
            self.runner.close()
            self.folder.cleanup()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    # What happens

    @rule(
        subject=SUBJECTS,
        severity=SEVERITIES,
        firing=st.sampled_from([True, True, True, False]),
        fingerprint=st.sampled_from("abc"),
        age=st.sampled_from([0.0, 0.0, 600.0, 7200.0]),
    )
    def an_alert(
        self, subject: Subject, severity: Severity, firing: bool, fingerprint: str, age: float
    ) -> None:
        starts_at = self.world.clock.now // 600 * 600 - age
        name = f"{fingerprint} {subject}"
        counts = self.run(self.world.receive(alert(subject, severity, firing, name, starts_at)))
        assert sum(counts.values()) == 1

    @rule(
        subject=SUBJECTS,
        severity=SEVERITIES,
        impact=st.floats(0.01, 2),
        value=st.floats(0.05, 5),
        samples=st.sampled_from([0, 25, 200]),
    )
    def prometheus_sees(
        self, subject: Subject, severity: Severity, impact: float, value: float, samples: int
    ) -> None:
        self.world.metrics.sees(subject, severity, impact, value)
        self.world.metrics.values[subject] = (value, samples)

    @rule(
        subjects=st.lists(SUBJECTS, min_size=1, max_size=3, unique=True),
        severity=SEVERITIES,
        kill=st.sampled_from(["", "", "before", "after"]),
        fault=FAULTS,
        script=SCRIPTS,
        share=st.sampled_from([0.2, 1.0, 4.0]),
        seconds=st.sampled_from([1.0, 400.0, 700.0, 4000.0]),
    )
    def bottlenecks(
        self,
        subjects: list[Subject],
        severity: Severity,
        kill: Any,
        fault: str,
        script: ActionResult | None,
        share: float,
        seconds: float,
    ) -> None:
        """Seen by all. They are acted on if nothing is in the way, and measured, and all may go wrong meanwhile."""
        self.world.metrics.ratios = {HUNTER: 0.3, CREATOR: 0.9}
        for subject in subjects:
            self.prometheus_sees(subject, severity, 0.4, 0.6, 200)
            self.run(self.world.receive(alert(subject, severity, True, f"{subject}", self.world.clock.now)))
        if kill:
            self.killed_while_it_asks(kill, 1.0)
        self.steps_while_something_is_out_of_order(fault, script, script, seconds, 1)
        self.all_becomes_better_or_worse(share, seconds)

    @rule(share=st.sampled_from([0.2, 1.0, 4.0]), seconds=st.sampled_from([400.0, 700.0]))
    def all_becomes_better_or_worse(self, share: float, seconds: float) -> None:
        values = self.world.metrics.values
        self.world.metrics.values = {
            subject: ((value or 0.5) * share, 200) for subject, (value, _) in values.items()
        }
        self.a_step_after(seconds)

    @rule(subject=SUBJECTS)
    def prometheus_sees_it_no_more(self, subject: Subject) -> None:
        self.world.metrics.seen.pop(subject, None)

    @rule(
        performance=st.dictionaries(
            st.sampled_from([HUNTER, CREATOR]), st.sampled_from([0.3, 0.6, 0.9]), max_size=2
        )
    )
    def agents_perform(self, performance: dict[str, float]) -> None:
        self.world.metrics.ratios = performance

    @rule(
        fault=FAULTS,
        action=SCRIPTS,
        restore=SCRIPTS,
        seconds=st.sampled_from([1.0, 130.0, 400.0]),
        steps=st.integers(1, 3),
    )
    def steps_while_something_is_out_of_order(
        self,
        fault: str,
        action: ActionResult | None,
        restore: ActionResult | None,
        seconds: float,
        steps: int,
    ) -> None:
        bot = self.world.bot
        self.world.metrics.down = fault in ("prometheus", "all")
        bot.down = fault in ("bot", "all")
        bot.lose_answers = fault == "answers"
        bot.turns_away = fault == "turned away"
        bot.silent_adaptations = fault == "silent"
        if fault == "scripts":
            scripts = {"adjust_autonomy": action, "execute_adaptation": action, "restore": restore}
            bot.scripted = {name: answer for name, answer in scripts.items() if answer}
        for _ in range(steps):
            self.a_step_after(seconds)
        self.in_order()

    def in_order(self) -> None:
        bot = self.world.bot
        self.world.metrics.down = bot.down = bot.lose_answers = bot.turns_away = bot.silent_adaptations = (
            False
        )
        bot.scripted = {}

    @rule(really=st.sampled_from([False, False, False, True]))
    def the_bot_restarts(self, really: bool) -> None:
        if really:
            self.world.bot.restart()

    @rule(seconds=st.sampled_from([1.0, 130.0, 601.0, 1801.0, 4000.0, 30_000.0]))
    def a_step_after(self, seconds: float) -> None:
        self.run(self.world.step(seconds))

    @rule(kill=st.sampled_from(["before", "after"]), seconds=st.sampled_from([130.0, 700.0]))
    def killed_while_it_asks(self, kill: Any, seconds: float) -> None:
        self.world.bot.kill = kill
        try:
            self.run(self.world.step(seconds))
        except KilledError:
            pass
        finally:
            self.world.bot.kill = ""
        self.run(self.world.start(bot=None if self.acts else RaisingBot(), **self.keys()))

    @rule(acts=st.sampled_from([True, True, True, False]))
    def a_restart(self, acts: bool) -> None:
        self.acts = acts
        self.run(self.world.start(bot=None if acts else RaisingBot(), **self.keys()))

    @rule(which=st.integers(1, 6))
    def rolled_back_on_request(self, which: int) -> None:
        async def ask() -> None:
            if await self.world.ledger.optimization(which):
                await self.world.reconciler.roll_back(which)
                self.requested.add(which)

        with suppress(RefusedError):
            self.run(ask())

    def keys(self) -> dict[str, Any]:
        return {**KEYS, "mode": "act" if self.acts else "observe"}

    # What must hold

    def entries(self) -> list[Entry]:
        found: list[Entry] = self.run(self.world.ledger.optimizations(limit=10_000))
        return found

    @invariant()
    def nothing_is_done_twice(self) -> None:
        assert not [name for name, count in Counter(self.world.bot.executed).items() if count > 1]

    @invariant()
    def at_most_one_for_a_subject_and_one_changing_for_an_agent(self) -> None:
        entries = self.entries()
        subjects = Counter(e.subject for e in entries if e.state in ("waiting", "acting", "measuring"))
        assert not [subject for subject, count in subjects.items() if count > 1]
        # Pausing and resuming change no agent's values, and do not wait for what is measured.
        changing = [
            entry.subject.agent
            for entry in entries
            if entry.state in CHANGING and not any(action.name == "pause" for action in entry.actions)
        ]
        assert len(changing) == len(set(changing))
        assert "" not in changing or len(changing) == 1

    @invariant()
    def closed_ones_never_change_but_on_request(self) -> None:
        now = {entry.id: entry for entry in self.entries()}
        for entry_id, closed in self.closed.items():
            # Which of its alerts are resolved is about the alerts.
            same = (now[entry_id].outcome, now[entry_id].reason, now[entry_id].actions) == (
                closed.outcome,
                closed.reason,
                closed.actions,
            )
            assert same or entry_id in self.requested
        self.closed = {entry_id: entry for entry_id, entry in now.items() if entry.state == "closed"}
        self.requested &= {entry_id for entry_id, entry in now.items() if entry.state == "restoring"}

    @invariant()
    def harm_and_half_done_things_are_put_back_or_said_not_to_be(self) -> None:
        for entry in self.entries():
            if entry.outcome in ("rolled_back", "action_failed"):
                changed = [action for action in entry.actions if action.changes and not action.restores]
                assert all(action.restored for action in changed)
            if entry.outcome in ("succeeded", "improved", "no_effect"):
                assert entry.improvement_ratio is None or entry.improvement_ratio >= -0.05
            if entry.state == "closed":
                assert entry.reason
                assert not [action for action in entry.actions if action.status in ("planned", "sent")]

    @invariant()
    def what_was_put_back_is_as_it_was(self) -> None:
        bot = self.world.bot
        actions = [
            action for entry in self.entries() for action in entry.actions if action.bot_start == bot.started
        ]
        certain = not [action for action in actions if action.status in ("sent", "unanswered")]
        if certain and all(action.restored for action in actions if action.changes and not action.restores):
            assert set(bot.levels.values()) == {0.8}

    @invariant()
    def the_hours_limit_is_kept(self) -> None:
        sent = sorted(
            action.sent_at
            for entry in self.entries()
            for action in entry.actions
            if action.sent_at is not None and not action.restores
        )
        assert all(later - first >= 3600 for first, later in zip(sent, sent[LIMIT:], strict=False))

    def everything_comes_to_an_end(self) -> None:
        self.in_order()
        self.world.metrics.seen.clear()
        self.a_restart(acts=True)
        for _ in range(40):
            self.a_step_after(1801.0)
        assert [entry for entry in self.entries() if entry.state != "closed"] == []


class OptimizingLonger(Optimizing):
    """The same, with more examples."""


def limits(examples: int) -> settings:
    unhealthy = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=unhealthy
    )


TestOptimizing = Optimizing.TestCase
TestOptimizing.settings = limits(12)
TestOptimizingLonger = pytest.mark.slow("searches longer than the one above")(
    pytest.mark.timeout(580)(OptimizingLonger.TestCase)
)
TestOptimizingLonger.settings = limits(200)
