"""Chance with a promise: like cards, what was drawn too often becomes rarer until the deck is through.

The exporter judges an agent by its newest 50 rows. Independent draws of 62 % would show anything from 48 to
76 % there, and a demo whose alert comes and goes shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import NormalDist
from typing import Generic, TypeVar

Card = TypeVar("Card")
SIZE = 50
SPREAD = 0.28
"""Of the logarithm of response times."""


class Deck(Generic[Card]):
    """Deals its cards for ever; `steady` in one order, so that any len(cards) dealt in a row are the deck."""

    def __init__(self, cards: Sequence[Card], rng: Random, *, steady: bool) -> None:
        self._cards = list(cards)
        self._rng = rng
        self._steady = steady
        self._next = len(self._cards)

    def deal(self) -> Card:
        if self._next == len(self._cards):
            self._next = 0
            if not self._steady:
                self._rng.shuffle(self._cards)
        card = self._cards[self._next]
        self._next += 1
        return card


def evenly(true_of_size: int, size: int = SIZE) -> list[bool]:
    """`true_of_size` times True, spread so that any stretch has its share, give or take one."""
    so_far = [(i * true_of_size + size // 2) // size for i in range(size + 1)]
    return [after > before for before, after in pairwise(so_far)]


def around(mean: int, size: int = SIZE) -> list[int]:
    """Whole numbers with a long upper tail whose mean is `mean` to the last digit."""
    normal = NormalDist()
    shape = [math.exp(SPREAD * normal.inv_cdf((i + 0.5) / size)) for i in range(size)]
    scale = mean * size / sum(shape)
    values = [round(factor * scale) for factor in shape]
    values[-1] += mean * size - sum(values)
    return values


def times(mean: int, rng: Random, *, steady: bool) -> Deck[int]:
    cards = around(mean)
    rng.shuffle(cards)
    return Deck(cards, rng, steady=steady)


def outcomes(true_of_size: int, rng: Random, *, steady: bool) -> Deck[bool]:
    return Deck(evenly(true_of_size), rng, steady=steady)
