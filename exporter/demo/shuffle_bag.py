"""Random sampling without replacement, so that each 50 values have exactly the configured share or mean.

The exporter judges an agent by its newest 50 rows. Independent draws at 62 % would show anything from 48 to 76 %
there, and the demo's alerts would come and go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import NormalDist
from typing import Generic, TypeVar

Item = TypeVar("Item")
WINDOW = 50
"""Rows in the exporter's window."""
LOG_DEVIATION = 0.28
"""Standard deviation of the logarithm of response times."""


class ShuffleBag(Generic[Item]):
    """Draws each item once, then starts over.

    Shuffled, or, if `steady`, in the given order: then any len(items) consecutive draws contain each item once.
    """

    def __init__(self, items: Sequence[Item], rng: Random, *, steady: bool) -> None:
        self._items = list(items)
        self._rng = rng
        self._steady = steady
        self._next = len(self._items)

    def draw(self) -> Item:
        if self._next == len(self._items):
            self._next = 0
            if not self._steady:
                self._rng.shuffle(self._items)
        item = self._items[self._next]
        self._next += 1
        return item


def evenly_spread(true_of_size: int, size: int = WINDOW) -> list[bool]:
    """`true_of_size` times True, spread so that any section has its share, give or take one."""
    so_far = [(i * true_of_size + size // 2) // size for i in range(size + 1)]
    return [after > before for before, after in pairwise(so_far)]


def values_with_mean(mean: int, size: int = WINDOW) -> list[int]:
    """Whole numbers with a long upper tail whose mean is exactly `mean`."""
    normal = NormalDist()
    shape = [math.exp(LOG_DEVIATION * normal.inv_cdf((i + 0.5) / size)) for i in range(size)]
    scale = mean * size / sum(shape)
    values = [round(factor * scale) for factor in shape]
    values[-1] += mean * size - sum(values)
    return values


def response_times(mean: int, rng: Random, *, steady: bool) -> ShuffleBag[int]:
    items = values_with_mean(mean)
    rng.shuffle(items)
    return ShuffleBag(items, rng, steady=steady)


def outcomes(true_of_size: int, rng: Random, *, steady: bool) -> ShuffleBag[bool]:
    return ShuffleBag(evenly_spread(true_of_size), rng, steady=steady)
