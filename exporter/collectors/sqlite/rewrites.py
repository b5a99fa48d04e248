"""Whether rows that were counted are still those: of each block of rows a checksum, compared at a second look.

A file may hold other rows in the place of some that were read, in the middle of a table, where no bounded reader sees
them at once. The blocks are looked at in turn, each well within an hour.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any
from zlib import crc32

import msgspec

BLOCK = 1024
"""The most rows that share a checksum. However far apart their numbers are, there are as few blocks as rows allow."""

Row = Sequence[Any]
"""A row number and cells."""
Span = tuple[int, int]
"""The first and the last number that a row of a block may have."""

_encode = msgspec.json.Encoder().encode
_first = attrgetter("first")


@dataclass(slots=True)
class Block:
    """The rows from number `first` on, up to the next block."""

    first: int
    rows: int = 0
    checksum: int | None = 0
    """None until the next look, where rows came among others: it is over the rows in their order."""

    def add(self, rows: Sequence[Any]) -> None:
        """Takes rows that follow those it has: wherever they are cut, the checksum is the same."""
        if rows and self.checksum is not None:
            self.rows += len(rows)
            self.checksum = crc32(_encode(rows)[1:-1] + b",", self.checksum)


class Rewrites:
    """Checksums over the rows that were counted, by the cells in some `places` of each row: its number and what never
    changes. `found` is how many blocks had other rows at a second look.
    """

    def __init__(self) -> None:
        self.found = 0
        self._blocks: list[Block] = []
        self._highest: int | None = None
        self._next = 0
        self._due = 0.0

    def add(self, rows: Sequence[Row], places: Sequence[int]) -> None:
        """Takes rows that are counted, in rising order of their numbers."""
        if self._highest is None or rows[0][0] > self._highest:
            self._append(rows, _chooser(places))
        else:
            self._insert(rows)
        self._highest = rows[-1][0] if self._highest is None else max(self._highest, rows[-1][0])

    def _append(self, rows: Sequence[Row], chosen: Callable[[Row], Any]) -> None:
        start = 0
        while start < len(rows):
            last = self._blocks[-1] if self._blocks else None
            if last is None or last.checksum is None or last.rows >= BLOCK:
                last = Block(rows[start][0])
                self._blocks.append(last)
            some = rows[start : start + BLOCK - last.rows]
            last.add([chosen(row) for row in some])
            start += len(some)

    def _insert(self, rows: Sequence[Row]) -> None:
        if not self._blocks:
            self._blocks.append(Block(rows[0][0]))
        self._blocks[0].first = min(self._blocks[0].first, rows[0][0])
        for row in rows:
            self._blocks[bisect_right(self._blocks, row[0], key=_first) - 1].checksum = None

    def due(self, share: float) -> list[Span]:
        """The next blocks to look at, of which `share` of all are due."""
        number = len(self._blocks)
        self._due = min(self._due + share * number, float(number))
        place = bisect_left(self._blocks, self._next, key=_first)
        chosen = [(place + further) % number for further in range(int(self._due))]
        if chosen:
            self._next = self._blocks[(chosen[-1] + 1) % number].first
        self._due -= len(chosen)
        return [self._span(each) for each in chosen]

    def _span(self, place: int) -> Span:
        assert self._highest is not None
        is_last = place + 1 == len(self._blocks)
        return self._blocks[place].first, self._highest if is_last else self._blocks[place + 1].first - 1

    def look(self, first: int, rows: Sequence[Row]) -> bool:
        """Takes the rows of a due block as they are now, all of them or more than BLOCK; whether others are among
        those that were counted.

        Where there are fewer than before, some were deleted, and what else happened to them cannot be seen.
        """
        place = bisect_left(self._blocks, first, key=_first)
        before, now = self._blocks[place], Block(first)
        now.add(rows[:BLOCK])
        is_other = before.checksum not in (None, now.checksum) and now.rows >= before.rows
        self.found += is_other
        rest = [Block(row[0], checksum=None) for row in rows[BLOCK : BLOCK + 1]]
        self._blocks[place : place + 1] = [now, *rest] if rows else []
        return is_other

    def dump(self) -> Any:
        """As plain values."""
        blocks = [[block.first, block.rows, block.checksum] for block in self._blocks]
        return {"found": self.found, "highest": self._highest, "blocks": blocks}

    def load(self, found: Any) -> None:
        """Takes what `dump` gave."""
        self.found, self._highest = found["found"], found["highest"]
        self._blocks = [Block(*block) for block in found["blocks"]]


def _chooser(places: Sequence[int]) -> Callable[[Row], Any]:
    """Also of one place a tuple."""
    return itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
