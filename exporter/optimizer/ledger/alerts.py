"""What the ledger knows of alerts: which occurrences were seen, and what a new one meets. All within a transaction."""

import json
from collections.abc import Iterable, Sequence

import aiosqlite

from exporter.optimizer import bottlenecks
from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.ledger.entries import AlertOccurrence, LedgerView, TriageResult
from exporter.optimizer.ledger.rows import severity_of
from exporter.optimizer.model import Alert, Subject, rank

OVER_COOLDOWN_SECONDS = 300.0
"""After one that was over before anything was done: a real alert needs as long to fire again."""
RENEWED_SECONDS = 86_400.0
"""Between two writes, at least, that an occurrence goes on."""
MAX_OCCURRENCES = 10_000
OCCURRENCES_KEPT_SECONDS = 30 * 86_400.0
"""So many occurrences of alerts are remembered, and for so long."""

OPEN = """
SELECT bottleneck, agent, severity, state FROM optimizations WHERE state <> 'closed'
ORDER BY state = 'waiting' -- of one that is being rolled back and another that waits, the one that waits counts
"""
COOLING = """
SELECT bottleneck, agent, severity FROM optimizations
WHERE closed_at > :since AND (outcome <> 'over' OR closed_at > :over_since)
  AND (outcome <> 'observed' OR :mode = 'observe')
"""
OCCURRENCES = """
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
    rows.sort(key=lambda row: rank(severity_of(row)))
    return _severities(rows)


async def view(
    database: aiosqlite.Connection, alerts: Sequence[Alert], now: float, cooldown: float, mode: str
) -> LedgerView:
    """As Ledger.view."""
    open_ones = list(await database.execute_fetchall(OPEN))
    parameters = {"fingerprints": json.dumps([alert.fingerprint for alert in alerts]), "mode": mode}
    occurrences = list(await database.execute_fetchall(OCCURRENCES, parameters))
    return LedgerView(
        open=_severities(open_ones),
        waiting=set(_severities(row for row in open_ones if row["state"] == "waiting")),
        open_count=len(open_ones),
        cooling=await cooling(database, now, cooldown, mode),
        occurrences={_occurrence(row): bool(row["resolved"]) for row in occurrences},
        to_renew={_occurrence(row) for row in occurrences if row["seen_at"] <= now - RENEWED_SECONDS},
    )


async def record(database: aiosqlite.Connection, triage: TriageResult, now: float) -> None:
    """As Ledger.record."""
    new, noted = triage.new.values(), triage.noted
    writes: list[tuple[str, list[tuple[object, ...]]]] = [
        (
            NEW,
            [
                (*_key(each.subject), each.severity, now, each.fingerprint, each.starts_at, now)
                for each in new
            ],
        ),
        (
            RAISED,
            [(severity, *_key(subject)) for subject, severity in triage.raised.items()],
        ),
        (
            NOTED,
            [
                (each.fingerprint, each.starts_at, not each.firing, now, each.firing, *_key(each.subject))
                for each in noted
            ],
        ),
        (RENEWED, [(now, *occurrence) for occurrence in triage.renewed]),
        (TOO_OLD, [(now - OCCURRENCES_KEPT_SECONDS,)]),
        (TOO_MANY, [(MAX_OCCURRENCES,)]),
    ]
    for statement, parameters in writes:
        cursor = await database.executemany(statement, parameters)
        await cursor.close()


def _severities(rows: Iterable[aiosqlite.Row]) -> dict[Subject, Severity]:
    """Of several rows of one subject the last one counts. No alert is about a bottleneck that this release lacks."""
    found = ((bottlenecks.find(row["bottleneck"]), row) for row in rows)
    return {Subject(bottleneck, row["agent"]): severity_of(row) for bottleneck, row in found if bottleneck}


def _occurrence(row: aiosqlite.Row) -> AlertOccurrence:
    return row["fingerprint"], row["starts_at"]


def _key(subject: Subject) -> tuple[str, str]:
    return subject.bottleneck.name, subject.agent
