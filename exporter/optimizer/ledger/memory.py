"""What the ledger knows of what was done before, to whom, and whether it did harm. All within a transaction."""

import statistics
from collections.abc import Sequence

import aiosqlite

from exporter.optimizer.ledger.entries import Suspension, TrackRecord
from exporter.optimizer.ledger.rows import action_of, severity_of
from exporter.optimizer.model import Action, PastStep

PAST = """
SELECT a.agent, a.name, a.arguments, o.severity, o.outcome, o.verdict, o.improvement_ratio, o.closed_at, o.id
FROM actions a JOIN optimizations o ON o.id = a.optimization_id
WHERE a.restores IS NULL AND a.sent_at IS NOT NULL AND (o.closed_at IS NULL OR o.closed_at > ?)
"""
HARMS = "SELECT count(*) FROM optimizations WHERE verdict = 'harmful' AND state_since > ?"
SUSPENSION = "SELECT suspended_at, reason FROM suspensions WHERE resumed_at IS NULL"
RESUMED = "SELECT coalesce(max(resumed_at), 0) FROM suspensions"
SUSPEND = "INSERT OR IGNORE INTO suspensions (suspended_at, reason) VALUES (?, ?)"
RESUME = "UPDATE suspensions SET resumed_at = ? WHERE resumed_at IS NULL"


async def past_steps(database: aiosqlite.Connection, since: float) -> list[PastStep]:
    """Those whose optimization is open, or ended after `since`."""
    rows = await database.execute_fetchall(PAST, (since,))
    return [
        PastStep(
            row["agent"],
            step,
            severity_of(row),
            row["outcome"],
            row["verdict"],
            row["improvement_ratio"],
            row["closed_at"],
            row["id"],
        )
        for row in rows
        for step in action_of(row).steps
    ]


def track_record(past: Sequence[PastStep], actions: Sequence[Action]) -> TrackRecord:
    """How `actions` have done so far on the same agents: each optimization counts once."""
    steps = {(action.agent, step) for action in actions for step in action.steps}
    measured = {
        each.optimization_id: each
        for each in past
        if each.verdict is not None and (each.agent, each.step) in steps
    }
    improvements = [
        each.improvement_ratio for each in measured.values() if each.improvement_ratio is not None
    ]
    verdicts = [each.verdict for each in measured.values()]
    return TrackRecord(
        measured=len(measured),
        succeeded=verdicts.count("succeeded"),
        median_improvement_ratio=statistics.median(improvements) if improvements else None,
        harmed=verdicts.count("harmful"),
    )


async def suspension(database: aiosqlite.Connection) -> Suspension | None:
    """The one that is in force."""
    rows = list(await database.execute_fetchall(SUSPENSION))
    return Suspension(*rows[0]) if rows else None


async def harms_since(database: aiosqlite.Connection, moment: float) -> int:
    """How many optimizations did harm after `moment`, and after the last time that somebody resumed."""
    ((resumed,),) = await database.execute_fetchall(RESUMED)
    ((harms,),) = await database.execute_fetchall(HARMS, (max(moment, resumed),))
    return int(harms)
