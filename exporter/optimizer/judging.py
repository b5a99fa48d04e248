"""What a measurement after an action says, compared with the one before: pure, in plain words."""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Literal

from exporter.optimizer import words
from exporter.optimizer.model import LOWER_IS_BETTER, Bottleneck, Measurement, improvement_ratio

Verdict = Literal["succeeded", "improved", "no_effect", "harmful"]

CLEAR = 1.645
"""Standard errors that a difference must exceed before it is no chance: 95 percent, on one side."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`improvement_ratio` is None where the value before was 0, `threshold_met` where no threshold is known."""

    verdict: Verdict
    improvement_ratio: float | None
    threshold: float | None
    threshold_met: bool | None
    reason: str


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

    In the last look a value that got worse counts as harm even where it may be chance, one that got better does not
    count as improved: what was changed without a visible gain is not worth a risk.
    """
    assert before.value is not None
    assert after.value is not None
    gain = (before.value - after.value) if bottleneck in LOWER_IS_BETTER else (after.value - before.value)
    margin = margin_ratio * abs(before.value)
    clear = abs(gain) > CLEAR * _standard_error(bottleneck, before, after)
    met = _met(bottleneck, after.value, threshold)
    verdict: Verdict
    if gain < -margin and (clear or last_look):
        verdict = "harmful"
    elif met and not _met(bottleneck, before.value, threshold):
        verdict = "succeeded"
    elif gain > margin and clear:
        verdict = "improved"
    elif abs(gain) <= margin or last_look:
        verdict = "no_effect"
    else:
        return None
    improvement = improvement_ratio(bottleneck, before.value, after.value)
    told = [
        _change(bottleneck, before, after, improvement),
        _effect(verdict, gain, margin, margin_ratio, clear),
        _against(bottleneck, threshold, met),
    ]
    return Judgement(verdict, improvement, threshold, met, "; ".join(filter(None, told)))


def lacking(bottleneck: Bottleneck, measurement: Measurement, minimum_samples: int) -> str:
    """Why a measurement is not `enough`."""
    events = words.WORDS[bottleneck].events
    told = f"{measurement.samples} of {minimum_samples} {events}"
    if measurement.samples >= minimum_samples:
        told = f"{measurement.samples} {events} without a value"
    return f"{told} ({measurement.note})" if measurement.note else told


def _standard_error(bottleneck: Bottleneck, before: Measurement, after: Measurement) -> float:
    """Of the difference: known for a share of events; taken as 0 for the means, whose spread is not known."""
    if bottleneck != "agent_success_rate":
        return 0.0
    return sqrt(sum(_variance(each) for each in (before, after)))


def _variance(share: Measurement) -> float:
    assert share.value is not None
    # One success and one failure more: a handful without any failure does not prove that there is none.
    ratio = (min(max(share.value, 0.0), 1.0) * share.samples + 1) / (share.samples + 2)
    return ratio * (1 - ratio) / (share.samples + 2)


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
        f"{words.value(bottleneck, after.value)} over {after.samples} {words.WORDS[bottleneck].events} "
        f"(before: {before.samples})"
    )
    if improvement is None:
        return told
    return f"{told}, {words.percent(abs(improvement))} {'better' if improvement >= 0 else 'worse'}"


def _effect(verdict: Verdict, gain: float, margin: float, margin_ratio: float, clear: bool) -> str:
    if verdict == "harmful":
        return f"worse by more than the margin of {words.percent(margin_ratio)}"
    if verdict == "no_effect" and gain > margin and not clear:
        return "so few that it may be chance"
    if verdict == "no_effect":
        return f"within the margin of {words.percent(margin_ratio)}"
    return ""


def _against(bottleneck: Bottleneck, threshold: float | None, met: bool | None) -> str:
    if met is None:
        return "the threshold is not known"
    return f"{words.limit(bottleneck, threshold)} is {'met' if met else 'not met'}"
