"""A ledger of an earlier release: every row survives the upgrade, and an interrupted one changes nothing."""

import asyncio
import hashlib
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.ledger import migrations
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.schema import APPLICATION_ID, SCHEMA, VERSION
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import Subject

SCHEMAS = {3: "ba0990c902457c2a"}
"""The beginning of the SHA-256 of each version's SCHEMA. A released one never changes: a change is a new version, which
needs a migration, and its line here."""
OLD = {number: (Path(__file__).parent / "schemas" / f"{number}.sql").read_text() for number in (1, 2)}

Rows = Mapping[str, list[tuple[Any, ...]]]

OUTCOMES = {"succeeded": "succeeded", "taken_back": "rolled_back", "not_taken_back": "rollback_failed"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return ledger_of(tmp_path, 1)


def ledger_of(directory: Path, old: int) -> Path:
    """A ledger of an old version with closed optimizations, one for each outcome, and one that is being restored."""
    path = directory / "optimizer.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(OLD[old])
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {old}")
        for number, outcome in enumerate([*OUTCOMES, None], 1):
            named = outcome if old == 1 else OUTCOMES.get(outcome or "")
            optimization(database, number, named, "taken_back" if old == 1 else "rolled_back")
        database.commit()
    return path


def optimization(database: sqlite3.Connection, number: int, outcome: str | None, aim: str) -> None:
    values = {
        "id": number, "bottleneck": "agent_response_time", "agent": f"agent-{number}", "severity": "high",
        "state": "closed" if outcome else "restoring", "state_since": 1000.5, "outcome": outcome, "reason": "why\n'x'",
        "fingerprint": "ab", "alert_starts_at": 900.0, "created_at": 950.0, "acted_at": 960.0,
        "closed_at": 1000.5 if outcome else None, "verdict": "harmful", "improvement_ratio": -0.25, "threshold": 2.0,
        "threshold_met": 0, "aim": None if outcome else aim,
    }  # fmt: skip
    insert(database, "optimizations", values)
    action = {
        "id": f"{number}-1-a", "optimization_id": number, "number": 1, "name": "execute_adaptation",
        "agent": f"agent-{number}", "arguments": '{"adaptations": ["GOAL_ADAPTATION"], "direction": null}',
        "restores": None, "bot_start": 1.5, "status": "done", "sent_at": 960.0, "answered_at": 961.0,
        "changes": '[{"agent": "A", "path": "p", "before": 1, "after": 2}]',
    }  # fmt: skip
    insert(database, "actions", action)
    restore = {
        "id": f"{number}-2-b",
        "number": 2,
        "name": "restore",
        "restores": f"{number}-1-a",
        "arguments": "{}",
    }
    insert(database, "actions", {**action, **restore, "changes": "[]"})
    for phase in ("before", "after"):
        row = {"optimization_id": number, "phase": phase, "started_at": 1.0, "ended_at": 2.0, "value": 2.5,
               "samples": 60, "note": "", "events": "executions"}  # fmt: skip
        insert(database, "performance_history", row)
    if outcome:
        insert(database, "endings", {"optimization_id": number, "outcome": outcome, "ended_at": 1000.5})
    alert = {
        "fingerprint": f"{number}",
        "starts_at": 900.0,
        "optimization_id": number,
        "resolved": 1,
        "seen_at": 1.0,
    }
    insert(database, "alerts", alert)


def insert(database: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(values)
    database.execute(
        f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", [*values.values()]
    )


def rows(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: list(database.execute(f"SELECT * FROM {table} ORDER BY 1")) for table in tables}


def structure(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        return [(name, re.sub(r"\s+", " ", sql.replace('"', ""))) for name, sql in found]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def upgraded(before: Rows) -> Rows:
    """What is to become of the rows: outcomes have other names, and measurements say of what they are."""
    found = {
        table: [tuple(OUTCOMES.get(value, value) for value in row) for row in rows]
        for table, rows in before.items()
    }
    measured = [
        (number, phase, "response_time", start, end, value, None, samples, note, events, None)
        for number, phase, start, end, value, samples, note, events in before["performance_history"]
    ]
    return {**found, "performance_history": measured}


def old_rows(path: Path) -> Rows:
    """Of the tables that the old versions had."""
    return {table: found for table, found in rows(path).items() if table not in ("identity", "suspensions")}


def test_a_change_of_the_schema_is_a_new_version_with_a_migration() -> None:
    digest = hashlib.sha256(SCHEMA.encode()).hexdigest()
    assert digest.startswith(SCHEMAS[VERSION]), f"not the schema of version {VERSION}: {digest}"
    assert sorted(migrations.MIGRATIONS) == list(range(1, VERSION))


def test_the_schema_knows_no_words_that_will_grow() -> None:
    assert not re.findall(
        r"CHECK \((?:bottleneck|severity|outcome|state|status|verdict|aim|name) IN \([^)]*\)\)", SCHEMA
    )


@pytest.mark.parametrize("old", [1, 2])
async def test_every_row_survives_and_outcomes_have_their_new_names(old: int, tmp_path: Path) -> None:
    path = ledger_of(tmp_path, old)
    before = rows(path)
    assert all(before.values()), "a table without a row proves nothing"
    async with Ledger.open(path) as ledger:
        entries = await ledger.optimizations()
        tally = await ledger.tally()
    assert old_rows(path) == upgraded(before)
    assert version(path) == VERSION
    assert [(each.outcome, each.aim) for each in reversed(entries)] == [
        ("succeeded", None), ("rolled_back", None), ("rollback_failed", None), (None, "rolled_back"),
    ]  # fmt: skip
    assert entries[0].actions[0].changes[0].after == 2
    assert [each and each.value for each in (entries[0].before, entries[0].after)] == [2.5, 2.5]
    assert entries[0].subject == Subject(AGENT_RESPONSE_TIME, "agent-4")
    assert tally.closed == {("agent_response_time", outcome): 1 for outcome in OUTCOMES.values()}


@pytest.mark.parametrize("old", [1, 2])
async def test_an_upgraded_ledger_is_like_a_new_one(old: int, tmp_path: Path) -> None:
    path = ledger_of(tmp_path, old)
    fresh = tmp_path / "fresh.db"
    for each in (path, fresh):
        async with Ledger.open(each):
            pass
    assert structure(path) == structure(fresh)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_one_that_fails_half_way_leaves_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, tables = rows(path), structure(path)
    broken = migrations.MIGRATIONS[1] + "INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", {**migrations.MIGRATIONS, 1: broken})
        with pytest.raises(LedgerError, match="nowhere"):
            async with Ledger.open(path):
                pass
    assert (version(path), rows(path), structure(path)) == (1, before, tables)
    async with Ledger.open(path):
        pass
    assert old_rows(path) == upgraded(before)


@pytest.mark.parametrize("statement", ["DROP TABLE old_alerts;", "INSERT INTO endings", "COMMIT;"])
async def test_one_that_is_killed_half_way_leaves_the_old_one(path: Path, statement: str) -> None:
    before = rows(path)
    begun, _, _ = migrations.script(1).partition(statement)
    program = (
        "import os, signal, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.executescript(sys.argv[2])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, str(path), begun], check=False, timeout=60
    )
    assert run.returncode == -signal.SIGKILL
    assert (version(path), rows(path)) == (1, before)
    async with Ledger.open(path):
        pass
    assert old_rows(path) == upgraded(before)


async def test_whoever_only_reads_does_not_upgrade(path: Path) -> None:
    with pytest.raises(LedgerError, match="is of an earlier release: start the optimizer, which upgrades it"):
        async with Ledger.read(path):
            pass
    assert version(path) == 1


@pytest.mark.parametrize(
    ("column", "word", "named"),
    [
        ("bottleneck", "boredom", "the bottleneck 'boredom'"),
        ("outcome", "eaten", "the outcome 'eaten'"),
        ("severity", "mild", "the severity 'mild'"),
    ],
)
async def test_a_name_of_a_newer_release_is_one_clear_message(
    path: Path, column: str, word: str, named: str
) -> None:
    async with Ledger.open(path):
        pass
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE optimizations SET {column} = ? WHERE id = 1", (word,))
        database.commit()
    async with Ledger.open(path) as ledger:
        with pytest.raises(
            LedgerError, match=f"holds {named}, which this release does not know: use the release"
        ):
            await ledger.optimizations()
