"""The newest rows of an agent, as a value that ranges can be merged into in any order."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

Moment = tuple[float, int]
"""When a row is from: milliseconds since 1970 (-inf where that cannot be read), then its row number."""


class Dated(Protocol):
    """A row that has its moment."""

    @property
    def moment(self) -> Moment: ...


Row = TypeVar("Row", bound=Dated)


def moment(ms: int | None, row_id: int) -> Moment:
    """A row's place in time; one whose timestamp cannot be read is the oldest."""
    return (float("-inf") if ms is None else ms, row_id)


class Window(Generic[Row]):
    """The newest `size` rows, newest first. A row that is merged again takes its own place."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.rows: list[Row] = []

    def merge(self, rows: Iterable[Row]) -> None:
        merged = {row.moment: row for row in (*self.rows, *rows)}
        self.rows = [merged[key] for key in sorted(merged, reverse=True)[: self._size]]

    def takes(self, newest_ms: int | None) -> bool:
        """False where no row up to that time can have a place any more."""
        if len(self.rows) < self._size:
            return True
        return moment(newest_ms, 0)[0] >= self.rows[-1].moment[0]


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the known values; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
