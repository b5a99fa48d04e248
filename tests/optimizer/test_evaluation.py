"""What a measurement after an action is taken for: harm above all, and chance for neither harm nor gain."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.optimizer.bottlenecks import BOTTLENECKS
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME as RESPONSE
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE as SUCCESS
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.bottlenecks.coordination_efficiency import COORDINATION_EFFICIENCY as COORDINATION
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE as SYSTEM
from exporter.optimizer.evaluation import Evaluation, comparable, enough, evaluate, shortfall, window
from exporter.optimizer.model import Measurement

HOUR = 3600.0


def measured(value: float | None, samples: int = 60, note: str = "") -> Measurement:
    return Measurement(0.0, 3600.0, value, samples, note)


def evaluated(
    kind: Bottleneck,
    before: float,
    after: float,
    threshold: float | None = None,
    samples: tuple[int, int] = (1_000_000, 1_000_000),
    last_look: bool = False,
) -> Evaluation | None:
    first, second = measured(before, samples[0]), measured(after, samples[1])
    return evaluate(kind, first, second, threshold, 0.05, last_look)


@pytest.mark.parametrize(
    ("kind", "before", "after", "threshold", "verdict"),
    [
        (RESPONSE, 2.8, 1.15, 2.0, "succeeded"),
        (RESPONSE, 2.8, 2.0, 2.0, "succeeded"),
        (RESPONSE, 2.8, 2.1, 2.0, "improved"),
        (RESPONSE, 2.8, 2.8, 2.0, "no_effect"),
        (RESPONSE, 2.8, 2.93, 2.0, "no_effect"),
        (RESPONSE, 2.8, 2.95, 2.0, "harmful"),
        (RESPONSE, 1.0, 1.5, 2.0, "harmful"),
        (RESPONSE, 1.5, 1.49, 2.0, "no_effect"),
        (RESPONSE, 1.5, 1.0, 2.0, "improved"),
        (RESPONSE, 0.0, 1.0, 2.0, "harmful"),
        (RESPONSE, 2.8, 2.79, None, "no_effect"),
        (SUCCESS, 0.5, 0.7, 0.7, "succeeded"),
        (SUCCESS, 0.5, 0.6, 0.7, "improved"),
        (SUCCESS, 0.62, 0.5, 0.7, "harmful"),
        (SUCCESS, 0.0, 0.5, 0.7, "improved"),
        (COORDINATION, 0.54, 0.6, 0.6, "succeeded"),
        (COORDINATION, 0.54, 0.5, 0.6, "harmful"),
        (COORDINATION, 0.54, 0.55, 0.6, "no_effect"),
        (SYSTEM, 0.55, 0.7, 0.75, "improved"),
    ],
)
def test_verdicts_on_many_events(
    kind: Bottleneck, before: float, after: float, threshold: float | None, verdict: str
) -> None:
    found = evaluated(kind, before, after, threshold)
    assert found is not None
    assert found.verdict == verdict


def test_a_value_before_of_zero_has_no_improvement_in_percent() -> None:
    found = evaluated(SUCCESS, 0.0, 0.5, 0.7)
    assert found is not None
    assert found.improvement_ratio is None
    assert "better" not in found.reason


@pytest.mark.parametrize(
    ("kind", "before", "after", "threshold", "verdict"),
    [
        (SUCCESS, 0.62, 0.68, 0.7, "no_effect"),
        (SUCCESS, 0.62, 0.55, 0.7, "no_effect"),
        (SUCCESS, 0.62, 0.75, 0.7, "no_effect"),
        (SUCCESS, 0.62, 0.61, 0.7, "no_effect"),
        (SUCCESS, 0.0, 0.0, 0.7, "no_effect"),
        (COORDINATION, 0.54, 0.7, 0.6, "no_effect"),
        (COORDINATION, 0.54, 0.45, 0.6, "no_effect"),
        (RESPONSE, 2.8, 1.9, 2.0, "no_effect"),
        (RESPONSE, 2.8, 3.4, 2.0, "no_effect"),
    ],
)
def test_what_may_be_chance_is_looked_at_longer_and_is_never_an_effect(
    kind: Bottleneck, before: float, after: float, threshold: float, verdict: str
) -> None:
    few = (60, 20)
    assert evaluated(kind, before, after, threshold, few) is None
    found = evaluated(kind, before, after, threshold, few, last_look=True)
    assert found is not None
    assert found.verdict == verdict
    assert found.may_be_harmful == (after in (0.55, 0.45, 3.4))
    assert ("rolled back to be safe" in found.reason) == found.may_be_harmful
    assert ("may be chance" in found.reason) == (abs(after - before) > 0.05 * before)


@pytest.mark.parametrize(
    ("kind", "before", "after"), [(SUCCESS, 0.62, 0.3), (COORDINATION, 0.54, 0.2), (RESPONSE, 2.8, 7.0)]
)
def test_clear_harm_is_seen_on_few_events(kind: Bottleneck, before: float, after: float) -> None:
    found = evaluated(kind, before, after, 0.7, (60, 20))
    assert found is not None
    assert found.verdict == "harmful"
    assert not found.may_be_harmful


# How often chance is taken for an effect.

THRESHOLDS = {SUCCESS: 0.6, COORDINATION: 0.6, RESPONSE: 2.0}


def ended(chance: random.Random, kind: Bottleneck, before: float, after: float, an_hour: int) -> Evaluation:
    """A bottleneck of `an_hour` events each hour, from the hour before the action to the six hours after it."""

    def counted(mean: float, events: int) -> float:
        if kind == RESPONSE:
            return chance.gammavariate(events, mean / events)
        return sum(chance.random() < mean for _ in range(events)) / events

    threshold, first = THRESHOLDS[kind], counted(before, an_hour)
    while (first <= threshold) if kind == RESPONSE else (first >= threshold):
        first = counted(before, an_hour)
    total, samples, found = 0.0, 0, None
    for look in range(8, -1, -1):
        _, end = window(kind, 0.0, 6 * HOUR, HOUR, 6 * HOUR / 2**look) or (0.0, 0.0)
        more = int(an_hour * end / HOUR) - samples
        if more:
            total, samples = total + more * counted(after, more), samples + more
        if samples >= 20:
            value = (total / samples, samples)
            found = evaluated(kind, first, value[0], threshold, (an_hour, samples), last_look=look == 0)
        if found:
            break
    assert found is not None
    return found


@pytest.mark.parametrize(("kind", "value"), [(SUCCESS, 0.55), (COORDINATION, 0.5), (RESPONSE, 2.4)])
@pytest.mark.parametrize("an_hour", [20, 100, 400])
def test_an_action_that_does_nothing_is_seldom_said_to_have_an_effect(
    kind: Bottleneck, value: float, an_hour: int
) -> None:
    chance = random.Random(7)
    verdicts = Counter(ended(chance, kind, value, value, an_hour).verdict for _ in range(1000))
    assert 1000 - verdicts["no_effect"] <= 150, verdicts


@pytest.mark.parametrize(("kind", "before", "after"), [(SUCCESS, 0.55, 0.35), (COORDINATION, 0.55, 0.35)])
@pytest.mark.parametrize("an_hour", [100, 400])
def test_real_harm_is_nearly_always_rolled_back(
    kind: Bottleneck, before: float, after: float, an_hour: int
) -> None:
    chance = random.Random(7)
    found = [ended(chance, kind, before, after, an_hour) for _ in range(1000)]
    verdicts = Counter(each.verdict for each in found)
    assert verdicts["harmful"] >= 900, verdicts
    assert verdicts["succeeded"] == 0
    assert sum(each.verdict == "harmful" or each.may_be_harmful for each in found) >= 980


# When it is looked at.


@given(st.just(0.0) | st.floats(1e-3, 30 * 24 * HOUR), st.floats(1, 30 * 24 * HOUR))
def test_looks_are_at_halves_of_the_time(now: float, within: float) -> None:
    found = window(SUCCESS, 0.0, within, HOUR, now)
    if now == 0:
        assert found is None
        return
    assert found is not None
    start, end = found
    assert start == 0
    assert end <= now
    assert end == within or end * 2 > now
    halvings = 0
    while end < within:
        end, halvings = end * 2, halvings + 1
    assert end == within


def test_between_two_looks_the_same_is_asked() -> None:
    start, deadline = 1000.0, 1000.0 + 6 * HOUR
    looks = {window(SUCCESS, start, deadline, HOUR, start + 15.0 * each) for each in range(30, 2000)}
    assert looks == {(start, start + 6 * HOUR / 2**halvings) for halvings in range(7)}


@pytest.mark.parametrize(
    ("now", "found"), [(0.0, None), (7199.9, None), (7200.0, (3600.0, 7200.0)), (9e9, (3600.0, 7200.0))]
)
def test_the_overall_score_is_looked_at_once(now: float, found: object) -> None:
    assert window(SYSTEM, 0.0, 7200.0, HOUR, now) == found


def test_the_overall_score_is_never_of_the_time_before() -> None:
    assert window(SYSTEM, 100.0, 700.0, HOUR, 700.0) == (100.0, 700.0)


def test_only_the_same_events_are_compared() -> None:
    negotiations, messages = (
        Measurement(0.0, HOUR, 0.3, 40, "", events) for events in ("negotiations", "messages")
    )
    assert comparable(negotiations, negotiations) == negotiations
    found = comparable(negotiations, messages)
    assert (found.value, found.samples) == (None, 40)
    assert shortfall(COORDINATION, found, 20) == (
        "40 messages without a value (messages cannot be compared with negotiations before)"
    )
    nothing = Measurement(0.0, HOUR, None, 0, "the database was replaced")
    assert comparable(negotiations, nothing) == nothing


@given(
    st.sampled_from(BOTTLENECKS),
    st.floats(0, 10),
    st.floats(0, 10),
    st.none() | st.floats(0, 3),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
)
def test_the_last_look_always_ends_it_and_never_calls_worse_a_gain(
    kind: Bottleneck, before: float, after: float, threshold: float | None, first: int, second: int
) -> None:
    found = evaluated(kind, before, after, threshold, (first, second), last_look=True)
    assert found is not None
    worse = after > before if kind == RESPONSE else after < before
    if worse:
        assert found.verdict in ("harmful", "no_effect")
    else:
        assert found.verdict != "harmful"
        assert not found.may_be_harmful
    assert (found.threshold_met is None) == (threshold is None)


@pytest.mark.parametrize(
    ("measurement", "told"),
    [
        (measured(1.0, 19), "19 of 20 executions"),
        (measured(None, 19, "the database was replaced"), "19 of 20 executions (the database was replaced)"),
        (
            measured(None, 25, "the database was replaced"),
            "25 executions without a value (the database was replaced)",
        ),
    ],
)
def test_what_is_not_enough_and_why(measurement: Measurement, told: str) -> None:
    assert not enough(measurement, 20)
    assert shortfall(RESPONSE, measurement, 20) == told


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_value_that_is_none_is_not_enough(value: float | None) -> None:
    assert not enough(measured(value), 20)


def test_just_enough() -> None:
    assert enough(measured(1.0, 20), 20)
