"""What a measurement after an action is taken for: harm above all, and chance for neither harm nor gain."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.optimizer.judging import Judgement, enough, judge, lacking
from exporter.optimizer.model import BOTTLENECKS, Measurement

RESPONSE, SUCCESS, COORDINATION = "agent_response_time", "agent_success_rate", "coordination_efficiency"


def measured(value: float | None, samples: int = 60, note: str = "") -> Measurement:
    return Measurement(0.0, 3600.0, value, samples, note)


def judged(
    kind: Any,
    before: float,
    after: float,
    threshold: float | None = None,
    samples: tuple[int, int] = (1000, 1000),
    last_look: bool = False,
) -> Judgement | None:
    first, second = measured(before, samples[0]), measured(after, samples[1])
    return judge(kind, first, second, threshold, 0.05, last_look)


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
        (SUCCESS, 0.0, 0.0, 0.7, "no_effect"),
        (COORDINATION, 0.54, 0.6, 0.6, "succeeded"),
        (COORDINATION, 0.54, 0.5, 0.6, "harmful"),
        ("system_performance", 0.55, 0.7, 0.75, "improved"),
    ],
)
def test_verdicts_on_many_events(
    kind: str, before: float, after: float, threshold: float | None, verdict: str
) -> None:
    found = judged(kind, before, after, threshold)
    assert found is not None
    assert found.verdict == verdict


def test_a_value_before_of_zero_has_no_improvement_in_percent() -> None:
    found = judged(SUCCESS, 0.0, 0.5, 0.7)
    assert found is not None
    assert found.improvement_ratio is None
    assert "better" not in found.reason


def test_a_share_of_few_events_is_looked_at_longer_and_then_taken_for_the_worse() -> None:
    few = (60, 20)
    assert judged(SUCCESS, 0.62, 0.55, 0.7, few) is None
    found = judged(SUCCESS, 0.62, 0.55, 0.7, few, last_look=True)
    assert found is not None
    assert found.verdict == "harmful"


def test_a_gain_that_may_be_chance_is_none() -> None:
    assert judged(SUCCESS, 0.62, 0.68, 0.7, (60, 20)) is None
    found = judged(SUCCESS, 0.62, 0.68, 0.7, (60, 20), last_look=True)
    assert found is not None
    assert found.verdict == "no_effect"
    assert "may be chance" in found.reason


def test_clear_harm_is_seen_on_few_events() -> None:
    found = judged(SUCCESS, 0.62, 0.3, 0.7, (60, 20))
    assert found is not None
    assert found.verdict == "harmful"


def test_an_action_that_does_nothing_is_seldom_taken_for_harm() -> None:
    """The same coin before and after: at the first look at most one in ten is called harm, or a gain."""
    coin = random.Random(7)
    verdicts = []
    for _ in range(2000):
        before = sum(coin.random() < 0.6 for _ in range(60)) / 60
        after = sum(coin.random() < 0.6 for _ in range(20)) / 20
        found = judged(SUCCESS, before, after, 0.99, (60, 20))
        verdicts.append(found.verdict if found else "later")
    assert verdicts.count("harmful") < 200
    assert verdicts.count("improved") < 200


@given(
    st.sampled_from(sorted(BOTTLENECKS)),
    st.floats(0, 10),
    st.floats(0, 10),
    st.none() | st.floats(0, 3),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
)
def test_the_last_look_always_ends_it_and_never_calls_worse_a_gain(
    kind: str, before: float, after: float, threshold: float | None, first: int, second: int
) -> None:
    found = judged(kind, before, after, threshold, (first, second), last_look=True)
    assert found is not None
    worse = after > before if kind == RESPONSE else after < before
    if worse:
        assert found.verdict in ("harmful", "no_effect")
    else:
        assert found.verdict != "harmful"
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
    assert lacking(RESPONSE, measurement, 20) == told


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_value_that_is_none_is_not_enough(value: float | None) -> None:
    assert not enough(measured(value), 20)


def test_just_enough() -> None:
    assert enough(measured(1.0, 20), 20)
