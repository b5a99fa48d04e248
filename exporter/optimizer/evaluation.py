"""What the measurements after an action say, compared with those before it: pure.

A change is kept only if its target got better and nothing else got worse, both by evidence. Each comparison is a
group-sequential test: few looks, each at twice the time, with bounds that are high at the early ones (Haybittle-Peto),
so that the error of all looks together is little more than that of the last. How often it errs is simulated in
tests/bench/sequential.py; docs/optimizer.md has the figures.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Literal

from exporter.optimizer import messages
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.measures.base import Bounds, Measure
from exporter.optimizer.model import Measurement

Verdict = Literal["succeeded", "improved", "no_effect", "inconclusive", "harmful"]
Guarded = Literal["harmed", "held", "unclear", "not_measured"]
"""Of a guardrail: worse by more than its margin; shown not to be; neither is shown; there is nothing to compare."""

BETTER = Bounds(early=3.2, last=2.25)
"""Beyond which the target is better."""
HELD = Bounds(early=3.2, last=1.645)
"""By which the worst that a guardrail may be must stay within its margin."""
STEADY = 1.5
"""Standard errors by which the halves of a steady time may differ: most do by less, so that none waits for long."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure before and after, and by how much it may be worse (as the measure's unit, or a share if relative)."""

    measure: Measure
    before: Measurement
    after: Measurement
    margin: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`improvement_ratio` is None where the value before was 0, `threshold_met` where no threshold is known.

    `guardrails` are what became of each, by the name of its measure.
    """

    verdict: Verdict
    improvement_ratio: float | None
    threshold: float | None
    threshold_met: bool | None
    guardrails: Mapping[str, Guarded]
    reason: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What was measured after the actions, by the name of the measure, and its evaluation where there was one."""

    after: Mapping[str, Measurement]
    evaluation: Evaluation | None = None


def improvement_ratio(measure: Measure, before: float, after: float) -> float | None:
    """The change in the direction that is better, as a share of the value before; None where that was 0."""
    return measure.gain(before, after) / abs(before) if before else None


def window(
    measure: Measure, start: float, deadline: float, period: float, now: float
) -> tuple[float, float] | None:
    """What is to be measured at `now`, after `start`; None where it is too early.

    There are few looks, each at twice the events: a difference that is looked for all the time is found by chance.
    They end at the deadline, at half the time until then, at a quarter, and so on. Until the next look the window
    stays the same, also after a restart.

    A level looks back itself, over a `period`: what it says of the time before that is of the time before the change.
    """
    begin = max(start, min(start + period, deadline - period)) if measure.kind == "level" else start
    if now <= begin:
        return None
    end = deadline
    while end > now:
        end = start + (end - start) / 2
    return (begin, end) if end > begin else None


def comparable(before: Measurement, after: Measurement) -> Measurement:
    """`after`; without its value where it is of other events than `before`."""
    if after.value is None or after.events == before.events:
        return after
    return replace(after, value=None, note=f"{after.events} cannot be compared with {before.events} before")


def enough(measure: Measure, measurement: Measurement, minimum_samples: int) -> bool:
    """Whether anything can be said of it. A level is there whether or not anything happens."""
    if measurement.value is None or not isfinite(measurement.value):
        return False
    return measure.kind == "level" or measurement.samples >= minimum_samples


def steady(measure: Measure, first: Measurement, second: Measurement) -> bool:
    """Whether two halves of a time are alike, so that it is one stretch to compare with.

    What fell by half just before an action looks harmed by it, whatever it did.
    """
    if first.value is None or second.value is None or first.events != second.events:
        return True
    error = _standard_error(measure, first, second)
    return error is None or abs(first.value - second.value) <= STEADY * error


def evaluate(
    bottleneck: Bottleneck,
    target: Comparison | None,
    guardrails: Sequence[Comparison],
    threshold: float | None,
    last_look: bool,
) -> Evaluation | None:
    """The verdict; None where more events would say more, or there are too few of the target's (`target` is None)."""
    found = {each.measure.name: _guarded(each, last_look) for each in guardrails}
    harmed = [each for each in guardrails if found[each.measure.name] == "harmed"]
    verdict = _of_target(bottleneck, target, threshold, last_look) if target else None
    if harmed or verdict == "harmful":
        verdict = "harmful"
    elif verdict in ("succeeded", "improved") and "unclear" in found.values():
        verdict = "inconclusive" if last_look else None
    if verdict is None:
        return None
    return _conclude(bottleneck, verdict, target, guardrails, threshold, found)


def shortfall(measure: Measure, measurement: Measurement, minimum_samples: int) -> str:
    """Why a measurement is not `enough`."""
    events = measurement.events or measure.events
    text = f"{measurement.samples} of {minimum_samples} {events}"
    if measurement.samples >= minimum_samples:
        text = f"{measurement.samples} {events} without a value"
    return f"{text} ({measurement.note})" if measurement.note else text


def _of_target(
    bottleneck: Bottleneck, target: Comparison, threshold: float | None, last_look: bool
) -> Verdict | None:
    assert target.before.value is not None
    assert target.after.value is not None
    measure = target.measure
    gain, margin = (
        measure.gain(target.before.value, target.after.value),
        target.margin * abs(target.before.value),
    )
    error = _standard_error(measure, target.before, target.after)
    if error is None:
        return "no_effect" if last_look else None
    better, worse = _bound(BETTER, last_look) * error, _bound(measure.worse, last_look) * error
    met = _met(bottleneck, target.after.value, threshold)
    if gain < -max(margin, worse):
        return "harmful"
    if gain > better and met and not _met(bottleneck, target.before.value, threshold):
        return "succeeded"
    if gain > max(margin, better):
        return "improved"
    return "no_effect" if last_look or abs(gain) + better <= margin else None


def _guarded(guardrail: Comparison, last_look: bool) -> Guarded:
    before, after, measure = guardrail.before, guardrail.after, guardrail.measure
    if before.value is None or before.standard_error is None:
        return "not_measured"
    error = _standard_error(measure, before, after)
    if after.value is None or error is None:
        return "unclear"
    loss = -measure.gain(before.value, after.value)
    margin = guardrail.margin * (abs(before.value) if measure.relative else 1.0)
    if loss > max(margin, _bound(measure.worse, last_look) * error):
        return "harmed"
    return "held" if loss + _bound(HELD, last_look) * error <= margin else "unclear"


def _bound(bounds: Bounds, last_look: bool) -> float:
    return bounds.last if last_look else bounds.early


def _standard_error(measure: Measure, before: Measurement, after: Measurement) -> float | None:
    """Of the difference. Both are taken to spread as the wider one does: a few events may look steadier than they are.

    The spread of a level is that of the time before: in that after it is the change itself.
    """
    first, second = before.standard_error, after.standard_error
    if first is None or second is None:
        return None
    if measure.kind == "level":
        return first * sqrt(1 + (before.end - before.start) / (after.end - after.start))
    if not before.samples or not after.samples:
        return None
    variance = max(first**2 * before.samples, second**2 * after.samples)
    return sqrt(variance / before.samples + variance / after.samples)


def _met(bottleneck: Bottleneck, value: float, threshold: float | None) -> bool | None:
    if threshold is None:
        return None
    return value <= threshold if bottleneck.lower_is_better else value >= threshold


def _conclude(
    bottleneck: Bottleneck,
    verdict: Verdict,
    target: Comparison | None,
    guardrails: Sequence[Comparison],
    threshold: float | None,
    found: Mapping[str, Guarded],
) -> Evaluation:
    improvement = met = None
    parts = []
    if target is not None and target.before.value is not None and target.after.value is not None:
        improvement = improvement_ratio(target.measure, target.before.value, target.after.value)
        met = _met(bottleneck, target.after.value, threshold)
        parts = [
            _change(target) + _gain(target),
            *_effect(verdict, target),
            _against(bottleneck, threshold, met),
        ]
    for kind, text in (
        ("harmed", "worse"),
        ("unclear", "not shown to be no worse"),
        ("not_measured", "not measured"),
    ):
        which = [each for each in guardrails if found[each.measure.name] == kind]
        if which and (kind != "unclear" or verdict == "inconclusive"):
            parts.append(f"{text}: {_listed(which)}")
    return Evaluation(verdict, improvement, threshold, met, found, "; ".join(parts))


def _effect(verdict: Verdict, target: Comparison) -> Iterator[str]:
    assert target.before.value is not None
    assert target.after.value is not None
    if verdict != "no_effect":
        return
    gain = target.measure.gain(target.before.value, target.after.value)
    if abs(gain) <= target.margin * abs(target.before.value):
        yield f"within the margin of {messages.percent(target.margin)}"
    else:
        yield "which may be chance"


def _listed(guardrails: Iterable[Comparison]) -> str:
    """With shares of what was before only where that is what the margin is of: profits may be near 0."""
    return ", ".join(_change(each) + (_gain(each) if each.measure.relative else "") for each in guardrails)


def _change(comparison: Comparison) -> str:
    measure, before, after = comparison.measure, comparison.before, comparison.after
    if before.value is None:
        return measure.text
    if after.value is None:
        return f"{measure.text} {messages.value(measure, before.value)} -> not known"
    return (
        f"{measure.text} {messages.value(measure, before.value)} -> {messages.value(measure, after.value)} "
        f"over {after.samples} {after.events or measure.events} (before: {before.samples})"
    )


def _gain(comparison: Comparison) -> str:
    before, after = comparison.before.value, comparison.after.value
    improvement = (
        None if before is None or after is None else improvement_ratio(comparison.measure, before, after)
    )
    if improvement is None:
        return ""
    return f", {messages.percent(abs(improvement))} {'better' if improvement >= 0 else 'worse'}"


def _against(bottleneck: Bottleneck, threshold: float | None, met: bool | None) -> str:
    if met is None:
        return "the threshold is not known"
    return f"{messages.limit(bottleneck, threshold)} is {'met' if met else 'not met'}"
