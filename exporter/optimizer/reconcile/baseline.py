"""What is measured before an action: its target, and the guardrails."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.optimizer import messages
from exporter.optimizer.evaluation import enough, shortfall, steady
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.measures import Measure
from exporter.optimizer.model import Measurement
from exporter.optimizer.reconcile import effects
from exporter.optimizer.reconcile.context import Context


@dataclass(frozen=True, slots=True)
class Baseline:
    """`found` are the measurements, by the name of the measure; `missing` is why they do not do, "" if they do."""

    found: Mapping[str, Measurement]
    settled_at: float
    missing: str


async def measure(context: Context, entry: Entry) -> Baseline:
    """Of the time before now, and after the effect of an earlier change: that would be taken for the next one's."""
    now, target = context.clock(), entry.subject.bottleneck.measure
    last = await context.ledger.last_change(entry.subject.agent)
    settled = effects.settled_at(last) if last is not None else 0.0
    start = max(now - context.config.measure_seconds, settled)
    if settled >= now:
        why = f"an earlier change needs its time until {messages.moment(settled)}"
        before = Measurement(now, now, None, 0, why)
    else:
        before = await context.measure(target, entry.subject.agent, start, now)
    found = {target.name: before}
    if not enough(target, before, context.config.minimum_samples):
        why = shortfall(target, before, context.config.minimum_samples)
        return Baseline(found, settled, f"too few events before it, so that no effect could be seen: {why}")
    for each in (target, *context.guardrails(entry)):
        if each is not target:
            found[each.name] = await context.measure(each, entry.subject.agent, start, now)
        missing = _cannot_be_guarded(context, each, found[each.name])
        if not missing and each.kind == "events":
            missing = await _unsteady(context, each, entry.subject.agent, start, now)
        if missing:
            return Baseline(found, settled, missing)
    return Baseline(found, settled, "")


def _cannot_be_guarded(context: Context, measure: Measure, before: Measurement) -> str:
    """Why it is too early to act: what is there is measured before; what the bot does not have is left out."""
    minimum = context.config.minimum_samples
    if enough(measure, before, minimum) or (before.value is None and before.note == measure.no_value):
        return ""
    return f"its {measure.text} cannot be guarded yet: {shortfall(measure, before, minimum)}"


async def _unsteady(context: Context, measure: Measure, agent: str, start: float, end: float) -> str:
    """Why the time before is not one stretch."""
    middle = (start + end) / 2
    first = await context.measure(measure, agent, start, middle)
    second = await context.measure(measure, agent, middle, end)
    if steady(measure, first, second):
        return ""
    assert first.value is not None
    assert second.value is not None
    change = f"{messages.value(measure, first.value)} -> {messages.value(measure, second.value)}"
    return (
        f"the {measure.text} is still changing by itself ({change}), so that no effect could be told from it"
    )
