"""The newest rows of a group, as plain tuples that ranges can be merged into in any order.

A row is (milliseconds since 1970, row number, values …): rows compare by their moment, ties by their number.
"""

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from math import isfinite
from typing import Any

Row = tuple[Any, ...]


class Window:
    """The newest `size` rows, newest first. A row that is merged again takes its own place."""

    def __init__(self, size: int, rows: Iterable[Row] = ()) -> None:
        self._size = size
        self.rows = list(rows)

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= self._size

    @property
    def floor(self) -> Row:
        """Rows below it have no place."""
        return self.rows[-1] if self.is_full else ()

    def merge(self, rows: Iterable[Row]) -> None:
        new = {row[:2]: row for row in rows}
        # What is added is nearly always newer than all that is there.
        if not new or not self.rows or min(new) > self.rows[0][:2]:
            self.rows = [*_newest_first(new), *self.rows][: self._size]
        else:
            self.rows = _newest_first({row[:2]: row for row in self.rows} | new)[: self._size]

    def drop(self, row_ids: Collection[int]) -> None:
        """Forgets rows by their numbers."""
        self.rows = [row for row in self.rows if row[1] not in row_ids]


def _newest_first(rows: Mapping[Row, Row]) -> list[Row]:
    return [rows[key] for key in sorted(rows, reverse=True)]


def mean(values: Iterable[Any]) -> float | None:
    """The mean of the known values; None without any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    total = sum(known)
    if isfinite(total):
        return float(total / len(known))
    return float(sum(map(Fraction, known)) / len(known))
