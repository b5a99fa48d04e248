"""Bounds that chance does not explain: how good an agent may still be, judged by its newest executions.

A mean over 50 executions crosses a threshold by chance many times a week. These bounds do not: they hold, by a
generalized likelihood ratio, unless what was seen is less likely than 1 in `ODDS`. Each is the strictest over runs of
the newest executions of every length in `LENGTHS`, so that a short collapse and a long decline are both found.
"""

from collections.abc import Iterator, Sequence
from math import exp, expm1, inf, log, sqrt
from operator import mul

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
DEVIATIONS = {length: sqrt(expm1(2 * NATS / length)) for length in LENGTHS}
"""By how many standard deviations the mean of a run may be off."""
ROWS = LENGTHS[-1]
"""How many of an agent's newest rows are looked at."""
DIGITS = 9
"""Of a bound, so that it does not depend on the machine's logarithm."""
EXACT = 1e-15
"""How exact a ratio's bound is."""


def success_upper_bound(newest_first: Sequence[int | None]) -> float | None:
    """The highest success ratio that the outcomes (1, 0, None where unknown) allow; None where too few are known."""
    runs = [*_runs(_known(newest_first))]
    bound = 1.0
    # The longest allows least as a rule, so that the others need not be worked out.
    for length, succeeded in reversed(runs):
        ratio = succeeded / length
        if ratio < bound and length * divergence(ratio, bound) > NATS:
            bound = min(bound, _farthest(ratio, NATS / length))
    return round(bound, DIGITS) if runs else None


def mean_lower_bound(newest_first: Sequence[int | None]) -> float | None:
    """The lowest mean that the values and their spread allow, at least 0; None where too few are known."""
    known = _known(newest_first)
    bound = None
    for (length, total), (_, squares) in zip(_runs(known), _runs([*map(mul, known, known)]), strict=True):
        deviation = sqrt(length * squares - total * total) / length
        bound = max(bound or 0.0, total / length - deviation * DEVIATIONS[length])
    return None if bound is None else round(bound, DIGITS)


def _known(values: Sequence[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def divergence(ratio: float, true: float) -> float:
    """Kullback and Leibler's: the evidence of one event, seen at `ratio`, against the `true` ratio."""
    return _term(ratio, true) + _term(1 - ratio, 1 - true)


def _term(seen: float, true: float) -> float:
    if not seen:
        return 0.0
    return seen * log(seen / true) if true else inf


def _runs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The length and the sum of each run of the newest values."""
    total = before = 0
    for length in LENGTHS:
        if length > len(values):
            return
        total += sum(values[before:length])
        before = length
        yield length, total


def _farthest(ratio: float, evidence: float) -> float:
    """The highest true ratio, of one below 1 that was seen, against which there is no more than so much evidence.

    Newton's method: divergence is convex in the true ratio, so that from above the steps never go too far. It begins
    where the failures alone are so much evidence, whatever the successes say for it.
    """
    failed = 1 - ratio
    of_successes = ratio * log(ratio) if ratio else 0.0
    true = 1 - failed * exp(-(evidence - of_successes) / failed)
    while (step := (divergence(ratio, true) - evidence) / (failed / (1 - true) - ratio / true)) > EXACT:
        true -= step
    return true
