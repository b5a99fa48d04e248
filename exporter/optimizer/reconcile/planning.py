"""What would be done about a bottleneck now, and what must not be: for the states, and for people who ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.config import Optimizer
from exporter.optimizer import strategies
from exporter.optimizer.model import Impact, MetricsProvider, PastStep, Portfolio, Strategy, Subject
from exporter.optimizer.reconcile import limits
from exporter.optimizer.reconcile.context import Observations
from exporter.optimizer.strategies import Withheld


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy, and what it leaves out, with the reasons."""

    subject: Subject
    strategy: Strategy
    withheld: tuple[Withheld, ...]

    @property
    def why_not(self) -> str:
        """The reasons for what is left out, "" if nothing is."""
        return "; ".join(each.why for each in self.withheld)


async def observe(config: Optimizer, metrics: MetricsProvider) -> Observations:
    """All that Prometheus says. UnavailableError if it cannot be asked."""
    limited = config.loss_cap_usd is not None or config.max_drawdown_ratio is not None
    return Observations(
        impacts=await metrics.impacts(),
        thresholds=await metrics.thresholds(),
        performance=await metrics.performance(),
        portfolio=await metrics.portfolio() if limited else Portfolio(None, None),
    )


def plan(
    config: Optimizer,
    observed: Observations,
    subject: Subject,
    impact: Impact,
    past: Sequence[PastStep],
    now: float,
) -> Plan:
    """For one bottleneck, with the steps that were taken before."""
    capped = limits.only_pause(config, observed.portfolio)
    restricted = strategies.restrictions(past, impact.severity, now, config, capped)
    actions, withheld = strategies.choose(subject, impact.severity, observed.performance, config, restricted)
    strategy = strategies.make(subject, impact, observed.thresholds.get(subject), actions, config)
    return Plan(subject, strategy, withheld)
