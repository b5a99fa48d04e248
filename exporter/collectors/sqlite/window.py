"""The newest rows of an agent, as a value that ranges can be merged into in any order."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from exporter.metrics.labels import LabelBounds

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

    def takes(self, newest_ms: float) -> bool:
        """False where no row up to that time can have a place any more."""
        return len(self.rows) < self._size or newest_ms >= self.rows[-1].moment[0]


class Recent(Generic[Row]):
    """A window for each agent, by its label.

    The first catch-up goes from the oldest row to the newest, so that each range would have rows for every
    window until a later one replaces them. `seed` tells beforehand how far back the windows will reach.
    `expected` is how many rows of each agent are worth reading with the next range's totals.
    """

    def __init__(self, labels: LabelBounds, size: int) -> None:
        self._labels = labels
        self._size = size
        self._windows: defaultdict[str, Window[Row]] = defaultdict(lambda: Window(size))
        self._floors: dict[str | None, float] = {}
        self._promised: set[str | None] = set()
        self.expected = 0

    @property
    def passed_over(self) -> bool:
        """Whether rows were passed over for newer ones that `seed` learned of and that never came."""
        return any(
            len(self._windows[self._labels.known_agent(name)].rows) < self._size for name in self._promised
        )

    def rows(self, agent: str) -> list[Row]:
        """The rows of an agent's window, newest first."""
        return self._windows[agent].rows

    def seed(self, found: Iterable[tuple[str | None, int | None]]) -> None:
        """Learns names, and a time from which on there are enough rows with that name to fill a window."""
        for name, ms in found:
            agent = self._labels.spelling(name)
            self._floors[agent] = max(moment(ms, 0)[0], self._floors.get(agent, float("-inf")))
            self._promised.add(name)

    def wants(self, newest: Iterable[tuple[str | None, int | None]]) -> bool:
        """False where no row with those names, each up to its time, will have a place.

        The next range is expected to be like this one.
        """
        wanted = any(self._has_place(name, moment(ms, 0)[0]) for name, ms in newest)
        self.expected = self._size if wanted else 0
        return wanted

    def _has_place(self, name: str | None, ms: float) -> bool:
        reaches = ms >= self._floors.get(self._labels.spelling(name), ms)
        return reaches and self._windows[self._labels.upcoming(name)].takes(ms)

    def merge(self, found: Iterable[tuple[str | None, Row]]) -> None:
        """Takes rows with their agents' names."""
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for name, row in found:
            rows[self._labels.known_agent(name)].append(row)
        for agent, known in rows.items():
            self._windows[agent].merge(known)


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the known values; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
