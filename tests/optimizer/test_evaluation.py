"""What the measurements after an action are taken for: harm above all, and chance for neither harm nor gain.

How often it errs is simulated in tests/bench/sequential.py, of which a short form runs here.
"""

from dataclasses import replace

import pytest
from bench.sequential import SCENARIOS, simulate
from hypothesis import given
from hypothesis import strategies as st

from exporter.optimizer.bottlenecks import BOTTLENECKS
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME as RESPONSE
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE as SUCCESS
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.bottlenecks.coordination_efficiency import COORDINATION_EFFICIENCY as COORDINATION
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE as SYSTEM
from exporter.optimizer.evaluation import (
    Comparison,
    Evaluation,
    comparable,
    enough,
    evaluate,
    shortfall,
    steady,
    window,
)
from exporter.optimizer.measures import DRAWDOWN, ERROR_RATE, SUCCESS_RATE, Measure
from exporter.optimizer.measures import RESPONSE_TIME as TIME
from exporter.optimizer.model import Measurement

HOUR = 3600.0


def measured(
    value: float | None, samples: int = 60, note: str = "", error: float | None = 0.0001
) -> Measurement:
    return Measurement(0.0, 3600.0, value, samples, note, standard_error=error)


def compared(
    measure: Measure, before: float | None, after: float | None, margin: float = 0.1, error: float = 0.0001
) -> Comparison:
    return Comparison(measure, measured(before, error=error), measured(after, error=error), margin)


def evaluated(
    kind: Bottleneck,
    before: float,
    after: float,
    threshold: float | None = None,
    error: float = 0.0001,
    last_look: bool = False,
    guardrails: tuple[Comparison, ...] = (),
) -> Evaluation | None:
    target = compared(kind.measure, before, after, 0.05, error)
    return evaluate(kind, target, guardrails, threshold, last_look)


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
def test_verdicts_on_what_is_certain(
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


@pytest.mark.parametrize(("before", "after"), [(0.62, 0.7), (0.62, 0.54), (0.62, 0.62)])
def test_what_may_be_chance_is_looked_at_longer_and_is_never_an_effect(before: float, after: float) -> None:
    assert evaluated(SUCCESS, before, after, 0.7, error=0.04) is None
    found = evaluated(SUCCESS, before, after, 0.7, error=0.04, last_look=True)
    assert found is not None
    assert found.verdict == "no_effect"
    assert ("may be chance" in found.reason) == (before != after)


@pytest.mark.parametrize(("before", "after"), [(60, 0), (0, 60), (0, 0)])
def test_a_guardrail_that_no_event_was_counted_for_is_unclear(before: int, after: int) -> None:
    found = compared(SUCCESS_RATE, 0.9, 0.2)
    empty = replace(found, before=measured(0.9, before), after=measured(0.2, after))
    evaluation = evaluated(RESPONSE, 2.8, 1.15, 2.0, last_look=True, guardrails=(empty,))
    assert evaluation is not None
    assert (evaluation.verdict, evaluation.guardrails) == ("inconclusive", {SUCCESS_RATE.name: "unclear"})


def test_what_is_not_known_how_exact_it_is_says_nothing() -> None:
    """As of a ledger that an earlier release wrote."""
    unknown = Comparison(TIME, measured(2.8, error=None), measured(1.0), 0.05)
    assert evaluate(RESPONSE, unknown, (), 2.0, last_look=False) is None
    found = evaluate(RESPONSE, unknown, (), 2.0, last_look=True)
    assert found is not None
    assert found.verdict == "no_effect"


class TestGuardrails:
    def faster(self, *guardrails: Comparison, last_look: bool = False) -> Evaluation | None:
        return evaluated(RESPONSE, 2.85, 0.86, 2.0, guardrails=guardrails, last_look=last_look)

    def test_faster_and_worse_is_harm(self) -> None:
        found = self.faster(compared(SUCCESS_RATE, 0.62, 0.24))
        assert found is not None
        assert (found.verdict, found.guardrails) == ("harmful", {"success_rate": "harmed"})
        assert "worse: success rate 62.0 % -> 24.0 %" in found.reason

    def test_harm_is_seen_without_enough_of_the_target(self) -> None:
        found = evaluate(RESPONSE, None, [compared(SUCCESS_RATE, 0.62, 0.24)], 2.0, last_look=False)
        assert found is not None
        assert (found.verdict, found.improvement_ratio, found.threshold_met) == ("harmful", None, None)

    @pytest.mark.parametrize(
        ("guardrail", "became"),
        [
            (compared(SUCCESS_RATE, 0.62, 0.53), "held"),
            (compared(SUCCESS_RATE, 0.62, 0.51), "harmed"),
            (compared(ERROR_RATE, 0.1, 0.19), "held"),
            (compared(ERROR_RATE, 0.1, 0.21), "harmed"),
            (compared(TIME, 2.0, 2.4, margin=0.25), "held"),
            (compared(TIME, 2.0, 2.6, margin=0.25), "harmed"),
            (compared(SUCCESS_RATE, 0.62, 0.62, error=0.05), "unclear"),
            (compared(SUCCESS_RATE, 0.62, 0.5, error=0.05), "unclear"),
            (compared(SUCCESS_RATE, 0.62, None), "unclear"),
            (compared(SUCCESS_RATE, None, 0.62), "not_measured"),
        ],
    )
    def test_within_its_margin_beyond_it_and_neither(self, guardrail: Comparison, became: str) -> None:
        found = self.faster(guardrail, last_look=True)
        assert found is not None
        assert found.guardrails == {guardrail.measure.name: became}
        verdicts = {"harmed": "harmful", "unclear": "inconclusive"}
        assert found.verdict == verdicts.get(became, "succeeded")

    def test_a_gain_waits_for_a_guardrail_that_is_not_clear_yet(self) -> None:
        assert self.faster(compared(SUCCESS_RATE, 0.62, 0.62, error=0.05)) is None

    def test_an_early_look_needs_more(self) -> None:
        worse = compared(SUCCESS_RATE, 0.62, 0.48, error=0.04)
        assert self.faster(worse) is None
        found = self.faster(worse, last_look=True)
        assert found is not None
        assert found.verdict == "harmful"

    def test_the_spread_of_a_level_is_that_of_the_time_before(self) -> None:
        """After it the change itself is in its spread."""
        wide = replace(measured(0.4), standard_error=9.0)
        found = self.faster(Comparison(DRAWDOWN, measured(0.1), wide, 0.05))
        assert found is not None
        assert found.verdict == "harmful"


@pytest.mark.parametrize("number", [1, 3, 6, 7])
def test_what_is_said_of_made_up_changes(number: int) -> None:
    """The bounds are those of docs/optimizer.md, widened by three standard deviations of so few runs."""
    runs, scenario = 150, SCENARIOS[number]
    found = simulate(scenario, 100, runs)
    if "does nothing" in scenario.name:
        assert found["succeeded"] + found["improved"] <= (0.05 + 0.053) * runs
        assert found["harmful"] <= (0.1 + 0.073) * runs
    else:
        assert found["harmful"] >= (0.95 - 0.053) * runs


# When it is looked at.


@given(st.just(0.0) | st.floats(1e-3, 30 * 24 * HOUR), st.floats(1, 30 * 24 * HOUR))
def test_looks_are_at_halves_of_the_time(now: float, within: float) -> None:
    found = window(SUCCESS.measure, 0.0, within, HOUR, now)
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
    looks = {window(SUCCESS.measure, start, deadline, HOUR, start + 15.0 * each) for each in range(30, 2000)}
    assert looks == {(start, start + 6 * HOUR / 2**halvings) for halvings in range(7)}


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (HOUR, None),
        (1.2 * HOUR, None),
        (1.5 * HOUR, (HOUR, 1.5 * HOUR)),
        (3 * HOUR, (HOUR, 3 * HOUR)),
        (9e9, (HOUR, 6 * HOUR)),
    ],
)
def test_a_level_is_looked_at_without_the_time_that_it_looks_back(now: float, found: object) -> None:
    assert window(SYSTEM.measure, 0.0, 6 * HOUR, HOUR, now) == found


def test_a_short_time_is_not_lost_to_what_a_level_looks_back() -> None:
    assert window(SYSTEM.measure, 0.0, 1.5 * HOUR, HOUR, 9e9) == (0.5 * HOUR, 1.5 * HOUR)
    assert window(SYSTEM.measure, 100.0, 700.0, HOUR, 700.0) == (100.0, 700.0)


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [(0.9, 0.62, False), (0.62, 0.63, True), (0.62, 0.9, False), (None, 0.9, True)],
)
def test_a_time_in_which_it_changed_by_itself_is_no_measure(
    first: float | None, second: float | None, alike: bool
) -> None:
    halves = measured(first, error=0.05), measured(second, error=0.05)
    assert steady(SUCCESS_RATE, *halves) is alike


def test_only_the_same_events_are_compared() -> None:
    negotiations, messages = (
        Measurement(0.0, HOUR, 0.3, 40, "", events) for events in ("negotiations", "messages")
    )
    assert comparable(negotiations, negotiations) == negotiations
    found = comparable(negotiations, messages)
    assert (found.value, found.samples) == (None, 40)
    assert shortfall(COORDINATION.measure, found, 20) == (
        "40 messages without a value (messages cannot be compared with negotiations before)"
    )
    nothing = Measurement(0.0, HOUR, None, 0, "the database was replaced")
    assert comparable(negotiations, nothing) == nothing
    assert steady(COORDINATION.measure, negotiations, messages)


@given(
    st.sampled_from(BOTTLENECKS),
    st.floats(0, 10),
    st.floats(0, 10),
    st.none() | st.floats(0, 3),
    st.floats(0, 1),
)
def test_the_last_look_always_ends_it_and_never_calls_worse_a_gain(
    kind: Bottleneck, before: float, after: float, threshold: float | None, error: float
) -> None:
    found = evaluated(kind, before, after, threshold, error, last_look=True)
    assert found is not None
    if kind.measure.gain(before, after) < 0:
        assert found.verdict in ("harmful", "no_effect")
    else:
        assert found.verdict != "harmful"
    assert (found.threshold_met is None) == (threshold is None)


@pytest.mark.parametrize(
    ("measurement", "said"),
    [
        (measured(1.0, 19), "19 of 20 executions"),
        (measured(None, 19, "the database was replaced"), "19 of 20 executions (the database was replaced)"),
        (
            measured(None, 25, "the database was replaced"),
            "25 executions without a value (the database was replaced)",
        ),
    ],
)
def test_what_is_not_enough_and_why(measurement: Measurement, said: str) -> None:
    assert not enough(TIME, measurement, 20)
    assert shortfall(TIME, measurement, 20) == said


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_value_that_is_none_is_not_enough(value: float | None) -> None:
    assert not enough(TIME, measured(value), 20)


def test_just_enough() -> None:
    assert enough(TIME, measured(1.0, 20), 20)
    assert enough(DRAWDOWN, measured(0.1, 0), 20), "a level is there whether or not anything happens"
