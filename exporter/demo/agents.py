"""The simulated agents: their executions, their counters and the values that actions change."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from exporter.demo.scenarios import AUTONOMY, GOALS, STRATEGY, AgentProfile
from exporter.demo.shuffle_bag import WINDOW, outcomes, response_times

ERRORS = (
    "Request failed with status code 429",
    "timeout of 10000ms exceeded",
    "connect ECONNREFUSED 127.0.0.1:11434",
    "Unexpected token < in JSON at position 0",
)
ERROR_SHARE = 0.6
"""Share of the failed executions that have an error message."""


@dataclass(frozen=True)
class Execution:
    """One execution, as it is logged."""

    execution_type: str
    success: bool | None
    milliseconds: int | None
    error: str | None
    confidence: float
    signals: int | None


@dataclass
class Counters:
    """Counters since the start, as the live bot holds them in memory."""

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

    def count_execution(self, execution: Execution, profile: AgentProfile, rng: Random) -> None:
        self.cycles += 1
        self.failed_cycles += execution.success is False
        self.signals += execution.signals or 0
        for _ in range(rng.randint(1, 2)):
            self.sources_queried += 1
            cached = profile.cache_hit_ratio is not None and rng.random() < profile.cache_hit_ratio
            self.cache_hits += cached
            self.api_calls += not cached

    def count_negotiation(self, agreed: bool) -> None:
        self.negotiations += 1
        self.negotiations_succeeded += agreed


@dataclass
class SimulatedAgent:
    profile: AgentProfile
    rng: Random
    recent: deque[Execution] = field(default_factory=lambda: deque(maxlen=WINDOW))
    decision_count: int = 0
    counters: Counters = field(default_factory=Counters)
    running: bool = True
    last_at: int | None = None
    changed_values: dict[str, float] = field(default_factory=dict)
    """Values that actions have set, by path."""

    def __post_init__(self) -> None:
        self.set_profile(self.profile)

    def set_profile(self, profile: AgentProfile) -> None:
        """Changes the behaviour from now on; counters, recent executions and changed values stay."""
        self.profile = profile
        self._durations = response_times(profile.response_ms, self.rng, steady=profile.steady)
        self._successes = outcomes(profile.succeeded_of_50, self.rng, steady=profile.steady)
        self._agreements = outcomes(profile.coordinated_of_50, self.rng, steady=True)

    def execute(self, at: int) -> Execution:
        self.last_at = at
        execution = self._next_execution()
        self.recent.append(execution)
        return execution

    def value(self, path: str) -> float:
        return {AUTONOMY: self.profile.autonomy, **GOALS, **self.changed_values}[path]

    @property
    def autonomy(self) -> float:
        return self.value(AUTONOMY)

    @property
    def adapted(self) -> bool:
        return self.value(STRATEGY) != GOALS[STRATEGY]

    def negotiate(self) -> bool:
        return self._agreements.draw()

    def _next_execution(self) -> Execution:
        profile, rng = self.profile, self.rng
        kind = rng.choice(profile.execution_types)
        signals = (
            None if profile.signals_of_execution is None else rng.randint(0, profile.signals_of_execution)
        )
        confidence = self._confidence()
        if rng.random() < profile.unlogged_share:
            return Execution(kind, None, None, None, confidence, signals)
        success, milliseconds = self._successes.draw(), self._durations.draw()
        error = rng.choice(ERRORS) if not success and rng.random() < ERROR_SHARE else None
        return Execution(kind, success, milliseconds, error, confidence, signals if success else None)

    def _confidence(self) -> float:
        drawn = self.rng.gauss(self.profile.confidence, 0.07)
        return round(min(0.98, max(0.4, drawn)), 4)

    @property
    def success_ratio(self) -> float | None:
        known = [execution.success for execution in self.recent if execution.success is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_milliseconds(self) -> float | None:
        known = [execution.milliseconds for execution in self.recent if execution.milliseconds is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_confidence(self) -> float | None:
        """Over the executions without an error: only those state a confidence."""
        known = [execution.confidence for execution in self.recent if execution.error is None]
        return sum(known) / len(known) if known else None
