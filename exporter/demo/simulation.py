"""The simulated bot without input or output: `advance` yields the transactions that it commits.

Events come in the order of their time and all randomness from one generator, so the same scenario, seed and start give
the same bot in whatever steps it is advanced, as long as no action changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from random import Random

from exporter.demo import control_tables, signal_tables
from exporter.demo.agents import Execution, SimulatedAgent
from exporter.demo.channel import Channel
from exporter.demo.clock import Clock
from exporter.demo.decisions import Decision, decide, outcome_update
from exporter.demo.executions import execution_row
from exporter.demo.histogram import CYCLE_BOUNDS, Histogram
from exporter.demo.market import MarketSimulation
from exporter.demo.portfolio import Portfolio
from exporter.demo.scenarios import HEALTHY_AGENTS, RISING, Scenario
from exporter.demo.schedule import Event, Schedule
from exporter.demo.transaction import Statement, Transaction

MARKET_SECONDS = 25.0
SNAPSHOT_SECONDS = 45.0
ALERT_SECONDS = 150.0
SIGNAL_SECONDS = 40.0
COMMAND_SECONDS = 900.0
COMMAND_TAKES_SECONDS = 20.0
NEGOTIATION_SHARE = 0.6
ORCHESTRATOR = "strategic-orchestrator"
CYCLE_FACTOR = 5.0
"""A cycle takes this many times the orchestrator's own execution, since it waits for the agents."""
PAUSE_AT = 0.4
"""The bot was paused once, after this share of its history."""
PAUSE_MS = 20 * 60_000
HISTORY_LEVELS = {"info": 0.55, "warning": 0.3, "critical": 0.13, "error": 0.02}


class Simulation:
    def __init__(
        self, scenario: Scenario, *, seed: int, start: datetime, speed: float = 1.0, history_days: float = 3.0
    ) -> None:
        self.scenario = scenario
        self.clock = Clock(start.replace(microsecond=0), speed, round(history_days * 86_400_000))
        self._rng = Random(seed)  # noqa: S311 - repeatable on purpose
        self.market = MarketSimulation(self._rng, RISING)
        self.portfolio = Portfolio(self._rng, self.market)
        self.agents = [SimulatedAgent(profile, self._rng) for profile in HEALTHY_AGENTS]
        self.channel = Channel(self._rng)
        self.cycles = Histogram(CYCLE_BOUNDS)
        self._alert_levels: Mapping[str, float] = HISTORY_LEVELS
        self._schedule = Schedule(self._history_pause())
        self._schedule_all()

    def advance(self, until: int) -> Iterator[Transaction]:
        """Transactions up to `until` (milliseconds since the start), in order."""
        while due := self._schedule.next_until(until):
            at, event = due
            if statements := event(at):
                yield Transaction(at, tuple(statements))

    def postpone(self, milliseconds: int) -> None:
        """Delays all scheduled events: the bot was suspended for that long."""
        self._schedule.postpone(milliseconds)

    @property
    def agents_by_id(self) -> dict[str, SimulatedAgent]:
        """The agents in the state document: those that log executions."""
        return {agent.profile.id: agent for agent in self.agents if agent.profile.execution_types}

    def set_value(self, agent: SimulatedAgent, path: str, value: float) -> None:
        """Sets a value of an agent; from its next execution on it behaves as the scenario defines for it."""
        agent.changed_values[path] = value
        profile = self.scenario.profile(agent.profile.name, adapted=agent.adapted)
        if profile != agent.profile:
            agent.set_profile(profile)

    def command(self, name: str, at: int) -> Transaction:
        """What the bot's `createSystemCommand` writes."""
        return Transaction(at, tuple(self._command(name, at)))

    def schedule_command(self, name: str, at: int) -> None:
        """The orchestrator executes the command at the start of its next cycle, also while it is paused."""
        due = at + self.clock.gap(at, COMMAND_TAKES_SECONDS)
        self._schedule.add(due, partial(self._execute_command, name), during_pause=True)

    def _execute_command(self, name: str, at: int) -> list[Statement]:
        if name == control_tables.PAUSE:
            self._schedule.pause(at)
        else:
            self._schedule.resume(at)
        return self._end_command(name, at)

    def _history_pause(self) -> range:
        begin = round(-self.clock.history_ms * (1 - PAUSE_AT))
        return range(begin, min(begin + PAUSE_MS, self.clock.trouble_from))

    def _schedule_all(self) -> None:
        begin, add, pause = -self.clock.history_ms, self._schedule.add, self._schedule.history_pause
        add(begin, self._open)
        add(self.clock.trouble_from, self._start_trouble, during_pause=True)
        for name, at in ((control_tables.PAUSE, pause.start), (control_tables.RESUME, pause.stop)):
            add(at - 40_000, partial(self._command, name), during_pause=True)
            add(at, partial(self._end_command, name), during_pause=True)
        for share, name in ((0.2, "MANUAL_BUY"), (0.7, control_tables.RESUME)):
            add(round(begin * (1 - share)), partial(self._run_command, name))
        for each in (self._step_market, self._snapshot, self._alert, self._signal):
            add(begin + 1000, each)
        add(self.clock.gap(0, COMMAND_SECONDS), self._repeat_command)
        for agent in self.agents:
            self._repeat(begin, agent.profile.interval_seconds, partial(self._act, agent))

    def _repeat(self, at: int, mean_seconds: float, event: Event) -> None:
        self._schedule.add(at + self.clock.gap(at, mean_seconds * self._rng.uniform(0.6, 1.4)), event)

    def _open(self, at: int) -> list[Statement]:
        return [
            self.portfolio.opening(at, self.clock),
            Statement(control_tables.INSERT_CONFIG, (self.clock.plain(at),)),
        ]

    def _start_trouble(self, at: int) -> list[Statement]:
        for agent, profile in zip(self.agents, self.scenario.agents, strict=True):
            if profile != agent.profile:
                agent.set_profile(profile)
        self.market.profile = self.scenario.market
        self._alert_levels = self.scenario.alert_levels
        return []

    def _act(self, agent: SimulatedAgent, at: int) -> list[Statement]:
        profile = agent.profile
        if profile.stops_after_seconds is not None and at >= self.clock.gap(0, profile.stops_after_seconds):
            agent.running = False
            return []
        self._repeat(at, profile.interval_seconds, partial(self._act, agent))
        statements = self._execute(agent, at) if profile.execution_types else []
        if self._rng.random() < profile.trade_share:
            free = not profile.execution_types
            statements += self.portfolio.trade(at, self.clock, profile.name, free=free)
        return statements

    def _execute(self, agent: SimulatedAgent, at: int) -> list[Statement]:
        execution = agent.execute(at)
        statements = [execution_row(at, self.clock, agent.profile, execution, self.portfolio)]
        decision = (
            self._decide(agent, execution, at) if self._rng.random() < agent.profile.decision_share else None
        )
        if decision is not None:
            statements.append(decision.statement)
        if at >= 0:
            self._count(agent, execution, decision)
        return statements

    def _decide(self, agent: SimulatedAgent, execution: Execution, at: int) -> Decision:
        decision = decide(at, self.clock, agent, execution, self.portfolio, self.agents)
        agent.decision_count += 1
        for later in decision.outcome_updates:
            due = at + self.clock.gap(at, later.delay_seconds)
            self._schedule.add(due, partial(self._update_outcome, decision.id, later.document))
        return decision

    def _update_outcome(self, decision_id: str, document: str, at: int) -> list[Statement]:
        return [outcome_update(decision_id, document)]

    def _count(self, agent: SimulatedAgent, execution: Execution, decision: Decision | None) -> None:
        """Updates what the live bot keeps in memory and what its bridge counts."""
        agent.counters.count_execution(execution, agent.profile, self._rng)
        if self._rng.random() < NEGOTIATION_SHARE:
            agent.counters.count_negotiation(agent.negotiate())
        if agent.profile.id == ORCHESTRATOR and execution.milliseconds is not None:
            self.cycles.observe(execution.milliseconds / 1000 * CYCLE_FACTOR)
        if decision is None:
            return
        agent.counters.decisions += 1
        agent.counters.adaptations += decision.type == "AGENT_ADAPTATION"
        for target in decision.targets:
            self.channel.send(agent.profile.name, target)

    def _step_market(self, at: int) -> list[Statement]:
        self._repeat(at, MARKET_SECONDS, self._step_market)
        self.market.step(at)
        return [self.market.row(at, self.clock)]

    def _snapshot(self, at: int) -> list[Statement]:
        self._repeat(at, SNAPSHOT_SECONDS, self._snapshot)
        return self.portfolio.snapshot(at, self.clock)

    def _alert(self, at: int) -> list[Statement]:
        self._repeat(at, ALERT_SECONDS, self._alert)
        return [control_tables.alert(at, self.clock, self._rng, self._alert_levels)]

    def _signal(self, at: int) -> list[Statement]:
        self._repeat(at, SIGNAL_SECONDS, self._signal)
        return [signal_tables.signal(at, self.clock, self._rng)]

    def _repeat_command(self, at: int) -> list[Statement]:
        self._repeat(at, COMMAND_SECONDS, self._repeat_command)
        return self._run_command(control_tables.RESUME, at)

    def _run_command(self, name: str, at: int) -> list[Statement]:
        done = at + self.clock.gap(at, COMMAND_TAKES_SECONDS)
        self._schedule.add(done, partial(self._end_command, name))
        return self._command(name, at)

    def _command(self, name: str, at: int) -> list[Statement]:
        return [control_tables.command(at, self.clock, name)]

    def _end_command(self, name: str, at: int) -> list[Statement]:
        return control_tables.end_commands(at, self.clock, name)
