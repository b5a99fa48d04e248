"""What a measurement after an action says, compared with the one before: pure, in plain words."""

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Literal

from exporter.optimizer import messages as words
from exporter.optimizer.model import LOWER_IS_BETTER, OF_WHOLE_BOT, Bottleneck, Measurement, improvement_ratio

Verdict = Literal["succeeded", "improved", "no_effect", "harmful"]

CLEAR = 2.25
"""Standard errors that a difference must exceed before it is more than chance: enough for several looks."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`improvement_ratio` is None where the value before was 0, `threshold_met` where no threshold is known.

    `may_be_harmful`: at the last look it is worse by more than the margin, which may be chance.
    """

    verdict: Verdict
    may_be_harmful: bool
    improvement_ratio: float | None
    threshold: float | None
    threshold_met: bool | None
    reason: str


def window(
    bottleneck: Bottleneck, start: float, deadline: float, measure_seconds: float, now: float
) -> tuple[float, float] | None:
    """What is to be measured at `now`, after `start`; None where it is too early.

    There are few looks, each at twice the events: a difference that is looked for all the time is found by chance.
    They end at the deadline, at half the time until then, at a quarter, and so on. Whoever asks again before the next
    one gets the same answer again, also after a restart.

    The overall score looks back itself: over an hour, and over each agent's newest executions. Only the last
    `measure_seconds` before the deadline are of the time after the change.
    """
    if bottleneck == OF_WHOLE_BOT:
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


def judge(
    bottleneck: Bottleneck,
    before: Measurement,
    after: Measurement,
    threshold: float | None,
    margin_ratio: float,
    last_look: bool,
) -> Judgement | None:
    """The verdict on two measurements that are `enough`; None where more events would tell better.

    What can be chance is neither a gain nor harm. In the last look it is taken back all the same where it is worse
    by more than the margin: what was changed without a visible gain is not worth a risk.
    """
    assert before.value is not None
    assert after.value is not None
    gain = (before.value - after.value) if bottleneck in LOWER_IS_BETTER else (after.value - before.value)
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
    told = [
        _change(bottleneck, before, after, improvement),
        _effect(verdict, abs(gain) > margin, margin_ratio),
        "taken back to be safe" if may_be_harmful else "",
        _against(bottleneck, threshold, met),
    ]
    return Judgement(verdict, may_be_harmful, improvement, threshold, met, "; ".join(filter(None, told)))


def lacking(bottleneck: Bottleneck, measurement: Measurement, minimum_samples: int) -> str:
    """Why a measurement is not `enough`."""
    events = measurement.events or words.WORDS[bottleneck].events
    told = f"{measurement.samples} of {minimum_samples} {events}"
    if measurement.samples >= minimum_samples:
        told = f"{measurement.samples} {events} without a value"
    return f"{told} ({measurement.note})" if measurement.note else told


def _standard_error(bottleneck: Bottleneck, before: Measurement, after: Measurement) -> float:
    """Of the difference. That of an overall score is not known, and taken as 0."""
    if bottleneck == OF_WHOLE_BOT:
        return 0.0
    variance = _variance_of_time if bottleneck in LOWER_IS_BETTER else _variance_of_share
    return sqrt(variance(before) + variance(after))


def _variance_of_share(share: Measurement) -> float:
    assert share.value is not None
    # One success and one failure more: a handful without any failure does not prove that there is none.
    ratio = (min(max(share.value, 0.0), 1.0) * share.samples + 1) / (share.samples + 2)
    return ratio * (1 - ratio) / (share.samples + 2)


def _variance_of_time(mean: Measurement) -> float:
    """Durations are taken to spread as much as their mean: the counters say only their sum."""
    assert mean.value is not None
    return mean.value**2 / mean.samples


def _met(bottleneck: Bottleneck, value: float, threshold: float | None) -> bool | None:
    if threshold is None:
        return None
    return value <= threshold if bottleneck in LOWER_IS_BETTER else value >= threshold


def _change(
    bottleneck: Bottleneck, before: Measurement, after: Measurement, improvement: float | None
) -> str:
    assert before.value is not None
    assert after.value is not None
    told = (
        f"{words.WORDS[bottleneck].measure} {words.value(bottleneck, before.value)} -> "
        f"{words.value(bottleneck, after.value)} over {after.samples} "
        f"{after.events or words.WORDS[bottleneck].events} "
        f"(before: {before.samples})"
    )
    if improvement is None:
        return told
    return f"{told}, {words.percent(abs(improvement))} {'better' if improvement >= 0 else 'worse'}"


def _effect(verdict: Verdict, more_than_margin: bool, margin_ratio: float) -> str:
    if verdict == "harmful":
        return f"worse by more than the margin of {words.percent(margin_ratio)}"
    if verdict == "no_effect" and more_than_margin:
        return "so few that it may be chance"
    if verdict == "no_effect":
        return f"within the margin of {words.percent(margin_ratio)}"
    return ""


def _against(bottleneck: Bottleneck, threshold: float | None, met: bool | None) -> str:
    if met is None:
        return "the threshold is not known"
    return f"{words.limit(bottleneck, threshold)} is {'met' if met else 'not met'}"
