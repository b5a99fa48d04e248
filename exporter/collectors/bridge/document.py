"""Values of the bridge's document, checked one by one by its schema (bridge/state.schema.json)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, TypeVar

from exporter.metrics.catalogue import Family
from exporter.metrics.samples import HistogramValue

T = TypeVar("T")

MOST_BUCKETS = 32


class DocumentReader:
    """Takes values out of objects. What is missing or null is None; what is unusable is None, and counted."""

    def __init__(self) -> None:
        self.malformed = 0

    def number(self, of: dict[str, Any], key: str, least: float = -math.inf) -> float | None:
        """A finite number that is not under `least`."""
        number = finite(of.get(key))
        return self.usable(number, of.get(key) is None or (number is not None and number >= least))

    def positive(self, of: dict[str, Any], key: str) -> float | None:
        """Seconds, moments and sums: no negative number."""
        return self.number(of, key, least=0.0)

    def count(self, of: dict[str, Any], key: str) -> float | None:
        """A whole number that is not negative."""
        number = self.positive(of, key)
        return self.usable(number, number is None or number.is_integer())

    def ratio(self, of: dict[str, Any], key: str) -> float | None:
        """Up to 1 as it is, above 1 and up to 100 as percent."""
        number = self.number(of, key)
        if number is None or 0 <= number <= 1:
            return number
        return self.usable(number / 100, 0 <= number <= 100)

    def flag(self, of: dict[str, Any], key: str) -> float | None:
        """1 for true, 0 for false."""
        value = of.get(key)
        known = self.usable(value, value is None or isinstance(value, bool))
        return None if known is None else float(known)

    def text(self, of: dict[str, Any], key: str, longest: int) -> str | None:
        """Text that can stand on a page."""
        value = of.get(key)
        is_text = isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
        return self.usable(value, value is None or is_text)

    def name(self, of: dict[str, Any], key: str) -> str | None:
        """An agent's id, without which an entry is of no use."""
        value = of.get(key)
        return self.usable(value, isinstance(value, str) and value != "")

    def part(self, of: dict[str, Any], key: str) -> dict[str, Any]:
        """An object; empty where there is none."""
        value = of.get(key)
        return self.usable(value, value is None or isinstance(value, dict)) or {}

    def entries(self, of: dict[str, Any], key: str, most: int) -> Iterator[dict[str, Any]]:
        """The first `most` objects of a list; that there are more is counted once."""
        found = of.get(key)
        entries = self.usable(found, found is None or isinstance(found, list)) or []
        self.usable(None, len(entries) <= most)
        for entry in entries[:most]:
            if self.usable(entry, isinstance(entry, dict)) is not None:
                yield entry

    def histogram(self, of: dict[str, Any], family: Family) -> HistogramValue | None:
        """A histogram whose bounds include all of the family's."""
        if not of:
            return None
        counts = _buckets(of.get("bounds"), of.get("buckets"), of.get("count"), family)
        total = finite(of.get("sum"))
        if counts is None or total is None or total < 0:
            return self.usable(None, False)
        return HistogramValue(counts, total)

    def usable(self, value: T | None, is_usable: bool) -> T | None:
        """The value if it is usable; else None, and counted."""
        self.malformed += not is_usable
        return value if is_usable else None


def finite(value: object) -> float | None:
    """A JSON number as a float; None for anything else, and for what a float cannot hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _buckets(bounds: object, buckets: object, count: object, family: Family) -> list[int] | None:
    """Cumulative counts at the family's bounds and at +Inf; None if anything is wrong with them."""
    if not isinstance(bounds, list) or not isinstance(buckets, list) or len(bounds) > MOST_BUCKETS:
        return None
    at, counts = _numbers(bounds), _numbers([*buckets, count])
    if at is None or counts is None or len(counts) != len(at) + 1:
        return None
    climbing = all(one < other for one, other in pairwise(at)) and counts == sorted(counts)
    if not climbing or counts[0] < 0 or not all(number.is_integer() for number in counts):
        return None
    by_bound = dict(zip(at, counts, strict=False))
    if not by_bound.keys() >= set(family.buckets):
        return None
    return [int(by_bound[bound]) for bound in family.buckets] + [int(counts[-1])]


def _numbers(values: list[object]) -> list[float] | None:
    numbers = [number for number in map(finite, values) if number is not None]
    return numbers if len(numbers) == len(values) else None
