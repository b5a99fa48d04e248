"""What one reconciliation works with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from exporter.config import Optimizer
from exporter.optimizer.circuit_breaker import CircuitBreaker
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.measures import GUARDRAILS, Measure
from exporter.optimizer.model import Impact, Measurement, MetricsProvider, Performance, Portfolio, Subject
from exporter.optimizer.reconcile.bot import BotSession

GIVE_UP_SECONDS = 600.0
"""So long the bot is asked for the same thing."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What Prometheus says at the beginning. Only to be used while its circuit breaker is closed."""

    impacts: Mapping[Subject, Impact] = field(default_factory=dict)
    thresholds: Mapping[Subject, float] = field(default_factory=dict)
    performance: Mapping[str, Performance] = field(default_factory=dict)
    portfolio: Portfolio = field(default_factory=lambda: Portfolio(None, None))


@dataclass(slots=True)
class Queue:
    """Who waits for its turn. Whoever is less urgent does not overtake them."""

    ready: set[int] = field(default_factory=set)
    limit_reached: bool = False
    """Whether one of them found too little left of the hour's actions: then so does everyone after it."""


@dataclass(frozen=True, slots=True)
class Context:
    """Made for one reconciliation. Without a `bot` nothing is asked of any: mode observe.

    `open` are the open optimizations as they stand now, by id. `missing_since` outlives a reconciliation: since when
    Prometheus has not seen the bottleneck of one that waits, by its id. `hold` says why nothing new is begun, "" if
    nothing speaks against it.
    """

    config: Optimizer
    ledger: Ledger
    metrics: MetricsProvider
    prometheus: CircuitBreaker
    bot: BotSession | None
    clock: Callable[[], float]
    missing_since: dict[int, float]
    hold: Callable[[], Awaitable[str]]
    observed: Observations = field(default_factory=Observations)
    open: dict[int, Entry] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)

    async def measure(self, measure: Measure, agent: str, start: float, end: float) -> Measurement:
        """UnavailableError if Prometheus cannot be asked."""
        return await self.prometheus.call(self.metrics.measure, measure, agent, start, end)

    def guardrails(self, entry: Entry) -> list[Measure]:
        """What must not get worse by it, besides its target."""
        target, margins = entry.subject.bottleneck.measure, self.config.guardrails
        return [each for each in GUARDRAILS if each is not target and margins.margin(each.name) is not None]

    def is_late(self, entry: Entry) -> bool:
        """Whether the bot has had its time for what it is asked in this state."""
        return self.clock() - entry.state_since >= GIVE_UP_SECONDS
