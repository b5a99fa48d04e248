"""What was measured: each figure with all of its repetitions, its median and its target."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `target` is the highest that is good; None where there is none."""

    name: str
    unit: str = ""
    target: float | None = None
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def missed(self) -> bool:
        return self.target is not None and self.median > self.target

    def row(self) -> tuple[str, str, str, str]:
        """Name, median, range and verdict."""
        span = f"{_short(min(self.values))} … {_short(max(self.values))}"
        target = "" if self.target is None else f"≤ {_short(self.target)}"
        return self.name, f"{_short(self.median)} {self.unit}", span, f"{target} {'MISSED' * self.missed}"


class Figures:
    """The figures in the order in which they were first named."""

    def __init__(self, targets: Mapping[str, float]) -> None:
        self._targets = targets
        self._by_name: dict[str, Figure] = {}

    def add(self, name: str, value: float, unit: str = "") -> None:
        """One repetition's value."""
        self._by_name.setdefault(name, Figure(name, unit, self._targets.get(name))).values.append(value)

    def table(self) -> str:
        """For people."""
        rows = [("", "median", "range", "target"), *(figure.row() for figure in self._by_name.values())]
        return "\n".join(_lines(rows))

    def missed(self) -> list[str]:
        """The names of those over their target."""
        return [figure.name for figure in self._by_name.values() if figure.missed]

    def document(self) -> list[dict[str, Any]]:
        """For programs."""
        return [asdict(figure) | {"median": figure.median} for figure in self._by_name.values()]


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _lines(rows: list[tuple[str, str, str, str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *others in rows:
        cells = [each.rjust(width) for each, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *cells]).rstrip()
