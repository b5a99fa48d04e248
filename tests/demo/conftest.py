"""Files of the simulated bot."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

import pytest

from demo.simulated import MINUTE, MakeDatabase, Options, SimulatedDatabase, simulate
from exporter.demo.market import INSERT_MARKET
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.transaction import Transaction
from exporter.demo.writer import write_history


@pytest.fixture(scope="session")
def make_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeDatabase]:
    opened: list[sqlite3.Connection] = []

    def make(scenario: str, **options: Unpack[Options]) -> SimulatedDatabase:
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
def history(make_database: MakeDatabase) -> SimulatedDatabase:
    """The healthy bot's history alone."""
    return make_database("healthy")


@pytest.fixture(scope="session", params=sorted(SCENARIOS))
def two_hours(request: pytest.FixtureRequest, make_database: MakeDatabase) -> SimulatedDatabase:
    """Each scenario after two hours of live running."""
    database = make_database(request.param)
    database.advance(120 * MINUTE)
    return database


@pytest.fixture
def demo_file(tmp_path: Path) -> Path:
    """A small file of the demo."""
    return write_history(tmp_path, simulate(history_days=0.5).advance(0))


@pytest.fixture(scope="session")
def a_transaction() -> Transaction:
    """A new row of market_data: it can follow any history."""
    every = simulate(history_days=0.5).advance(MINUTE)
    return next(each for each in every if each.at > 0 and each.statements[0].sql == INSERT_MARKET)
