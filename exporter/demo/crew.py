"""An agent at work: what one execution of it comes to, and what it remembers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from exporter.demo.decks import SIZE, outcomes, times
from exporter.demo.scenarios import AUTONOMY, GOALS, STRATEGY, Agent

ERRORS = (
    "Request failed with status code 429",
    "timeout of 10000ms exceeded",
    "connect ECONNREFUSED 127.0.0.1:11434",
    "Unexpected token < in JSON at position 0",
)
ERROR_SHARE = 0.6
"""Of the failed executions; the others failed without an error."""


@dataclass(frozen=True)
class Run:
    """One execution."""

    execution_type: str
    success: bool | None
    milliseconds: int | None
    error: str | None
    confidence: float
    signals: int | None


@dataclass
class Tally:
    """Counts since the start: what the live bot would hold in memory."""

    cycles: int = 0
    failed_cycles: int = 0
    decisions: int = 0
    adaptations: int = 0
    signals: int = 0
    sources_queried: int = 0
    api_calls: int = 0
    cache_hits: int = 0
    negotiations: int = 0
    negotiations_succeeded: int = 0

    def count_run(self, run: Run, agent: Agent, rng: Random) -> None:
        self.cycles += 1
        self.failed_cycles += run.success is False
        self.signals += run.signals or 0
        for _ in range(rng.randint(1, 2)):
            self.sources_queried += 1
            cached = agent.cache_hit_ratio is not None and rng.random() < agent.cache_hit_ratio
            self.cache_hits += cached
            self.api_calls += not cached

    def count_negotiation(self, agreed: bool) -> None:
        self.negotiations += 1
        self.negotiations_succeeded += agreed


@dataclass
class Member:
    agent: Agent
    rng: Random
    window: deque[Run] = field(default_factory=lambda: deque(maxlen=SIZE))
    decided: int = 0
    tally: Tally = field(default_factory=Tally)
    running: bool = True
    last_at: int | None = None
    changed: dict[str, float] = field(default_factory=dict)
    """What actions changed, by path."""

    def __post_init__(self) -> None:
        self.become(self.agent)

    def become(self, agent: Agent) -> None:
        """The same agent with another character: new decks, the same memory."""
        self.agent = agent
        self._times = times(agent.response_ms, self.rng, steady=agent.steady)
        self._successes = outcomes(agent.succeeded_of_50, self.rng, steady=agent.steady)
        self._agreements = outcomes(agent.coordinated_of_50, self.rng, steady=True)

    def run(self, at: int) -> Run:
        self.last_at = at
        run = self._next_run()
        self.window.append(run)
        return run

    def value(self, path: str) -> float:
        return {AUTONOMY: self.agent.autonomy, **GOALS, **self.changed}[path]

    @property
    def autonomy(self) -> float:
        return self.value(AUTONOMY)

    @property
    def adapted(self) -> bool:
        return self.value(STRATEGY) != GOALS[STRATEGY]

    def negotiate(self) -> bool:
        return self._agreements.deal()

    def _next_run(self) -> Run:
        agent, rng = self.agent, self.rng
        kind = rng.choice(agent.execution_types)
        signals = None if agent.signals_of_execution is None else rng.randint(0, agent.signals_of_execution)
        confidence = self._confidence()
        if rng.random() < agent.unlogged_share:
            return Run(kind, None, None, None, confidence, signals)
        success, milliseconds = self._successes.deal(), self._times.deal()
        error = rng.choice(ERRORS) if not success and rng.random() < ERROR_SHARE else None
        return Run(kind, success, milliseconds, error, confidence, signals if success else None)

    def _confidence(self) -> float:
        drawn = self.rng.gauss(self.agent.confidence, 0.07)
        return round(min(0.98, max(0.4, drawn)), 4)

    @property
    def success_ratio(self) -> float | None:
        known = [run.success for run in self.window if run.success is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_milliseconds(self) -> float | None:
        known = [run.milliseconds for run in self.window if run.milliseconds is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_confidence(self) -> float | None:
        """Of the executions that stated one: an execution that ended in an error does not."""
        known = [run.confidence for run in self.window if run.error is None]
        return sum(known) / len(known) if known else None
