"""Prometheus and the bot as the optimizer's protocols describe them, in memory, with a clock that is set by hand."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from exporter.config import Optimizer
from exporter.optimizer.alerts.receiver import AlertReceiver
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.bottlenecks.coordination_efficiency import COORDINATION_EFFICIENCY
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.measures import Measure
from exporter.optimizer.model import (
    Action,
    ActionResult,
    Alert,
    Change,
    Impact,
    Measurement,
    NotCarriedOutError,
    Performance,
    Portfolio,
    Subject,
    UnavailableError,
)
from exporter.optimizer.reconcile.reconciler import Reconciler

NOON = 1_800_000_000.0
HUNTER, CREATOR = "market-hunter", "content-creator"
SLOW = Subject(AGENT_RESPONSE_TIME, HUNTER)
FAILING = Subject(AGENT_SUCCESS_RATE, HUNTER)
COORDINATION = Subject(COORDINATION_EFFICIENCY, HUNTER)
OTHER_SLOW = Subject(AGENT_RESPONSE_TIME, CREATOR)
SYSTEM = Subject(SYSTEM_PERFORMANCE, "")

EVENTS_ONLY = {"overall_score": None, "profit": None, "drawdown": None}
"""The guardrails without the levels, which cannot be looked at before an hour is over."""
CONFIG: dict[str, Any] = {
    "mode": "act",
    "bot": "main",
    "implementation_seconds": {},
    "guardrails": EVENTS_ONLY,
}


def config(**keys: Any) -> Optimizer:
    return Optimizer.model_validate({**CONFIG, **keys})


def alert(
    subject: Subject = SLOW,
    severity: Severity = "high",
    firing: bool = True,
    fingerprint: str = "f1",
    starts_at: float = NOON - 300,
) -> Alert:
    return Alert(subject, severity, firing, fingerprint, starts_at)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeMetrics:
    """Prometheus. `values` are what is measured: (value, samples), of each subject.

    `guarded` are those of guardrails, by the name of the measure and the agent; all others are always the same. All are
    as exact as `error` says, a share of the value; levels are twenty times as exact.
    """

    known: frozenset[str] = frozenset({HUNTER, CREATOR})
    seen: dict[Subject, Impact] = field(default_factory=dict)
    values: dict[Subject, tuple[float | None, int]] = field(default_factory=dict)
    guarded: dict[tuple[str, str], tuple[float | None, int]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """Measures that the bot has nothing of."""
    halves: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of a measure, by its name: its value in the first half of an hour, and in the second."""
    error: float = 0.01
    money: Portfolio = field(default_factory=lambda: Portfolio(None, None))
    resumed: bool = False
    events: str = ""
    limits: dict[Subject, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    """Of performance. `low` and `high` are the thresholds of all agents."""
    low: float | None = 0.5
    high: float | None = 0.8
    down: bool = False
    asked: list[tuple[str, str, float, float]] = field(default_factory=list)
    calls: int = 0

    def sees(
        self, subject: Subject = SLOW, severity: Severity = "high", impact: float = 0.4, before: float = 2.8
    ) -> None:
        """A bottleneck, with enough events to measure it."""
        self.seen[subject] = Impact(severity, impact)
        self.values[subject] = (before, 60)
        limit = {
            "agent_response_time": 2.0,
            "agent_success_rate": 0.7,
            "coordination_efficiency": 0.6,
            "system_performance": 0.75,
        }
        self.limits[subject] = limit[subject.bottleneck.name]

    def _check(self) -> None:
        self.calls += 1
        if self.down:
            raise UnavailableError("Prometheus at http://127.0.0.1:9090 did not answer in time")

    async def agents(self) -> frozenset[str]:
        self._check()
        return self.known

    async def impacts(self) -> Mapping[Subject, Impact]:
        self._check()
        return dict(self.seen)

    async def measure(self, measure: Measure, agent: str, start: float, end: float) -> Measurement:
        self._check()
        self.asked.append((measure.name, agent, start, end))
        subjects = {each.bottleneck.measure.name: each for each in self.values if each.agent == agent}
        subject = subjects.get(measure.name)
        found = self.guarded.get((measure.name, agent))
        if found is None:
            found = self.values[subject] if subject else (0.9, 600)
        value, samples = found
        if measure.name in self.absent:
            return Measurement(start, end, None, 0, measure.no_value)
        if measure.name in self.halves and end - start < 3600:
            value = self.halves[measure.name][len(self.asked) % 2]
        note = "" if value is not None else "the database was replaced"
        share = self.error / 20 if measure.kind == "level" else self.error
        error = None if value is None else round(abs(value) * share, 9)
        return Measurement(start, end, value, samples, note, self.events, error)

    async def portfolio(self) -> Portfolio:
        self._check()
        return self.money

    async def resumed_since(self, moment: float) -> bool:
        self._check()
        return self.resumed

    async def thresholds(self) -> Mapping[Subject, float]:
        self._check()
        return dict(self.limits)

    async def performance(self) -> Mapping[str, Performance]:
        self._check()
        return {agent: Performance(ratio, self.low, self.high) for agent, ratio in self.ratios.items()}


class FakeBot:
    """The bridge in a bot: carries an id out once, remembers its answers until the process ends.

    `levels` are the agents' autonomy; every action changes them, so that what is done and undone can be seen.
    """

    def __init__(self) -> None:
        self.started = NOON - 86_400
        self.levels: dict[str, float] = {HUNTER: 0.8, CREATOR: 0.8}
        self.paused = False
        self.down = False
        self.lose_answers = False
        """Carries out what it is asked for; nobody hears of it."""
        self.scripted: dict[str, ActionResult] = {}
        """Instead of carrying out: by the action's name, or by the name and agent ("adjust_autonomy x")."""
        self.silent_adaptations = False
        """As on today's real bot: an adaptation only logs."""
        self.turns_away = False
        """A bridge that was started without actions."""
        self.goes_away = False
        """Says when it started, and is gone before it can be asked for anything."""
        self.refuses: ActionResult | None = None
        """What its client answers for it, without asking."""
        self.kill: Literal["", "before", "after"] = ""
        """The optimizer is killed while it asks: before or after the bot has carried it out."""
        self.executed: list[tuple[str, str]] = []
        self._answers: dict[str, ActionResult] = {}

    async def start_time(self) -> float:
        if self.down:
            raise NotCarriedOutError("the bridge at http://127.0.0.1:9465 refuses connections")
        return self.started

    def restart(self) -> None:
        self.started += 1000.0
        self._answers.clear()
        self.levels = {HUNTER: 0.8, CREATOR: 0.8}

    async def perform(self, action_id: str, action: Action, bot_start: float) -> ActionResult:
        return await self._once(action_id, action.name, action.agent, bot_start, lambda: self._do(action))

    async def restore(self, action_id: str, restores: str, bot_start: float) -> ActionResult:
        return await self._once(action_id, "restore", "", bot_start, lambda: self._undo(restores))

    async def check(self, check_id: str, checks: str, bot_start: float) -> ActionResult:
        if self.down or bot_start != self.started:
            raise NotCarriedOutError("the bridge at http://127.0.0.1:9465 refuses connections")
        done = self._answers.get(checks)
        changes = () if done is None else done.changes
        now = [(each, self.levels.get(each.agent)) for each in changes]
        found = (
            Change(each.agent, each.path, each.after, level) for each, level in now if level != each.after
        )
        return ActionResult("done", tuple(found))

    async def _once(
        self, action_id: str, name: str, agent: str, bot_start: float, carry_out: Callable[[], ActionResult]
    ) -> ActionResult:
        if self.down or self.goes_away or bot_start != self.started:
            raise NotCarriedOutError("the bridge at http://127.0.0.1:9465 refuses connections")
        if self.refuses is not None:
            return self.refuses
        if self.turns_away:
            raise NotCarriedOutError("the bridge answers with status 404; it was started without actions")
        if self.kill == "before":
            raise KilledError
        if action_id not in self._answers:
            scripted = self.scripted.get(f"{name} {agent}") or self.scripted.get(name)
            if scripted is not None and scripted.status == "running":
                return scripted
            self.executed.append((action_id, f"{name} {agent}".strip()))
            self._answers[action_id] = scripted or carry_out()
        if self.kill == "after":
            raise KilledError
        if self.lose_answers:
            raise UnavailableError("the bridge at http://127.0.0.1:9465 did not answer in time")
        return self._answers[action_id]

    def _do(self, action: Action) -> ActionResult:
        if action.name in ("pause", "resume"):
            self.paused = action.name == "pause"
            return ActionResult("done", (Change("", "system_commands", None, f"{action.name}_system"),))
        if action.name == "execute_adaptation" and self.silent_adaptations:
            return ActionResult("done")
        before = self.levels[action.agent]
        self.levels[action.agent] = before * 0.95
        return ActionResult("done", (Change(action.agent, "autonomyLevel", before, before * 0.95),))

    def _undo(self, restores: str) -> ActionResult:
        done = self._answers.get(restores)
        if done is None or not done.changes:
            return ActionResult("refused", (), "nothing to restore")
        for change in done.changes:
            if self.levels[change.agent] != change.after:
                return ActionResult("refused", (), f"changed since: {change.path}")
            assert isinstance(change.before, float)
            self.levels[change.agent] = change.before
        return ActionResult("done", tuple(Change(c.agent, c.path, c.after, c.before) for c in done.changes))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.executed]


class KilledError(BaseException):
    """The optimizer ends here: nothing that it does afterwards is done."""


class RaisingBot:
    """Nobody may ask it anything."""

    async def start_time(self) -> float:
        raise AssertionError("asked when it started")

    async def perform(self, action_id: str, action: Action, bot_start: float) -> ActionResult:
        raise AssertionError("asked to act")

    async def restore(self, action_id: str, restores: str, bot_start: float) -> ActionResult:
        raise AssertionError("asked to restore")

    async def check(self, check_id: str, checks: str, bot_start: float) -> ActionResult:
        raise AssertionError("asked to check")


class World:
    """A reconciler on a ledger, between a Prometheus and a bot. `start` is also a restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.metrics = FakeMetrics()
        self.bot = FakeBot()
        self.clock_fault = ""
        self._stack = AsyncExitStack()

    async def start(self, bot: object = None, **keys: Any) -> "World":
        await self._stack.aclose()
        self.ledger = await self._stack.enter_async_context(Ledger.open(self.path))
        self.config = config(**keys)
        asked: Any = bot or self.bot
        self.reconciler = Reconciler(
            self.config, self.ledger, self.metrics, asked, self.clock, lambda: self.clock_fault
        )
        self.receiver = AlertReceiver(self.config, self.ledger, lambda: self.reconciler.agents, self.clock)
        return self

    async def stop(self) -> None:
        await self._stack.aclose()

    async def step(self, after: float = 0.0) -> None:
        self.clock.pass_(after)
        await self.reconciler.reconcile()

    async def receive(self, *alerts: Alert) -> dict[str, int]:
        return dict(await self.receiver.receive(alerts))

    async def entry(self, optimization_id: int = 1) -> Entry:
        found = await self.ledger.optimization(optimization_id)
        assert found is not None
        return found

    async def acted(self, subject: Subject = SLOW, **seen: Any) -> Entry:
        """An optimization that was acted on, and is measured from now on."""
        self.metrics.sees(subject, **seen)
        await self.receive(alert(subject, fingerprint=subject.bottleneck.name))
        await self.step()
        entry = (await self.ledger.optimizations())[0]
        assert entry.state == "measuring", entry
        return entry


@asynccontextmanager
async def world_at(path: Path, **keys: Any) -> AsyncIterator[World]:
    world = World(path)
    try:
        yield await world.start(**keys)
    finally:
        await world.stop()
