"""What the measurement after an action says, compared with the one before it: pure."""

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Literal, assert_never

from exporter.optimizer import messages
from exporter.optimizer.bottlenecks.base import Bottleneck, Statistics
from exporter.optimizer.model import Measurement

Verdict = Literal["succeeded", "improved", "no_effect", "harmful"]

CLEAR = 2.25
"""Standard errors that a difference must exceed before it is more than chance: enough for several looks."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`improvement_ratio` is None where the value before was 0, `threshold_met` where no threshold is known.

    `may_be_harmful`: at the last look it is worse by more than the margin, which may be chance.
    """

    verdict: Verdict
    may_be_harmful: bool
    improvement_ratio: float | None
    threshold: float | None
    threshold_met: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What was measured after the actions, and its evaluation where there were enough events for one."""

    after: Measurement
    evaluation: Evaluation | None = None


def improvement_ratio(bottleneck: Bottleneck, before: float, after: float) -> float | None:
    """The change in the direction that is better, as a share of the value before; None where that was 0."""
    if before == 0:
        return None
    change = (after - before) / before
    return -change if bottleneck.lower_is_better else change


def window(
    bottleneck: Bottleneck, start: float, deadline: float, measure_seconds: float, now: float
) -> tuple[float, float] | None:
    """What is to be measured at `now`, after `start`; None where it is too early.

    There are few looks, each at twice the events: a difference that is looked for all the time is found by chance.
    They end at the deadline, at half the time until then, at a quarter, and so on. Until the next look the window
    stays the same, also after a restart.

    A score looks back itself: over an hour, and over each agent's newest executions. So only the last
    `measure_seconds` before the deadline show the time after the change.
    """
    if bottleneck.statistics == "score":
        return (max(start, deadline - measure_seconds), deadline) if now >= deadline else None
    if now <= start:
        return None
    end = deadline
    while end > now:
        end = start + (end - start) / 2
    return start, end


def comparable(before: Measurement, after: Measurement) -> Measurement:
    """`after`; without its value where it is of other events than `before`."""
    if after.value is None or after.events == before.events:
        return after
    return replace(after, value=None, note=f"{after.events} cannot be compared with {before.events} before")


def enough(measurement: Measurement, minimum_samples: int) -> bool:
    """Whether anything can be said of it."""
    value = measurement.value
    return value is not None and isfinite(value) and measurement.samples >= minimum_samples


def evaluate(
    bottleneck: Bottleneck,
    before: Measurement,
    after: Measurement,
    threshold: float | None,
    margin_ratio: float,
    last_look: bool,
) -> Evaluation | None:
    """The verdict on two measurements that are `enough`; None where more events would say more.

    What can be chance is neither a gain nor harm. At the last look it is rolled back all the same where it is worse by
    more than the margin: a change without a visible gain is not worth a risk.
    """
    assert before.value is not None
    assert after.value is not None
    gain = (before.value - after.value) if bottleneck.lower_is_better else (after.value - before.value)
    margin = margin_ratio * abs(before.value)
    chance = CLEAR * _standard_error(bottleneck, before, after)
    met = _met(bottleneck, after.value, threshold)
    verdict: Verdict
    if gain < -max(margin, chance):
        verdict = "harmful"
    elif gain > chance and met and not _met(bottleneck, before.value, threshold):
        verdict = "succeeded"
    elif gain > max(margin, chance):
        verdict = "improved"
    elif abs(gain) + chance <= margin or last_look:
        verdict = "no_effect"
    else:
        return None
    may_be_harmful = verdict == "no_effect" and gain < -margin
    improvement = improvement_ratio(bottleneck, before.value, after.value)
    parts = [
        _change(bottleneck, before, after, improvement),
        _effect(verdict, abs(gain) > margin, margin_ratio),
        "rolled back to be safe" if may_be_harmful else "",
        _against(bottleneck, threshold, met),
    ]
    return Evaluation(verdict, may_be_harmful, improvement, threshold, met, "; ".join(filter(None, parts)))


def shortfall(bottleneck: Bottleneck, measurement: Measurement, minimum_samples: int) -> str:
    """Why a measurement is not `enough`."""
    events = measurement.events or bottleneck.events
    text = f"{measurement.samples} of {minimum_samples} {events}"
    if measurement.samples >= minimum_samples:
        text = f"{measurement.samples} {events} without a value"
    return f"{text} ({measurement.note})" if measurement.note else text


def _standard_error(bottleneck: Bottleneck, before: Measurement, after: Measurement) -> float:
    """Of the difference."""
    return sqrt(_variance(bottleneck.statistics, before) + _variance(bottleneck.statistics, after))


def _variance(statistics: Statistics, measurement: Measurement) -> float:
    match statistics:
        case "mean_of_durations":
            return _variance_of_mean_duration(measurement)
        case "share":
            return _variance_of_share(measurement)
        case "score":
            # How much it varies by chance is not known.
            return 0.0
    assert_never(statistics)


def _variance_of_share(share: Measurement) -> float:
    assert share.value is not None
    # One success and one failure more: a handful without any failure does not prove that there is none.
    ratio = (min(max(share.value, 0.0), 1.0) * share.samples + 1) / (share.samples + 2)
    return ratio * (1 - ratio) / (share.samples + 2)


def _variance_of_mean_duration(mean: Measurement) -> float:
    """Durations are assumed to spread as much as their mean: the counters hold only their sum."""
    assert mean.value is not None
    return mean.value**2 / mean.samples


def _met(bottleneck: Bottleneck, value: float, threshold: float | None) -> bool | None:
    if threshold is None:
        return None
    return value <= threshold if bottleneck.lower_is_better else value >= threshold


def _change(
    bottleneck: Bottleneck, before: Measurement, after: Measurement, improvement: float | None
) -> str:
    assert before.value is not None
    assert after.value is not None
    text = (
        f"{bottleneck.measure} {messages.value(bottleneck, before.value)} -> "
        f"{messages.value(bottleneck, after.value)} over {after.samples} "
        f"{after.events or bottleneck.events} "
        f"(before: {before.samples})"
    )
    if improvement is None:
        return text
    return f"{text}, {messages.percent(abs(improvement))} {'better' if improvement >= 0 else 'worse'}"


def _effect(verdict: Verdict, more_than_margin: bool, margin_ratio: float) -> str:
    if verdict == "harmful":
        return f"worse by more than the margin of {messages.percent(margin_ratio)}"
    if verdict == "no_effect" and more_than_margin:
        return "so few that it may be chance"
    if verdict == "no_effect":
        return f"within the margin of {messages.percent(margin_ratio)}"
    return ""


def _against(bottleneck: Bottleneck, threshold: float | None, met: bool | None) -> str:
    if met is None:
        return "the threshold is not known"
    return f"{messages.limit(bottleneck, threshold)} is {'met' if met else 'not met'}"
