"""What the ledger knows of alerts: which episodes were seen, and what a new one meets. All within a transaction."""

import json
from collections.abc import Sequence

import aiosqlite

from exporter.optimizer.alerts.triage import (
    OVER_COOLDOWN_SECONDS,
    RENEWED_SECONDS,
    Admission,
    Episode,
    Standing,
)
from exporter.optimizer.model import Alert, Severity, Subject
from exporter.optimizer.strategies import rank

MAX_EPISODES = 10_000
EPISODES_KEPT_SECONDS = 30 * 86_400.0
"""So many, and so long, the episodes of alerts are remembered."""

OPEN = """
SELECT bottleneck, agent, severity, state FROM optimizations WHERE state <> 'closed'
ORDER BY state = 'waiting' -- of one that is being taken back and another that waits, the one that waits tells
"""
COOLING = """
SELECT bottleneck, agent, severity FROM optimizations
WHERE closed_at > :since AND (outcome <> 'over' OR closed_at > :over_since)
  AND (outcome <> 'observed' OR :mode = 'observe')
"""
EPISODES = """
SELECT alerts.fingerprint, starts_at, resolved, seen_at
FROM alerts LEFT JOIN optimizations ON optimizations.id = optimization_id
WHERE alerts.fingerprint IN (SELECT value FROM json_each(:fingerprints))
  AND (
    resolved OR outcome IS NULL
    OR (outcome <> 'over' AND (outcome <> 'observed' OR :mode = 'observe'))
  )
"""
NEW = """
INSERT INTO optimizations
  (bottleneck, agent, severity, state, state_since, reason, fingerprint, alert_starts_at, created_at)
VALUES (?, ?, ?, 'waiting', ?, 'not looked at yet', ?, ?, ?)
"""
RAISED = "UPDATE optimizations SET severity = ? WHERE bottleneck = ? AND agent = ? AND state = 'waiting'"
NOTED = """
INSERT INTO alerts (fingerprint, starts_at, resolved, seen_at, optimization_id)
VALUES (?, ?, ?, ?, (
  SELECT max(id) FROM optimizations WHERE ? AND bottleneck = ? AND agent = ? AND state <> 'closed'
))
ON CONFLICT DO UPDATE SET
  resolved = excluded.resolved, seen_at = excluded.seen_at,
  optimization_id = coalesce(excluded.optimization_id, optimization_id)
"""
RENEWED = "UPDATE alerts SET seen_at = ? WHERE fingerprint = ? AND starts_at = ?"
TOO_OLD = "DELETE FROM alerts WHERE seen_at < ?"
TOO_MANY = (
    "DELETE FROM alerts WHERE rowid IN "
    "(SELECT rowid FROM alerts ORDER BY seen_at DESC, rowid DESC LIMIT -1 OFFSET ?)"
)


async def cooling(
    database: aiosqlite.Connection, now: float, cooldown: float, mode: str
) -> dict[Subject, Severity]:
    """As Ledger.cooling."""
    over_since = now - min(cooldown, OVER_COOLDOWN_SECONDS)
    parameters = {"since": now - cooldown, "over_since": over_since, "mode": mode}
    rows = list(await database.execute_fetchall(COOLING, parameters))
    rows.sort(key=lambda row: rank(row["severity"]))
    return {_subject(row): row["severity"] for row in rows}


async def standing(
    database: aiosqlite.Connection, alerts: Sequence[Alert], now: float, cooldown: float, mode: str
) -> Standing:
    """As Ledger.standing."""
    open_ones = list(await database.execute_fetchall(OPEN))
    parameters = {"fingerprints": json.dumps([alert.fingerprint for alert in alerts]), "mode": mode}
    episodes = list(await database.execute_fetchall(EPISODES, parameters))
    return Standing(
        open={_subject(row): row["severity"] for row in open_ones},
        waiting={_subject(row) for row in open_ones if row["state"] == "waiting"},
        open_count=len(open_ones),
        cooling=await cooling(database, now, cooldown, mode),
        episodes={_episode(row): bool(row["resolved"]) for row in episodes},
        to_renew={_episode(row) for row in episodes if row["seen_at"] <= now - RENEWED_SECONDS},
    )


async def admit(database: aiosqlite.Connection, admission: Admission, now: float) -> None:
    """As Ledger.admit."""
    new, noted = admission.new.values(), admission.noted
    writes: list[tuple[str, list[tuple[object, ...]]]] = [
        (NEW, [(*_key(each), each.severity, now, each.fingerprint, each.starts_at, now) for each in new]),
        (
            RAISED,
            [(severity, subject.bottleneck, subject.agent) for subject, severity in admission.raised.items()],
        ),
        (
            NOTED,
            [
                (each.fingerprint, each.starts_at, not each.firing, now, each.firing, *_key(each))
                for each in noted
            ],
        ),
        (RENEWED, [(now, *episode) for episode in admission.renewed]),
        (TOO_OLD, [(now - EPISODES_KEPT_SECONDS,)]),
        (TOO_MANY, [(MAX_EPISODES,)]),
    ]
    for statement, parameters in writes:
        cursor = await database.executemany(statement, parameters)
        await cursor.close()


def _subject(row: aiosqlite.Row) -> Subject:
    return Subject(row["bottleneck"], row["agent"])


def _episode(row: aiosqlite.Row) -> Episode:
    return row["fingerprint"], row["starts_at"]


def _key(alert: Alert) -> tuple[str, str]:
    return alert.subject.bottleneck, alert.subject.agent
