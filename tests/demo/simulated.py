"""The simulated bot without a process and without waiting: the simulation is fast-forwarded."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

from exporter.demo.scenarios import SCENARIOS
from exporter.demo.schedule import Schedule
from exporter.demo.simulation import Simulation
from exporter.demo.transaction import Statement

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
MINUTE = 60_000

Json = dict[str, Any]
Row = tuple[Any, ...]
"""Of SQLite, whose columns may hold any type."""


class Options(TypedDict, total=False):
    seed: int
    start: datetime
    speed: float
    history_days: float


def simulate(scenario: str = "healthy", **options: Unpack[Options]) -> Simulation:
    defaults: Options = {"seed": 1, "start": START}
    return Simulation(SCENARIOS[scenario], **(defaults | options))


@dataclass
class SimulatedDatabase:
    """A scenario's file, and the simulation that continues to write it."""

    simulation: Simulation
    connection: sqlite3.Connection

    def advance(self, until: int) -> None:
        for transaction in self.simulation.advance(until):
            for statement in transaction.statements:
                self.connection.execute(*statement)

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        return self.connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, *parameters: object) -> Any:
        return self.rows(sql, *parameters)[0][0]


class MakeDatabase(Protocol):
    def __call__(self, scenario: str, **options: Unpack[Options]) -> SimulatedDatabase: ...


def read(path: Path, sql: str) -> list[Row]:
    """One query over a connection of its own."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
        return connection.execute(sql).fetchall()


@dataclass
class RecordingSchedule(Schedule):
    """Its events record when they happen."""

    happened: list[int | tuple[str, int]] = field(default_factory=list)

    def add_pausable(self, *moments: int) -> None:
        for at in moments:
            self.add(at, self._record)

    def add_unpausable(self, at: int) -> None:
        self.add(at, self._record_always, during_pause=True)

    def run(self, until: int) -> list[int | tuple[str, int]]:
        """What happens from here on, up to `until`."""
        self.happened = []
        while due := self.next_until(until):
            moment, event = due
            event(moment)
        return self.happened

    def _record(self, moment: int) -> list[Statement]:
        self.happened.append(moment)
        return []

    def _record_always(self, moment: int) -> list[Statement]:
        self.happened.append(("always", moment))
        return []
