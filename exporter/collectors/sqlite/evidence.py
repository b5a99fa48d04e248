"""Bounds that chance does not explain: how good an agent may still be, judged by its newest executions.

A mean over 50 executions crosses a threshold by chance many times a week. These bounds do not: they hold, by a
generalized likelihood ratio, unless what was seen is less likely than 1 in `ODDS`. Each is the strictest over runs of
the newest executions of every length in `LENGTHS`, so that a short collapse and a long decline are both found.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import expm1, inf, log, sqrt

ODDS = 400_000
NATS = log(ODDS)
"""The evidence that a bound needs: the logarithm of the likelihood ratio."""
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
ROWS = LENGTHS[-1]
"""How many of an agent's newest rows are looked at."""
STEPS = 1e-14
"""How exact a ratio's bound is."""


def success_upper_bound(newest_first: Sequence[int | None]) -> float | None:
    """The highest success ratio that the outcomes (1, 0, None where unknown) allow; None where too few are known."""
    bound = None
    for length, succeeded in _runs([value for value in newest_first if value is not None]):
        ratio, bound = succeeded / length, 1.0 if bound is None else bound
        if ratio < bound and length * divergence(ratio, bound) > NATS:
            bound = _farthest(ratio, bound, NATS / length)
    return bound


def mean_lower_bound(newest_first: Sequence[int | None]) -> float | None:
    """The lowest mean that the values and their spread allow, at least 0; None where too few are known."""
    known = [value for value in newest_first if value is not None]
    bound = None
    for (length, total), (_, squares) in zip(_runs(known), _runs([v * v for v in known]), strict=True):
        deviation = sqrt(length * squares - total * total) / length
        bound = max(bound or 0.0, total / length - deviation * sqrt(expm1(2 * NATS / length)))
    return bound


def divergence(ratio: float, true: float) -> float:
    """Kullback and Leibler's: the evidence of one event, seen at `ratio`, against the `true` ratio."""
    return _term(ratio, true) + _term(1 - ratio, 1 - true)


def _term(seen: float, true: float) -> float:
    if not seen:
        return 0.0
    return seen * log(seen / true) if true else inf


def _runs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The length and the sum of each run of the newest values."""
    sums = [*accumulate(values)]
    return ((length, sums[length - 1]) for length in LENGTHS if length <= len(sums))


def _farthest(ratio: float, above: float, evidence: float) -> float:
    """The highest true ratio against which there is no more than so much evidence; it is below `above`."""
    below = ratio
    while above - below > STEPS:
        middle = (above + below) / 2
        below, above = (middle, above) if divergence(ratio, middle) <= evidence else (below, middle)
    return above
