"""The bounds of chance: what they say of known cases, and that chance alone hardly ever breaks them."""

import random
from math import exp, log

import pytest

from exporter.collectors.sqlite.evidence import LENGTHS, NATS, ROWS, mean_lower_bound, success_upper_bound


def test_too_few_values_have_no_bound() -> None:
    fewest = LENGTHS[0]
    assert success_upper_bound([0] * (fewest - 1) + [None] * 50) is None
    assert success_upper_bound([0] * fewest) is not None
    assert mean_lower_bound([1] * (fewest - 1) + [None] * 50) is None
    assert mean_lower_bound([1] * fewest) == 1


def test_only_failures() -> None:
    """Ten failures in a row of an agent that succeeds in p have the chance (1 - p)^10."""
    assert success_upper_bound([0] * 10) == pytest.approx(1 - exp(-NATS / 10))
    assert success_upper_bound([0] * ROWS) == pytest.approx(1 - exp(-NATS / ROWS))


def test_successes_alone_say_nothing_against_an_agent() -> None:
    assert success_upper_bound([1] * ROWS) == 1


@pytest.mark.parametrize("length", LENGTHS)
def test_the_bound_of_a_run_is_where_its_evidence_ends(length: int) -> None:
    """Half of a run failed, and all before it went well, which cannot raise the bound."""
    run = [0, 1] * (length // 2) + [0] * (length % 2)
    bound = success_upper_bound(run + [1] * (ROWS - length))
    failed = (length + 1) // 2
    against = failed * log(failed / length) + (length - failed) * log((length - failed) / length)
    assert bound is not None
    assert against - failed * log(1 - bound) - (length - failed) * log(bound) >= NATS - 1e-6


def test_a_short_collapse_and_a_long_decline_are_both_found() -> None:
    collapse = success_upper_bound([0] * 12 + [1] * 488)
    decline = success_upper_bound([0, 1, 1] * 166)
    assert collapse is not None
    assert decline is not None
    assert collapse < 0.7
    assert 0.7 < decline < 0.8


def test_a_steady_duration_is_its_own_bound_and_a_spread_lowers_it() -> None:
    assert mean_lower_bound([2800] * 50) == pytest.approx(2800)
    spread = mean_lower_bound([2000, 3600] * 25)
    assert spread is not None
    assert 2000 < spread < 2800
    assert mean_lower_bound([100, 90000] * 5) == 0


def test_old_rows_do_not_matter() -> None:
    old = [0] * 300
    assert success_upper_bound([1] * ROWS + old) == 1


def test_chance_does_not_break_a_bound() -> None:
    """Twenty thousand executions of an agent that is just well; the mean of 50 falls under 0.7 again and again."""
    dice, size = random.Random(8), 20_000
    outcomes = [int(dice.random() < 0.75) for _ in range(size)]
    durations = [round(dice.lognormvariate(log(1.8e6) - 0.28**2 / 2, 0.28)) for _ in range(size)]
    ends = range(ROWS, size, 10)
    assert sum(sum(outcomes[end - 50 : end]) < 35 for end in ends) > 100
    assert not [end for end in ends if (success_upper_bound(outcomes[end - ROWS : end][::-1]) or 1) < 0.75]
    assert not [end for end in ends if (mean_lower_bound(durations[end - ROWS : end][::-1]) or 0) > 1.8e6]
