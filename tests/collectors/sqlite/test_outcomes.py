"""Outcomes that become known after their decision was read."""

import asyncio
import math
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.files import UPSTREAM, Patch, TableRows, append_rows, apply_patches, write_database
from oracle.rows import random_patches

from exporter.collectors.sqlite import collector
from exporter.collectors.sqlite import session as reader
from exporter.collectors.sqlite.tables import outcomes as outcomes_module

from .harness import Followed, following
from .test_pages import moderate, written

DECISIONS = 12

FollowedFile = tuple[Path, Followed]
Patched = list[tuple[list[Patch], bool]]
"""What other programs write in turn, and whether everything is looked at after it."""


@pytest.fixture(autouse=True)
def nothing_is_looked_at_again_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the exporter has looked at again by itself depends on how long a test takes."""
    monkeypatch.setattr(collector, "REVISIT_INTERVAL", math.inf)


def decision(number: int, outcome: str | None = "{}", agent: str = "A") -> dict[str, Any]:
    return {
        "id": f"dec_{number}",
        "timestamp": f"2025-10-10T15:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        "agent": agent,
        "type": "T",
        "reasoning": '{"confidence": 0.75}',
        "outcome": outcome,
    }


def decisions(rows: list[dict[str, Any]]) -> dict[str, TableRows]:
    return {"agent_decisions": TableRows(UPSTREAM["agent_decisions"], rows)}


def stored_successes(path: Path) -> dict[int, bool | None]:
    """outcome.success by rowid."""
    known = {"true": True, "false": False}
    statement = (
        "SELECT rowid, iif(json_valid(outcome), json_type(outcome, '$.success'), NULL) FROM agent_decisions"
    )
    with closing(sqlite3.connect(path)) as connection:
        return {row_id: known.get(kind) for row_id, kind in connection.execute(statement)}


class Model:
    """What the contract says of outcomes that are looked at now and then."""

    def __init__(self) -> None:
        self.first: dict[int, bool] = {}
        self.last: dict[int, bool | None] = {}
        self.revisions = 0

    def look(self, successes: dict[int, bool | None]) -> None:
        for row_id, success in successes.items():
            if row_id in self.first and success is not self.last[row_id]:
                self.revisions += 1
            elif success is not None:
                self.first.setdefault(row_id, success)
            self.last[row_id] = success

    def readiness(self, successes: dict[int, bool | None]) -> dict[int, bool | None]:
        return {row_id: success for row_id, success in successes.items() if row_id not in self.first}

    def counts(self) -> dict[str, int]:
        known = Counter(self.first.values())
        return {
            "succeeded": known[True],
            "failed": known[False],
            "pending": DECISIONS - known.total(),
            "revisions": self.revisions,
        }


async def counts(followed: Followed) -> dict[str, float | None]:
    return {
        "succeeded": await followed.value("decisions_succeeded_total", agent="a", decision_type="T"),
        "failed": await followed.value("decisions_failed_total", agent="a", decision_type="T"),
        "pending": await followed.value("decisions_pending", agent="a"),
        "revisions": await followed.value("decision_outcome_revisions_total", agent="a"),
    }


async def revisit(followed: Followed, share: float = 1.0) -> None:
    """What the exporter does in the course of an hour."""
    await followed.source._database.revisit(share)


def test_followed_patches_count_as_the_contract_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SHORTEST_PAUSE", 0)
    steps = st.lists(st.tuples(random_patches(DECISIONS), st.booleans()), min_size=1, max_size=4)
    beginnings = st.sampled_from(["{}", '{"success":true}', '{"success":false}', None, "broken", "[1]"])

    @given(st.lists(beginnings, min_size=DECISIONS, max_size=DECISIONS), steps)
    @settings(moderate, max_examples=30)
    def check(outcomes: list[str | None], patched: Patched) -> None:
        rows = [decision(number, outcome) for number, outcome in enumerate(outcomes)]
        with written(decisions(rows)) as path:
            asyncio.run(follow(path, patched))

    async def follow(path: Path, patched: Patched) -> None:
        model = Model()
        async with following(path) as followed:
            await followed.caught_up()
            model.look(stored_successes(path))
            for patches, also_revisited in patched:
                apply_patches(str(path), patches)
                await followed.collect()
                model.look(model.readiness(stored_successes(path)))
                if also_revisited:
                    await revisit(followed)
                    model.look(stored_successes(path))
                assert await counts(followed) == model.counts()

    check()


@pytest.fixture
async def followed_decisions(tmp_path: Path) -> AsyncIterator[FollowedFile]:
    """(path, followed) of a file with DECISIONS pending decisions."""
    path = tmp_path / "bot.db"
    write_database(str(path), decisions([decision(number) for number in range(DECISIONS)]))
    async with following(path) as followed:
        await followed.caught_up()
        yield path, followed


async def test_the_next_scrape_sees_an_outcome(followed_decisions: FollowedFile) -> None:
    path, followed = followed_decisions
    apply_patches(
        str(path), [Patch(3, '{"success":true,"actualResult":-0.5}'), Patch(4, '{"success":false}')]
    )
    assert await counts(followed) == {"succeeded": 1, "failed": 1, "pending": 10, "revisions": 0}
    assert await followed.value("recent_actual_result", agent="a") == -0.5
    assert await followed.value("decision_results_total", agent="a") == 1
    assert await followed.value("decision_brier_score", agent="a") == (0.25**2 + 0.75**2) / 2
    band = {"agent": "a", "confidence_band": "0.7"}
    assert await followed.value("decision_resolved_total", **band) == 2
    assert await followed.value("decision_resolved_succeeded_total", **band) == 1


@pytest.mark.parametrize("second", ['{"success":false}', '{"success":null}', '"settled"'])
async def test_a_later_change_is_a_revision_and_nothing_else(
    followed_decisions: FollowedFile, second: str
) -> None:
    path, followed = followed_decisions
    apply_patches(str(path), [Patch(3, '{"success":true}')])
    await followed.collect()
    apply_patches(str(path), [Patch(3, second)])
    assert await counts(followed) == {"succeeded": 1, "failed": 0, "pending": 11, "revisions": 0}
    await revisit(followed)
    assert await counts(followed) == {"succeeded": 1, "failed": 0, "pending": 11, "revisions": 1}
    await revisit(followed)
    assert (await counts(followed))["revisions"] == 1


async def test_an_outcome_that_is_unusable_for_long_is_counted_once(followed_decisions: FollowedFile) -> None:
    path, followed = followed_decisions
    apply_patches(str(path), [Patch(3, '{"success":"yes"}')])
    for _ in range(2):
        await followed.collect()
        await revisit(followed)
        column = {"table": "agent_decisions", "column": "outcome"}
        assert await followed.value("database_malformed_values_total", **column) == 1


async def test_older_pending_decisions_are_seen_in_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes_module, "NEWEST_PENDING", 5)
    path = tmp_path / "bot.db"
    write_database(str(path), decisions([decision(number) for number in range(3000)]))
    async with following(path) as followed:
        await followed.caught_up()
        apply_patches(str(path), [Patch(1, '{"success":true}'), Patch(2995, '{"success":true}')])
        assert (await counts(followed))["succeeded"] == 0
        apply_patches(str(path), [Patch(2996, '{"success":true}')])
        assert (await counts(followed))["succeeded"] == 1
        seen = []
        for _ in range(3):
            await revisit(followed, 1 / 3)
            seen.append((await counts(followed))["succeeded"])
        assert seen == [2, 2, 3]


async def test_pending_decisions_that_were_deleted_are_not_pending(followed_decisions: FollowedFile) -> None:
    path, followed = followed_decisions
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM agent_decisions WHERE rowid <= 4")
    await followed.collect()
    await revisit(followed)
    assert await counts(followed) == {"succeeded": 0, "failed": 0, "pending": 8, "revisions": 0}
    assert await followed.value("decisions_total", agent="a", decision_type="T") == DECISIONS


async def test_the_newest_pending_are_the_newest_of_all(
    followed_decisions: FollowedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes_module, "NEWEST_PENDING", 2)
    path, followed = followed_decisions
    with closing(sqlite3.connect(path)) as connection, connection:
        append_rows(connection, "agent_decisions", [decision(100)])
    await followed.collect()
    apply_patches(str(path), [Patch(number, '{"success":true}') for number in (11, 12, 13)])
    assert (await counts(followed))["succeeded"] == 2
