"""What each measure reads, and how sure it is of it."""

import random
from bisect import bisect_left
from math import inf, sqrt

import pytest
from promql import read
from series import EXPORTED, RECORDED

from exporter.config import Optimizer
from exporter.config.sections import Guardrails
from exporter.optimizer.bottlenecks import BOTTLENECKS
from exporter.optimizer.measures import GUARDRAILS, Measure
from exporter.optimizer.measures.statistics import level, mean_of_histogram, share

EVERY = pytest.mark.parametrize("measure", GUARDRAILS, ids=lambda each: each.name)
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, inf)
FILLED = {
    "{}": '{bot="one"}[1000ms]',
    "{period}": '{bot="one"}[3600ms]',
    "{day}": '{bot="one"}[9000ms]',
    "[day]": "[9000ms:3600ms]",
}


@EVERY
def test_queries(measure: Measure) -> None:
    found = measure.mean({"periods": 1.0})
    assert (found.value, found.standard_error) == (None, None)
    assert measure.no_value
    for part in measure.parts.values():
        for placeholder, text in FILLED.items():
            part = part.replace(placeholder, text)
        selectors, _ = read(part)
        assert [each.name for each in selectors if each.name not in EXPORTED | RECORDED] == []
        assert all(each.ranged and each.labels for each in selectors), "every selector has its range"


def test_each_has_its_margin_and_every_target_is_one() -> None:
    assert {each.name for each in GUARDRAILS} == set(Guardrails.model_fields)
    assert {each.measure for each in BOTTLENECKS} <= set(GUARDRAILS)
    assert all(Optimizer().guardrails.margin(each.name) for each in GUARDRAILS), "all are looked at"


@pytest.mark.parametrize(
    ("name", "parts", "expected"),
    [
        ("response_time", {"seconds": 5.6, "executions": 2}, (2.8, 2, "executions")),
        ("response_time", {"seconds": 0.0, "executions": 0}, (None, 0, "executions")),
        ("success_rate", {"succeeded": 31, "failed": 19}, (0.62, 50, "executions")),
        ("success_rate", {"succeeded": 0, "failed": 9}, (0, 9, "executions")),
        ("error_rate", {"errored": 5, "executions": 50}, (0.1, 50, "executions")),
        ("coordination", {"negotiations": 50, "negotiations_succeeded": 27, "messages": 9}, (0.54, 50, "negotiations")),
        ("coordination", {"negotiations": 0, "messages": 10, "messages_failed": 1}, (0.9, 10, "messages")),
        ("overall_score", {"score": 0.7, "executions": 100}, (0.7, 100, "executions")),
        ("profit", {"gains": 30, "losses": 10, "value": 1000, "sells": 4, "periods": 2.0}, (0.01, 4, "sells")),
        ("profit", {"gains": 30, "losses": 10, "sells": 4}, (None, 4, "sells")),
        ("drawdown", {"value": 900, "peak": 1000, "scrapes": 240}, (0.1, 240, "readings")),
        ("drawdown", {"value": 900}, (None, 0, "readings")),
    ],
)  # fmt: skip
def test_means(name: str, parts: dict[str, float], expected: tuple[float | None, float, str]) -> None:
    (measure,) = [each for each in GUARDRAILS if each.name == name]
    found = measure.mean({"periods": 1.0, **parts})
    assert found.value == (None if expected[0] is None else pytest.approx(expected[0]))
    assert (found.samples, found.events) == expected[1:]


def test_a_share_of_few_is_never_certain() -> None:
    assert share(10, 10, "executions").standard_error == pytest.approx(0.0797, abs=0.001)
    assert share(500, 1000, "executions").standard_error == pytest.approx(sqrt(0.25 / 1000), rel=0.01)
    assert share(None, 10, "executions").value is None


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.0, 1.5])
def test_how_far_durations_spread_is_read_off_their_histogram(spread: float) -> None:
    """Within a bucket it is not known: steady times look wider than they are, by the bucket's width at most."""
    chance = random.Random(3)
    shape = 1 / spread**2
    times = [chance.gammavariate(shape, 3.0 / shape) for _ in range(20_000)]
    counts = dict.fromkeys(BOUNDS, 0.0)
    for time in times:
        counts[BOUNDS[bisect_left(BOUNDS, time)]] += 1
    total = 0.0
    for bound in BOUNDS:
        total = counts[bound] = counts[bound] + total
    found = mean_of_histogram(sum(times), counts, len(times), "executions")
    assert found.value == pytest.approx(3.0, rel=0.05)
    assert found.standard_error is not None
    true = 3.0 * spread / sqrt(len(times))
    assert 0.95 * true <= found.standard_error <= 1.4 * true + 3 / sqrt(12) / sqrt(len(times))


def test_without_its_buckets_the_spread_is_not_known() -> None:
    found = mean_of_histogram(5.6, {}, 2, "executions")
    assert (found.value, found.standard_error) == (2.8, None)


def test_each_period_of_a_level_is_one_reading() -> None:
    assert level(0.7, 0.06, 4.0, 100, "executions").standard_error == pytest.approx(0.03)
    assert level(0.7, None, 4.0, 100, "executions").standard_error is None
