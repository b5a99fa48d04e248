"""Standard errors, from what was counted."""

from collections.abc import Mapping
from itertools import pairwise
from math import inf, sqrt

from exporter.optimizer.measures.base import Estimate


def share(part: float | None, whole: float, events: str) -> Estimate:
    """Of `whole` events `part` are so.

    Its error is as if one more were so and one more were not: a handful without any failure does not prove that there
    is none.
    """
    if part is None or not whole:
        return Estimate(None, None, whole, events)
    ratio = (min(max(part, 0.0), whole) + 1) / (whole + 2)
    return Estimate(part / whole, sqrt(ratio * (1 - ratio) / (whole + 2)), whole, events)


def mean_of_histogram(
    total: float | None, counts: Mapping[float, float], count: float, events: str
) -> Estimate:
    """The mean of `count` values whose sum is `total`; how far they spread is read off the histogram.

    `counts` are cumulative, by upper bound. Within a bucket values are taken to lie anywhere with the same chance,
    and those beyond the last bound up to as far again.
    """
    if total is None or not count:
        return Estimate(None, None, count, events)
    mean = total / count
    if counts.get(inf, 0.0) <= 0:
        return Estimate(mean, None, count, events)
    return Estimate(mean, sqrt(_variance(counts) / count), count, events)


def _variance(counts: Mapping[float, float]) -> float:
    bounds = sorted(counts)
    sizes = [counts[bounds[0]], *(max(0.0, counts[high] - counts[low]) for low, high in pairwise(bounds))]
    widest = 2 * bounds[-2] if len(bounds) > 1 else 0.0
    edges = [
        (0.0 if index == 0 else bounds[index - 1], min(high, widest)) for index, high in enumerate(bounds)
    ]
    count = sum(sizes)
    mean = sum(size * (low + high) / 2 for size, (low, high) in zip(sizes, edges, strict=True)) / count
    second = sum(
        size * (low * low + low * high + high * high) / 3
        for size, (low, high) in zip(sizes, edges, strict=True)
    )
    return max(0.0, second / count - mean * mean)


def level(value: float | None, spread: float | None, periods: float, samples: float, events: str) -> Estimate:
    """The mean of a value over `periods`, of which each counts as one independent reading with this spread."""
    error = None if spread is None or periods <= 0 else spread / sqrt(periods)
    return Estimate(value, error, samples, events)
