"""The bounds of chance, straight from their definition: n events with r of them good against a true ratio p have the
likelihood ratio (r/n / p)^r · ((1 - r/n) / (1 - p))^(n - r), and a mean m with spread s the one of Student's t."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import log, sqrt

ODDS = 400_000
LENGTHS = (
    10,
    12,
    14,
    17,
    20,
    24,
    29,
    35,
    42,
    50,
    60,
    72,
    86,
    103,
    124,
    149,
    179,
    215,
    258,
    310,
    372,
    446,
    500,
)


def highest_success_ratio(outcomes: Sequence[bool]) -> float:
    """Of outcomes with the newest last: the highest true ratio that no run of the newest speaks against."""
    runs = [outcomes[-length:] for length in LENGTHS if length <= len(outcomes)]
    return _border(lambda true: any(_against(run, true) > log(ODDS) for run in runs))


def _border(excluded: Callable[[float], bool]) -> float:
    if not excluded(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if excluded(middle) else (middle, high)
    return high


def _against(run: Sequence[bool], true: float) -> float:
    good, bad = sum(run), len(run) - sum(run)
    if good >= true * len(run):
        return 0.0
    if true == 1.0:
        return float("inf")
    evidence = bad * log(bad / len(run) / (1 - true))
    return evidence + (good * log(good / len(run) / true) if good else 0.0)


def lowest_mean(values: Sequence[int]) -> float:
    """Of values with the newest last. A normal sample's likelihood ratio is (1 + (m - true)² / s²)^(n/2)."""
    found = [0.0]
    for run in (values[-length:] for length in LENGTHS if length <= len(values)):
        mean = Fraction(sum(run), len(run))
        variance = sum((value - mean) ** 2 for value in run) / len(run)
        found.append(float(mean) - sqrt(float(variance)) * sqrt(ODDS ** (2 / len(run)) - 1))
    return max(found)
