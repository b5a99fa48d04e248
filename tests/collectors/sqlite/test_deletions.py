"""Rows that are deleted while the history is read for the first time."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import rows
from oracle.files import SEED, UPSTREAM, TableRows

from exporter.collectors.sqlite import collector as database
from exporter.collectors.sqlite import progress as progress_module
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config

from .bots import append, decisions, executions, write_bot
from .harness import NOW, PATIENCE, Followed, configured, differing_lines, fresh_page
from .test_pages import append_some, configs, cut_at_random, moderate, without_pauses, written

__all__ = ["without_pauses"]

MOST_STEPS = 2000
"""More than any of these files needs."""
Positions = dict[str, int]
"""Up to which row each table has been read."""


async def page_read_stepwise(
    path: Path, config: Config, between: Callable[[Positions], None]
) -> tuple[bytes, float | None]:
    """The page after a first catch-up, with something done after each of its steps; and the replacements."""
    source = DatabaseCollector(path, config, lambda: NOW)
    try:
        for _ in range(MOST_STEPS):
            if not source.readiness():
                break
            await source._guarded(source._step, time.monotonic() + PATIENCE)
            growing = source._database.growing
            between({name: progress.position or 0 for name, progress in growing.items()})
        assert not source.readiness()
        followed = Followed(source)
        return await followed.page(), followed.replacements
    finally:
        await source.close()


def cut_into_tens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "MAX_ROWS", 10)
    monkeypatch.setattr(progress_module, "FIRST_LIMIT", 10)


def differing_totals(page: bytes, other: bytes) -> list[str]:
    return [line for line in differing_lines(page, other) if "database_replacements_total" not in line]


def delete_some(path: Path, chance: random.Random, where: str, positions: Positions) -> None:
    """Each of the rows that `where` speaks of goes with some probability, which may be 1."""
    share = chance.choice([0, 0, 10, 50, 100])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("chance", 0, lambda: chance.randrange(100))
        for name, position in positions.items():
            connection.execute(
                f"DELETE FROM {name} WHERE {where} AND chance() < :share",
                {"position": position, "share": share},
            )


def test_rows_that_were_not_read_leave_no_trace() -> None:
    @given(rows.databases(), configs, st.integers(0), st.sampled_from([0.0, 1.0]))
    @settings(moderate, max_examples=30)
    def check(tables: dict[str, TableRows], config: Config, seed: int, survey_interval: float) -> None:
        chance = random.Random(seed)
        left = {name: table.rows[len(table.rows) // 2 :] for name, table in tables.items()}
        at_first = {
            name: replace(table, rows=table.rows[: len(table.rows) // 2]) for name, table in tables.items()
        }

        def change(path: Path, positions: Positions) -> None:
            """New rows may get the numbers of those that are gone, but the first one's: that is another file."""
            delete_some(path, chance, "rowid > max(:position, 1)", positions)
            if chance.random() < 0.3:
                append_some(path, left, chance)

        with written(at_first) as path, cut_at_random(seed), pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "SURVEY_INTERVAL", survey_interval)
            page, replacements = asyncio.run(page_read_stepwise(path, config, partial(change, path)))
            assert replacements == 0
            assert differing_totals(page, asyncio.run(fresh_page(path, config))) == []

    check()


def test_rows_that_were_read_stay_counted() -> None:
    @given(rows.databases(), configs, st.integers(0), st.sampled_from([0.0, 1.0]))
    @settings(moderate, max_examples=30)
    def check(tables: dict[str, TableRows], config: Config, seed: int, survey_interval: float) -> None:
        chance = random.Random(seed)
        for row in tables["agent_decisions"].rows if "agent_decisions" in tables else ():
            row.pop("context", None)  # a price is looked for in the newest decisions that are there
        with written(tables) as path, cut_at_random(seed), pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "SURVEY_INTERVAL", survey_interval)
            whole = asyncio.run(fresh_page(path, config))
            # Not the last row that was read: without it, row numbers that can be used again tell of another file.
            delete = partial(delete_some, path, chance, "rowid < :position")
            page, replacements = asyncio.run(page_read_stepwise(path, config, delete))
            assert replacements == 0
            assert differing_totals(page, whole) == []

    check()


@pytest.mark.parametrize("table", ["agent_executions", "agent_decisions"])
async def test_the_newest_rows_are_deleted_after_the_windows_were_seeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    path, config = tmp_path / "bot.db", configured(window=5)
    monkeypatch.setattr(progress_module, "HEAD_ROWS", 10)
    cut_into_tens(monkeypatch)
    found = {"agent_executions": executions(100), "agent_decisions": decisions(100)}[table]
    in_order = [row | {"timestamp": f"2025-10-10 15:00:00.{place:03d}"} for place, row in enumerate(found)]
    write_bot(path, UPSTREAM, **{table: in_order})
    deleted: list[int] = []

    def delete_newest(positions: Positions) -> None:
        if positions[table] and not deleted:
            deleted.append(positions[table])
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"DELETE FROM {table} WHERE rowid > 70")

    page, replacements = await page_read_stepwise(path, config, delete_newest)
    assert deleted == [10]
    assert replacements == 0
    assert differing_totals(page, await fresh_page(path, config)) == []


async def test_a_row_number_that_is_used_again_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a table without AUTOINCREMENT, after the file was looked at and before its end was read."""
    path = tmp_path / "bot.db"
    cut_into_tens(monkeypatch)
    write_bot(path, SEED, trades=[], agent_executions=[], agent_decisions=decisions(20))
    renewed: list[bool] = []

    def renew(positions: Positions) -> None:
        if positions["agent_decisions"] == 10 and not renewed:
            renewed.append(True)
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("DELETE FROM agent_decisions WHERE rowid > 10")
        elif renewed == [True]:
            renewed.append(False)
            append(path, "agent_decisions", [row | {"id": f"new_{row['id']}"} for row in decisions(30)])

    page, replacements = await page_read_stepwise(path, configured(), renew)
    assert renewed == [True, False]
    assert replacements == 0
    assert b'tweetbot_decisions_total{agent="a",decision_type="t"} 40.0' in page
