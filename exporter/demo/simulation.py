"""The simulated bot as pure steps: of a scenario, a seed and a start, `advance` yields what the bot commits.

Nothing here knows the time of day or the file. The order of events is that of their moments, and all chance
comes from one generator, so the same seed gives the same bot, however the way is cut into steps, as long as nobody
acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from random import Random

from exporter.demo import signals
from exporter.demo.channel import Channel
from exporter.demo.clock import Action, Clock, Schedule, Statement, Transaction
from exporter.demo.crew import Member, Run
from exporter.demo.decisions import Decision, decide, patch
from exporter.demo.executions import execution
from exporter.demo.histogram import CYCLE_BOUNDS, Histogram
from exporter.demo.market import Wandering
from exporter.demo.portfolio import Portfolio
from exporter.demo.scenarios import HEALTHY_AGENTS, RISING, Scenario

MARKET_SECONDS = 25.0
SNAPSHOT_SECONDS = 45.0
ALERT_SECONDS = 150.0
SIGNAL_SECONDS = 40.0
COMMAND_SECONDS = 900.0
COMMAND_TAKES_SECONDS = 20.0
NEGOTIATION_SHARE = 0.6
ORCHESTRATOR = "strategic-orchestrator"
CYCLE_FACTOR = 5.0
"""A cycle of the orchestrator takes so many times its own execution, since it waits for the agents."""
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
        self.market = Wandering(self._rng, RISING)
        self.portfolio = Portfolio(self._rng, self.market)
        self.crew = [Member(agent, self._rng) for agent in HEALTHY_AGENTS]
        self.channel = Channel(self._rng)
        self.cycles = Histogram(CYCLE_BOUNDS)
        self._alert_levels: Mapping[str, float] = HISTORY_LEVELS
        self._schedule = Schedule(self._pause())
        self._plan_all()

    def advance(self, until: int) -> Iterator[Transaction]:
        """What is committed up to the moment `until` (milliseconds since the start), in order."""
        while due := self._schedule.next_until(until):
            at, action = due
            if statements := action(at):
                yield Transaction(at, tuple(statements))

    def postpone(self, milliseconds: int) -> None:
        """The bot did not run for so long: what it planned comes later."""
        self._schedule.postpone(milliseconds)

    @property
    def members(self) -> dict[str, Member]:
        """By their ids, those that the state shows."""
        return {member.agent.id: member for member in self.crew if member.agent.execution_types}

    def change(self, member: Member, path: str, value: float) -> None:
        """What an action does to an agent: from its next execution on it is as its scenario says."""
        member.changed[path] = value
        agent = self.scenario.agent(member.agent.name, adapted=member.adapted)
        if agent != member.agent:
            member.become(agent)

    def command(self, name: str, at: int) -> Transaction:
        """What the bot's `createSystemCommand` writes."""
        return Transaction(at, tuple(self._command(name, at)))

    def obey(self, name: str, at: int) -> None:
        """The command is carried out at the start of the orchestrator's next cycle, also of a paused one."""
        due = at + self.clock.gap(at, COMMAND_TAKES_SECONDS)
        self._schedule.plan(due, partial(self._carry_out, name), anyway=True)

    def _carry_out(self, name: str, at: int) -> list[Statement]:
        if name == signals.PAUSE:
            self._schedule.hold(at)
        else:
            self._schedule.release(at)
        return self._end_command(name, at)

    def _pause(self) -> range:
        begin = round(-self.clock.history_ms * (1 - PAUSE_AT))
        return range(begin, min(begin + PAUSE_MS, self.clock.trouble_from))

    def _plan_all(self) -> None:
        begin, plan, pause = -self.clock.history_ms, self._schedule.plan, self._schedule.pause
        plan(begin, self._open)
        plan(self.clock.trouble_from, self._trouble, anyway=True)
        for name, at in ((signals.PAUSE, pause.start), (signals.RESUME, pause.stop)):
            plan(at - 40_000, partial(self._command, name), anyway=True)
            plan(at, partial(self._end_command, name), anyway=True)
        for share, name in ((0.2, "MANUAL_BUY"), (0.7, signals.RESUME)):
            plan(round(begin * (1 - share)), partial(self._issue, name))
        for each in (self._tick, self._snapshot, self._alert, self._signal):
            plan(begin + 1000, each)
        plan(self.clock.gap(0, COMMAND_SECONDS), self._issue_again)
        for member in self.crew:
            self._again(begin, member.agent.interval_seconds, partial(self._act, member))

    def _again(self, at: int, mean_seconds: float, action: Action) -> None:
        self._schedule.plan(at + self.clock.gap(at, mean_seconds * self._rng.uniform(0.6, 1.4)), action)

    def _open(self, at: int) -> list[Statement]:
        return [
            self.portfolio.opening(at, self.clock),
            Statement(signals.INSERT_CONFIG, (self.clock.plain(at),)),
        ]

    def _trouble(self, at: int) -> list[Statement]:
        for member, agent in zip(self.crew, self.scenario.agents, strict=True):
            if agent != member.agent:
                member.become(agent)
        self.market.mood = self.scenario.market
        self._alert_levels = self.scenario.alert_levels
        return []

    def _act(self, member: Member, at: int) -> list[Statement]:
        agent = member.agent
        if agent.stops_after_seconds is not None and at >= self.clock.gap(0, agent.stops_after_seconds):
            member.running = False
            return []
        self._again(at, agent.interval_seconds, partial(self._act, member))
        statements = self._execute(member, at) if agent.execution_types else []
        if self._rng.random() < agent.trade_share:
            free = not agent.execution_types
            statements += self.portfolio.trade(at, self.clock, agent.name, free=free)
        return statements

    def _execute(self, member: Member, at: int) -> list[Statement]:
        run = member.run(at)
        statements = [execution(at, self.clock, member.agent, run, self.portfolio)]
        decision = self._decide(member, run, at) if self._rng.random() < member.agent.decision_share else None
        if decision is not None:
            statements.append(decision.statement)
        if at >= 0:
            self._count(member, run, decision)
        return statements

    def _decide(self, member: Member, run: Run, at: int) -> Decision:
        decision = decide(at, self.clock, member, run, self.portfolio, self.crew)
        member.decided += 1
        for later in decision.patches:
            due = at + self.clock.gap(at, later.delay_seconds)
            self._schedule.plan(due, partial(self._patch, decision.id, later.document))
        return decision

    def _patch(self, decision_id: str, document: str, at: int) -> list[Statement]:
        return [patch(decision_id, document)]

    def _count(self, member: Member, run: Run, decision: Decision | None) -> None:
        """What the live bot keeps in memory and its bridge counts."""
        member.tally.count_run(run, member.agent, self._rng)
        if self._rng.random() < NEGOTIATION_SHARE:
            member.tally.count_negotiation(member.negotiate())
        if member.agent.id == ORCHESTRATOR and run.milliseconds is not None:
            self.cycles.observe(run.milliseconds / 1000 * CYCLE_FACTOR)
        if decision is None:
            return
        member.tally.decisions += 1
        member.tally.adaptations += decision.type == "AGENT_ADAPTATION"
        for target in decision.targets:
            self.channel.send(member.agent.name, target)

    def _tick(self, at: int) -> list[Statement]:
        self._again(at, MARKET_SECONDS, self._tick)
        self.market.step(at)
        return [self.market.row(at, self.clock)]

    def _snapshot(self, at: int) -> list[Statement]:
        self._again(at, SNAPSHOT_SECONDS, self._snapshot)
        return self.portfolio.snapshot(at, self.clock)

    def _alert(self, at: int) -> list[Statement]:
        self._again(at, ALERT_SECONDS, self._alert)
        return [signals.alert(at, self.clock, self._rng, self._alert_levels)]

    def _signal(self, at: int) -> list[Statement]:
        self._again(at, SIGNAL_SECONDS, self._signal)
        return [signals.signal(at, self.clock, self._rng)]

    def _issue_again(self, at: int) -> list[Statement]:
        self._again(at, COMMAND_SECONDS, self._issue_again)
        return self._issue(signals.RESUME, at)

    def _issue(self, name: str, at: int) -> list[Statement]:
        done = at + self.clock.gap(at, COMMAND_TAKES_SECONDS)
        self._schedule.plan(done, partial(self._end_command, name))
        return self._command(name, at)

    def _command(self, name: str, at: int) -> list[Statement]:
        return [signals.command(at, self.clock, name)]

    def _end_command(self, name: str, at: int) -> list[Statement]:
        return signals.end_commands(at, self.clock, name)
