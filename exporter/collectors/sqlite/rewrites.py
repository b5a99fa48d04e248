"""Whether rows that were counted are still those: of each block of row numbers a checksum, compared at a second look.

A file may hold other rows in the place of some that were read, in the middle of a table, where no bounded reader sees
them at once. The blocks are looked at in turn, each well within an hour.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any
from zlib import crc32

import msgspec

BLOCK = 1024
"""Row numbers that share a checksum."""

Row = Sequence[Any]
"""A row number and cells."""

_encode = msgspec.json.Encoder().encode


class Rewrites:
    """Checksums over the rows that were counted, by the cells in some `places` of each row: its number and what never
    changes. `found` is how many blocks had other rows at a second look.
    """

    def __init__(self) -> None:
        self.found = 0
        self._blocks: dict[int, tuple[int, int] | None] = {}
        self._highest: int | None = None
        self._next = 0
        self._due = 0.0

    def add(self, rows: Sequence[Row], places: Sequence[int]) -> None:
        """Takes rows that are counted, in rising order of their numbers."""
        chosen = _chooser(places)
        first = 0
        while first < len(rows):
            block = rows[first][0] // BLOCK
            last = _end(rows, first, block)
            self._add(block, rows[first][0], [chosen(row) for row in rows[first:last]])
            first = last
        self._highest = rows[-1][0] if self._highest is None else max(self._highest, rows[-1][0])

    def _add(self, block: int, first: int, rows: list[Any]) -> None:
        before = self._blocks.get(block, (0, 0))
        # Checksums are over the rows in their order: of a block that is filled from below, the next look takes it.
        is_in_order = before is not None and (self._highest is None or first > self._highest)
        self._blocks[block] = _checksum(rows, *before) if is_in_order and before is not None else None

    def due(self, share: float) -> list[int]:
        """The next blocks to look at, of which `share` of all are due."""
        blocks = list(self._blocks)
        self._due = min(self._due + share * len(blocks), float(len(blocks)))
        chosen = [blocks[(self._next + place) % len(blocks)] for place in range(int(self._due))]
        self._next = (self._next + len(chosen)) % len(blocks) if blocks else 0
        self._due -= len(chosen)
        return chosen

    def look(self, block: int, rows: Sequence[Row]) -> bool:
        """Takes all rows that a block has now, of those that were counted; whether others are among them.

        Where there are fewer than before, some were deleted, and what else happened to them cannot be seen.
        """
        before, now = self._blocks[block], _checksum([tuple(row) for row in rows], 0, 0)
        is_other = before is not None and now != before and now[0] >= before[0]
        self.found += is_other
        if rows:
            self._blocks[block] = now
        else:
            del self._blocks[block]
        return is_other

    def dump(self) -> Any:
        """As plain values."""
        blocks = [[block, *(checksum or ())] for block, checksum in self._blocks.items()]
        return {"found": self.found, "highest": self._highest, "blocks": blocks}

    def load(self, found: Any) -> None:
        """Takes what `dump` gave."""
        self.found, self._highest = found["found"], found["highest"]
        self._blocks = {
            block: (checksum[0], checksum[1]) if checksum else None for block, *checksum in found["blocks"]
        }


def _chooser(places: Sequence[int]) -> Callable[[Row], Any]:
    """Also of one place a tuple."""
    return itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)


def _end(rows: Sequence[Row], first: int, block: int) -> int:
    """The place after the last row of a block that begins at `first`."""
    if rows[-1][0] // BLOCK == block:
        return len(rows)
    return next(place for place in range(first, len(rows)) if rows[place][0] // BLOCK != block)


def _checksum(rows: Sequence[Any], count: int, checksum: int) -> tuple[int, int]:
    """Of some rows and all before them, of which there are `count`: wherever they are cut, it is the same."""
    return count + len(rows), crc32(_encode(rows)[1:-1] + b",", checksum) if rows else checksum
