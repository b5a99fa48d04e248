"""The optimizer's own metrics: what the ledger counts, and what its HTTP side counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import get_args

from prometheus_client.core import Metric

from exporter import __version__
from exporter.config import Optimizer
from exporter.metrics import catalogue as c
from exporter.metrics.samples import HistogramValue, Samples
from exporter.optimizer import bottlenecks
from exporter.optimizer.ledger.entries import Entry, Tally
from exporter.optimizer.model import Outcome, State
from exporter.optimizer.reconcile.reconciler import Reconciler

STATUSES = (200, 400, 401, 408, 413, 415, 429, 500, 503)
REASONS = (
    "cooldown",
    "full",
    "malformed",
    "not_a_bottleneck",
    "open",
    "other_bot",
    "repeated",
    "unknown_agent",
)


@dataclass(slots=True)
class Counts:
    """What came in by the webhook since the start, by HTTP status and by why it was rejected."""

    requests: Counter[int] = field(default_factory=lambda: Counter(dict.fromkeys(STATUSES, 0)))
    alerts: int = 0
    rejected: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REASONS, 0)))


def metrics(config: Optimizer, tally: Tally | None, counts: Counts, reconciler: Reconciler) -> list[Metric]:
    """A snapshot. Without a `tally`, as when the ledger cannot be read, its families are absent."""
    samples = Samples()
    samples.add(c.OPTIMIZER_INFO, 1, __version__, config.mode)
    if tally is not None:
        _of_ledger(tally, samples)
        _of_actions(tally, _possible(config, reconciler), samples)
        for entry in tally.newest:
            _of_entry(entry, samples)
    for status, requests in counts.requests.items():
        samples.add(c.OPTIMIZER_WEBHOOKS, requests, str(status))
    samples.add(c.OPTIMIZER_ALERTS, counts.alerts)
    for reason, alerts in counts.rejected.items():
        samples.add(c.OPTIMIZER_ALERTS_REJECTED, alerts, reason)
    samples.add(c.OPTIMIZER_LAST_RUN, reconciler.last_run)
    samples.add(c.OPTIMIZER_RECORDS_UP, reconciler.prometheus_up)
    samples.add(c.OPTIMIZER_BOT_UP, reconciler.bot_up)
    return samples.metrics()


def _of_ledger(tally: Tally, samples: Samples) -> None:
    samples.add(c.OPTIMIZER_SUSPENDED, tally.suspended)
    for bottleneck in (each.name for each in bottlenecks.BOTTLENECKS):
        for outcome in get_args(Outcome):
            samples.add(c.OPTIMIZATIONS, tally.closed.get((bottleneck, outcome), 0), bottleneck, outcome)
        for state in get_args(State):
            if state != "closed":
                samples.add(c.OPTIMIZATIONS_OPEN, tally.open.get((bottleneck, state), 0), bottleneck, state)
        samples.add(c.OPTIMIZATION_IMPROVEMENT, _histogram(tally, bottleneck), bottleneck)


def _of_actions(tally: Tally, possible: set[tuple[str, str]], samples: Samples) -> None:
    """Also of those that never happened, so that the first one is a rise from 0."""
    for labels in possible | tally.actions.keys():
        samples.add(c.OPTIMIZER_ACTIONS, tally.actions.get(labels, 0), *labels)
        samples.add(c.OPTIMIZER_ACTIONS_FAILED, tally.failed_actions.get(labels, 0), *labels)
        samples.add(c.OPTIMIZER_ACTION_LAST, tally.last_action_at.get(labels), *labels)
    for (agent, step, became), moment in tally.changes.items():
        samples.add(c.OPTIMIZER_CHANGE, moment, agent, step, became)


def _of_entry(entry: Entry, samples: Samples) -> None:
    labels = str(entry.id), entry.subject.agent, entry.subject.bottleneck.name
    # What an open one waits for changes at every look: each text would be a series of its own.
    reason = entry.reason if entry.outcome else ""
    samples.add(c.OPTIMIZER_LEDGER, entry.state_since, *labels, entry.outcome or entry.state, reason)
    for phase, measurement in (("before", entry.before), ("after", entry.after)):
        value = measurement.value if measurement else None
        samples.add(c.OPTIMIZER_LEDGER_MEASURED, value, *labels, phase)
    samples.add(c.OPTIMIZER_LEDGER_IMPROVEMENT, entry.improvement_ratio, *labels)


def _possible(config: Optimizer, reconciler: Reconciler) -> set[tuple[str, str]]:
    if config.mode != "act":
        return set()
    of_agents = [each for each in (*config.actions, "restore") if each != "pause"]
    of_the_bot = ["pause", "restore"] if "pause" in config.actions else []
    return {(agent, each) for agent in reconciler.agents or () for each in of_agents} | {
        ("", each) for each in of_the_bot
    }


def _histogram(tally: Tally, bottleneck: str) -> HistogramValue:
    ratios = tally.improvements.get(bottleneck, ())
    bounds = c.OPTIMIZATION_IMPROVEMENT.buckets
    counts = [sum(ratio <= bound for ratio in ratios) for bound in bounds]
    return HistogramValue([*counts, len(ratios)], sum(ratios))
