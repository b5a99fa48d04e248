"""Upgrades of a ledger that an earlier release wrote: from each version of the schema to the next.

Each upgrade is one transaction, written durably: interrupted at any moment, it leaves the ledger as it was. So no copy
of the file is made first; whoever may want to return to the earlier release makes one.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from exporter.optimizer.ledger.errors import DAMAGED, LedgerError
from exporter.optimizer.ledger.schema import CONTROL, OCCURRENCES, OPTIMIZATIONS, PERFORMANCE_HISTORY, VERSION

PATIENCE = 5.0
"""Seconds that a statement waits for whoever has the file locked."""

_MOVE_AWAY = """
DROP INDEX one_open_for_a_subject;
DROP INDEX open_optimizations;
DROP INDEX optimizations_by_end;
DROP INDEX optimizations_judged;
DROP INDEX actions_by_time;
DROP INDEX alerts_by_age;
DROP INDEX alerts_of_an_optimization;
ALTER TABLE optimizations RENAME TO old_optimizations;
ALTER TABLE actions RENAME TO old_actions;
ALTER TABLE performance_history RENAME TO old_performance_history;
ALTER TABLE endings RENAME TO old_endings;
ALTER TABLE alerts RENAME TO old_alerts;
"""
_COPY = """
INSERT INTO optimizations SELECT * FROM old_optimizations;
INSERT INTO actions SELECT * FROM old_actions;
INSERT INTO performance_history SELECT * FROM old_performance_history;
INSERT INTO endings SELECT * FROM old_endings;
INSERT INTO alerts SELECT * FROM old_alerts;
UPDATE optimizations SET outcome = 'rolled_back' WHERE outcome = 'taken_back';
UPDATE optimizations SET outcome = 'rollback_failed' WHERE outcome = 'not_taken_back';
UPDATE optimizations SET aim = 'rolled_back' WHERE aim = 'taken_back';
UPDATE endings SET outcome = 'rolled_back' WHERE outcome = 'taken_back';
UPDATE endings SET outcome = 'rollback_failed' WHERE outcome = 'not_taken_back';
DROP TABLE old_alerts;
DROP TABLE old_endings;
DROP TABLE old_performance_history;
DROP TABLE old_actions;
DROP TABLE old_optimizations;
"""

_PERFORMANCE_HISTORY_2 = """
CREATE TABLE performance_history (
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  phase TEXT NOT NULL CHECK (phase IN ('before', 'after')),
  started_at REAL NOT NULL,
  ended_at REAL NOT NULL,
  value REAL,
  samples INTEGER NOT NULL,
  note TEXT NOT NULL,
  events TEXT NOT NULL,
  PRIMARY KEY (optimization_id, phase)
) STRICT;
"""
_MOVE_MEASUREMENTS_AWAY = "ALTER TABLE performance_history RENAME TO old_performance_history;"
_COPY_MEASUREMENTS = """
INSERT INTO performance_history (
  optimization_id, phase, measure, started_at, ended_at, value, samples, note, events
)
SELECT optimization_id, phase, CASE bottleneck
    WHEN 'agent_response_time' THEN 'response_time'
    WHEN 'agent_success_rate' THEN 'success_rate'
    WHEN 'coordination_efficiency' THEN 'coordination'
    WHEN 'system_performance' THEN 'overall_score'
    ELSE bottleneck
  END, started_at, ended_at, value, samples, note, events
FROM old_performance_history JOIN optimizations ON id = optimization_id;
DROP TABLE old_performance_history;
"""

MIGRATIONS: Mapping[int, str] = {
    # Names have no CHECK any more; the outcomes of rollbacks are renamed. The columns stay, in their order.
    1: _MOVE_AWAY + OPTIMIZATIONS + OCCURRENCES + _PERFORMANCE_HISTORY_2 + _COPY,
    # Several measures of an optimization, with their errors; who owns the bot; suspensions.
    2: _MOVE_MEASUREMENTS_AWAY + PERFORMANCE_HISTORY + _COPY_MEASUREMENTS + CONTROL,
}
"""By the version that they start from: statements of SQL that lead to the next one."""


def upgrade(path: Path) -> None:
    """Brings the ledger to this release's version, if it is older. LedgerError if it is newer, or damaged."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)) as database:
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found == VERSION:
            return
        if found not in MIGRATIONS:
            raise LedgerError(wrong_version(path, found))
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise LedgerError(f"{path} {DAMAGED}")
        database.execute("PRAGMA synchronous = FULL")
        for version in range(found, VERSION):
            database.executescript(script(version))


def script(version: int) -> str:
    """The upgrade from `version` as one transaction."""
    return f"BEGIN EXCLUSIVE; {MIGRATIONS[version]} PRAGMA user_version = {version + 1}; COMMIT;"


def wrong_version(path: Path, found: int) -> str:
    """Why a ledger of version `found` cannot be used as it is."""
    if found in MIGRATIONS:
        return f"{path} is of an earlier release: start the optimizer, which upgrades it"
    return (
        f"{path} has version {found}, this release knows version {VERSION}: "
        "use the release that wrote it, or another ledger"
    )
