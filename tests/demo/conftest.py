"""Files of the simulated bot, made without waiting: the simulation is fast-forwarded."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.demo.market import INSERT_MARKET
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.simulation import Simulation
from exporter.demo.transaction import Transaction
from exporter.demo.writer import write_history

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
MINUTE = 60_000


@dataclass
class SimulatedDatabase:
    """A scenario's file, and the simulation that continues to write it."""

    simulation: Simulation
    connection: sqlite3.Connection

    def advance(self, until: int) -> None:
        for transaction in self.simulation.advance(until):
            for statement in transaction.statements:
                self.connection.execute(*statement)

    def rows(self, sql: str, *parameters: object) -> list[tuple]:
        return self.connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, *parameters: object) -> object:
        return self.rows(sql, *parameters)[0][0]


def simulate(
    scenario: str = "healthy", *, seed: int = 1, start: datetime = START, **options: float
) -> Simulation:
    return Simulation(SCENARIOS[scenario], seed=seed, start=start, **options)


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Simulation]:
    return simulate


@pytest.fixture(scope="session")
def make_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., SimulatedDatabase]]:
    opened: list[sqlite3.Connection] = []

    def make(scenario: str, **options: float) -> SimulatedDatabase:
        simulation = simulate(scenario, **options)
        path = write_history(tmp_path_factory.mktemp(scenario), simulation.advance(0))
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        opened.append(connection)
        return SimulatedDatabase(simulation, connection)

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def history(make_database: Callable[..., SimulatedDatabase]) -> SimulatedDatabase:
    """The healthy bot's history alone."""
    return make_database("healthy")


@pytest.fixture(scope="session", params=sorted(SCENARIOS))
def two_hours(
    request: pytest.FixtureRequest, make_database: Callable[..., SimulatedDatabase]
) -> SimulatedDatabase:
    """Each scenario after two hours of live running."""
    database = make_database(request.param)
    database.advance(120 * MINUTE)
    return database


@pytest.fixture
def demo_file(tmp_path: Path) -> Path:
    """A small file of the demo."""
    return write_history(tmp_path, short_history())


def short_history() -> list[Transaction]:
    return list(simulate(history_days=0.5).advance(0))


@pytest.fixture(scope="session")
def a_transaction() -> Transaction:
    """A new row of market_data: it can follow any history."""
    every = simulate(history_days=0.5).advance(MINUTE)
    return next(each for each in every if each.at > 0 and each.statements[0].sql == INSERT_MARKET)


@pytest.fixture
def reader() -> Callable[[Path, str], list[tuple]]:
    """One query over a connection of its own."""

    def read(path: Path, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(sql).fetchall()

    return read
