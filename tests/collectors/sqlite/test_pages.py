"""Properties: a page is what the oracle says, and does not show in which order and ranges the file was read."""

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import rows
from oracle.files import UPSTREAM, TableRows, write_database
from oracle.page import difference

from exporter.collectors.sqlite import progress as progress_module
from exporter.collectors.sqlite import ranges as ranges_module
from exporter.collectors.sqlite import session
from exporter.collectors.sqlite.ranges import RowReader
from exporter.collectors.sqlite.session import Query, Row, Session, TooLongError
from exporter.config import Config

from .harness import configured, differing_lines, expected_of, following, fresh_page, fresh_samples

moderate = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
configs = st.builds(
    configured,
    window=st.sampled_from([1, 2, 3, 50]),
    agents=st.sampled_from([1, 2, 4, 100]),
    label_pairs=st.sampled_from([1, 3, 500]),
    aliases=st.sampled_from([{}, {"Market Hunter": "hunter", "über-agent": "market-hunter"}]),
)


@pytest.fixture(scope="module", autouse=True)
def without_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "SHORTEST_PAUSE", 0)
        yield


@contextmanager
def written(tables: dict[str, TableRows]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bot.db"
        rows.write_database(str(path), tables)
        yield path


READS_OF_A_TRY = 8


@contextmanager
def cut_at_random(seed: int) -> Iterator[None]:
    """Ranges of any size, windows that were seeded or not, and reads that are cut off for no reason."""
    chance = random.Random(seed)
    read, stops = Session.read, 0
    read_range, read_before = RowReader.range, RowReader.before

    def stopping(self: Session, query: Query) -> Row:
        nonlocal stops
        if 0 <= stops < 3 and chance.random() < 0.2:
            stops += 1
            raise TooLongError
        # After some that were cut off, as many get through as one try may need.
        stops = -READS_OF_A_TRY if stops > 0 else min(0, stops + 1)
        return read(self, query)

    async def short_range(
        self: RowReader, columns: Sequence[str], first: int, last: int, _: int
    ) -> list[ranges_module.Row]:
        return await read_range(self, columns, first, last, chance.randint(1, 5))

    async def short_before(
        self: RowReader, columns: Sequence[str], last: int, _: int
    ) -> list[ranges_module.Row]:
        return await read_before(self, columns, last, chance.randint(1, 5))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RowReader, "range", short_range)
        patch.setattr(RowReader, "before", short_before)
        patch.setattr(progress_module, "HEAD_ROWS", chance.randint(0, 6))
        patch.setattr(Session, "read", stopping)
        patch.setattr(ranges_module, "RETRY_PAUSE", 0)
        yield


def test_page_is_what_the_oracle_says() -> None:
    @given(rows.databases(), configs)
    @settings(moderate, max_examples=60)
    def check(tables: dict[str, TableRows], config: Config) -> None:
        with written(tables) as path:
            samples = asyncio.run(fresh_samples(path, config))
            assert difference(samples, expected_of(path, config)) == []

    check()


def test_ranges_cannot_be_seen() -> None:
    @given(rows.databases(), configs, st.integers(0))
    @settings(moderate, max_examples=30)
    def check(tables: dict[str, TableRows], config: Config, seed: int) -> None:
        with written(tables) as path:
            at_once = asyncio.run(fresh_page(path, config))
            with cut_at_random(seed):
                in_ranges = asyncio.run(fresh_page(path, config))
            assert differing_lines(in_ranges, at_once) == []

    check()


def test_growth_cannot_be_seen() -> None:
    @given(rows.databases(), configs, st.integers(0))
    @settings(moderate, max_examples=30)
    def check(tables: dict[str, TableRows], config: Config, seed: int) -> None:
        chance = random.Random(seed)
        left = {name: list(table.rows) for name, table in tables.items()}
        with written({name: replace(table, rows=[]) for name, table in tables.items()}) as path:

            async def grown() -> bytes:
                async with following(path, config) as followed:
                    await followed.caught_up()
                    while any(left.values()):
                        append_some(path, left, chance)
                        await followed.collect()
                    return await followed.page()

            with cut_at_random(seed):
                page = asyncio.run(grown())
            assert differing_lines(page, asyncio.run(fresh_page(path, config))) == []

    check()


def append_some(path: Path, left: dict[str, list[dict[str, Any]]], chance: random.Random) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in chance.sample(list(left), len(left)):
            some = chance.randint(0, 4)
            rows.append_rows(connection, name, left[name][:some])
            del left[name][:some]


SECOND = "2025-10-10 15:30:00"
LATER = "2025-10-10 15:30:01"


@pytest.mark.parametrize(
    ("name", "found", "settings"),
    [
        pytest.param("market_data", [{"timestamp": SECOND, "price_usd": -(2**63)}], {}, id="lowest integer"),
        pytest.param("market_data", [{"timestamp": "2025-02-30 00:00:00"}], {}, id="30 February"),
        pytest.param("market_data", [{"timestamp": "2025-10-29 24:00:00"}], {}, id="24 o'clock"),
        pytest.param(
            "agent_decisions",
            [{"timestamp": SECOND, "agent": "A", "outcome": '{"actualResult":2e15}'}],
            {},
            id="large result",
        ),
        pytest.param(
            "agent_decisions",
            [{"timestamp": SECOND, "agent": "A", "outcome": " null ", "reasoning": "null"}],
            {},
            id="JSON null",
        ),
        pytest.param(
            "system_commands",
            [{"status": "odd"}, {"status": "failed"}, {"status": "pending"}],
            {"agents": 1},
            id="usual statuses take no place",
        ),
    ],
)
async def test_page_of_few_rows_is_what_the_oracle_says(
    tmp_path: Path, name: str, found: list[dict[str, Any]], settings: dict[str, int]
) -> None:
    path, config = tmp_path / "bot.db", configured(**settings)
    write_database(str(path), {name: TableRows(UPSTREAM[name], found)})
    assert difference(await fresh_samples(path, config), expected_of(path, config)) == []


async def test_a_fall_of_whole_dollars(tmp_path: Path) -> None:
    """A column that is not declared as REAL holds them as integers."""
    path, columns = tmp_path / "bot.db", {"timestamp": "DATETIME", "total_value_usd": "DECIMAL(12,2)"}
    values = [{"timestamp": SECOND, "total_value_usd": value} for value in (10000, 9500)]
    write_database(str(path), {"portfolio_history": TableRows(columns, values)})
    assert (await fresh_samples(path))["tweetbot_portfolio_max_drawdown_ratio", ()] == 0.05


@pytest.mark.parametrize("table", UPSTREAM)
async def test_a_missing_column_costs_its_own_families_only(tmp_path: Path, table: str) -> None:
    first_row = {column: SECOND for column in UPSTREAM[table] if "KEY" not in UPSTREAM[table][column]}
    for column in first_row:
        path = tmp_path / f"{column}.db"
        columns = {name: kind for name, kind in UPSTREAM[table].items() if name != column}
        row = {name: value for name, value in first_row.items() if name != column}
        write_database(str(path), {table: TableRows(columns, [row])})
        assert difference(await fresh_samples(path), expected_of(path, configured())) == [], column


async def test_a_new_agent_has_its_window_though_the_others_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, config = tmp_path / "bot.db", configured(window=1)
    found = [
        {"agent_name": "other", "timestamp": LATER, "success": 1},
        {"agent_name": "other", "timestamp": SECOND, "success": 1},
        {"agent_name": "new", "timestamp": SECOND, "success": 1},
    ]
    write_database(str(path), {"agent_executions": TableRows(UPSTREAM["agent_executions"], found)})
    monkeypatch.setattr(progress_module, "MAX_ROWS", 1)
    monkeypatch.setattr(progress_module, "FIRST_LIMIT", 1)
    assert difference(await fresh_samples(path, config), expected_of(path, config)) == []
