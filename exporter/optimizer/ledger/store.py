"""The ledger: what the optimizer has seen, decided, done and measured.

An SQLite file of its own (`file`). Every change of state is one transaction, and is on the disk before the bot is asked
for anything because of it.
"""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import aiosqlite

from exporter.optimizer.bottlenecks.base import Bottleneck, Severity
from exporter.optimizer.evaluation import Effect
from exporter.optimizer.ledger import alerts as ledgeralerts
from exporter.optimizer.ledger import file as ledgerfile
from exporter.optimizer.ledger import rows as ledgerrows
from exporter.optimizer.ledger.entries import ActionEntry, Entry, LedgerView, Tally, TrackRecord, TriageResult
from exporter.optimizer.ledger.errors import translated
from exporter.optimizer.model import (
    Action,
    ActionResult,
    Alert,
    Measurement,
    Outcome,
    State,
    Strategy,
    Subject,
)

LONGEST_TEXT = 300
"""Characters of what the bot says about an error."""

Parameters = Sequence[object] | Mapping[str, object]


class Ledger:
    """An open ledger. Every method may raise LedgerError; moments are Unix times."""

    def __init__(self, path: Path, database: aiosqlite.Connection) -> None:
        self.path = path
        self._database = database
        self._database.row_factory = aiosqlite.Row
        self._lock = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> "AsyncIterator[Ledger]":
        """To read and write; created if there is none. One optimizer at a time."""
        async with ledgerfile.writable(path) as database:
            yield cls(path, database)

    @classmethod
    @asynccontextmanager
    async def read(cls, path: Path) -> "AsyncIterator[Ledger]":
        """To read only, also beside a running optimizer."""
        async with ledgerfile.readable(path) as database:
            yield cls(path, database)

    # Reading

    async def optimizations(self, state: State | None = None, limit: int = 100) -> list[Entry]:
        """The newest `limit`, newest first."""
        return await self._entries(
            "WHERE :state IS NULL OR o.state = :state ORDER BY o.id DESC LIMIT :limit",
            {"state": state, "limit": limit},
        )

    async def optimization(self, optimization_id: int) -> Entry | None:
        """The one with this id."""
        found = await self._entries("WHERE o.id = :id", {"id": optimization_id})
        return found[0] if found else None

    async def open_optimizations(self) -> list[Entry]:
        """All that are not closed, oldest first."""
        return await self._entries("WHERE o.state <> 'closed' ORDER BY o.id", {})

    async def tally(self) -> Tally:
        """Counts for the metrics."""
        async with self._transaction("DEFERRED"):
            return await ledgerrows.tally(self._database)

    async def track_record(self, bottleneck: Bottleneck) -> TrackRecord:
        """How strategies of this type have done so far."""
        rows = await self._rows(
            "SELECT verdict, improvement_ratio FROM optimizations WHERE bottleneck = ? AND verdict IS NOT NULL",
            (bottleneck.name,),
        )
        improvements = [row["improvement_ratio"] for row in rows if row["improvement_ratio"] is not None]
        succeeded = sum(row["verdict"] == "succeeded" for row in rows)
        return TrackRecord(len(rows), succeeded, statistics.median(improvements) if improvements else None)

    async def actions_since(self, moment: float) -> int:
        """How many actions were sent after `moment` or are planned, rollbacks not counted."""
        rows = await self._rows(
            "SELECT count(*) FROM actions WHERE restores IS NULL AND (sent_at > ? OR status = 'planned')",
            (moment,),
        )
        return int(rows[0][0])

    async def last_change(self, agent: str) -> Entry | None:
        """The optimization that ended last of those that changed the agent, or may have; "" is any agent."""
        found = await self._entries(
            """
            WHERE o.closed_at IS NOT NULL AND (:agent = '' OR o.agent IN ('', :agent)) AND EXISTS (
              SELECT 1 FROM actions WHERE optimization_id = o.id AND (changes <> '[]' OR status = 'unanswered')
            ) ORDER BY o.closed_at DESC LIMIT 1
            """,
            {"agent": agent},
        )
        return found[0] if found else None

    async def cooling(self, now: float, cooldown: float, mode: str) -> Mapping[Subject, Severity]:
        """Those whose optimization ended less than `cooldown` seconds ago, with the worst severity of then.

        In mode act what was only observed does not count.
        """
        async with self._transaction("DEFERRED"):
            return await ledgeralerts.cooling(self._database, now, cooldown, mode)

    async def view(self, alerts: Sequence[Alert], now: float, cooldown: float, mode: str) -> LedgerView:
        """What matters to `alerts`. In mode act what was only observed counts as if it had never been seen."""
        async with self._transaction("DEFERRED"):
            return await ledgeralerts.view(self._database, alerts, now, cooldown, mode)

    # Writing

    async def record(self, triage: TriageResult, now: float) -> None:
        """What became of a webhook's alerts."""
        async with self._transaction():
            await ledgeralerts.record(self._database, triage, now)

    async def note(self, optimization_id: int, reason: str) -> None:
        """Says why an open optimization is as it is."""
        async with self._transaction():
            await self._execute("UPDATE optimizations SET reason = ? WHERE id = ?", (reason, optimization_id))

    async def plan(self, optimization_id: int, strategy: Strategy, track_record: TrackRecord) -> None:
        """Gives a waiting optimization its strategy, or a newer one."""
        async with self._transaction():
            await self._execute(
                "UPDATE optimizations SET strategy = ?, track_record = ?, severity = ? WHERE id = ?",
                (
                    json.dumps(asdict(strategy)),
                    json.dumps(asdict(track_record)),
                    strategy.priority,
                    optimization_id,
                ),
            )

    async def act(
        self,
        optimization_id: int,
        actions: Sequence[Action],
        before: Measurement,
        bot_start: float,
        now: float,
    ) -> None:
        """waiting -> acting: with what was measured, and every action that is going to be sent."""
        async with self._transaction():
            await self._execute(
                "UPDATE optimizations SET state = 'acting', state_since = ?, reason = ? WHERE id = ?",
                (now, "its actions are being sent to the bot", optimization_id),
            )
            await self._record_measurement(optimization_id, "before", before)
            for action in actions:
                arguments = {"adaptations": action.adaptations, "direction": action.direction}
                await self._planned(optimization_id, action.name, action.agent, arguments, None, bot_start)

    async def send(self, action_id: str, bot_start: float, now: float) -> None:
        """Before an action is sent for the first time."""
        async with self._transaction():
            await self._execute(
                "UPDATE actions SET status = 'sent', sent_at = ?, bot_start = ? WHERE id = ?",
                (now, bot_start, action_id),
            )

    async def unsend(self, action_id: str) -> None:
        """The first request was rejected: it was certainly not carried out."""
        async with self._transaction():
            await self._execute("UPDATE actions SET status = 'planned' WHERE id = ?", (action_id,))

    async def finish(self, action_id: str, result: ActionResult, now: float) -> None:
        """What became of an action."""
        async with self._transaction():
            await self._execute(
                "UPDATE actions SET status = ?, changes = ?, error = ?, answered_at = ? WHERE id = ?",
                (
                    result.status,
                    json.dumps([asdict(change) for change in result.changes]),
                    _one_line(result.error),
                    now,
                    action_id,
                ),
            )

    async def measure(self, optimization_id: int, reason: str, now: float) -> None:
        """acting -> measuring."""
        async with self._transaction():
            await self._execute(
                "UPDATE optimizations SET state = 'measuring', state_since = ?, reason = ?, acted_at = ? WHERE id = ?",
                (now, reason, now, optimization_id),
            )

    async def restore(
        self,
        optimization_id: int,
        aim: Outcome,
        reason: str,
        now: float,
        targets: Sequence[ActionEntry],
        effect: Effect | None = None,
    ) -> None:
        """Any state -> restoring: what `targets` changed, in their order. `aim` is the outcome if all goes well."""
        async with self._transaction():
            await self._give_up(optimization_id)
            await self._execute(
                "UPDATE optimizations SET state = 'restoring', state_since = ?, reason = ?, aim = ?, "
                "outcome = NULL, closed_at = NULL WHERE id = ?",
                (now, reason, aim, optimization_id),
            )
            await self._record_effect(optimization_id, effect)
            for target in targets:
                name = "resume" if target.name == "pause" else "restore"
                # A pause outlives the bot's process, so that any process may be asked to resume.
                bot_start = None if name == "resume" else target.bot_start
                await self._planned(optimization_id, name, target.agent, {}, target.id, bot_start)

    async def close(
        self, optimization_id: int, outcome: Outcome, reason: str, now: float, effect: Effect | None = None
    ) -> None:
        """Any state -> closed. Requests that were not answered until now are given up."""
        async with self._transaction():
            await self._give_up(optimization_id)
            await self._execute(
                "UPDATE optimizations SET state = 'closed', state_since = ?, closed_at = ?, outcome = ?, reason = ?, "
                "aim = NULL WHERE id = ?",
                (now, now, outcome, reason, optimization_id),
            )
            await self._record_effect(optimization_id, effect)
            await self._execute("INSERT INTO endings VALUES (?, ?, ?)", (optimization_id, outcome, now))

    # Pieces of a transaction

    async def _give_up(self, optimization_id: int) -> None:
        await self._execute(
            "UPDATE actions SET status = CASE status WHEN 'planned' THEN 'dropped' ELSE 'unanswered' END "
            "WHERE optimization_id = ? AND status IN ('planned', 'sent')",
            (optimization_id,),
        )

    async def _planned(
        self,
        optimization_id: int,
        name: str,
        agent: str,
        arguments: Mapping[str, object],
        restores: str | None,
        bot_start: float | None,
    ) -> None:
        """The action's id: the optimization's, its number there, and something that no other ledger has.

        Nor has a copy of this one that is restored later: the bridge would repeat its answer to the same id.
        """
        await self._execute(
            """
            INSERT INTO actions (id, optimization_id, number, name, agent, arguments, restores, bot_start, status)
            SELECT :id || '-' || number || '-' || lower(hex(randomblob(8))), :id, number, :name, :agent, :arguments,
              :restores, :bot_start, 'planned'
            FROM (SELECT count(*) + 1 AS number FROM actions WHERE optimization_id = :id)
            """,
            {
                "id": optimization_id,
                "name": name,
                "agent": agent,
                "arguments": json.dumps(arguments),
                "restores": restores,
                "bot_start": bot_start,
            },
        )

    async def _record_effect(self, optimization_id: int, effect: Effect | None) -> None:
        if effect is None:
            return
        await self._record_measurement(optimization_id, "after", effect.after)
        evaluation = effect.evaluation
        if evaluation is not None:
            await self._execute(
                "UPDATE optimizations SET verdict = ?, improvement_ratio = ?, threshold = ?, threshold_met = ? "
                "WHERE id = ?",
                (
                    evaluation.verdict,
                    evaluation.improvement_ratio,
                    evaluation.threshold,
                    evaluation.threshold_met,
                    optimization_id,
                ),
            )

    async def _record_measurement(self, optimization_id: int, phase: str, found: Measurement) -> None:
        await self._execute(
            "INSERT INTO performance_history VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                optimization_id,
                phase,
                found.start,
                found.end,
                found.value,
                found.samples,
                found.note,
                found.events,
            ),
        )

    # The database

    @asynccontextmanager
    async def _transaction(self, kind: str = "IMMEDIATE") -> AsyncIterator[None]:
        """All or nothing, and nobody else's statements in between."""
        async with self._lock:
            with translated(self.path):
                try:
                    await self._execute(f"BEGIN {kind}")
                    yield
                    await self._database.commit()
                except BaseException:
                    # Also when cancelled, even before BEGIN was carried out: without a transaction this does nothing.
                    await self._database.rollback()
                    raise

    async def _entries(self, which: str, parameters: Mapping[str, object]) -> list[Entry]:
        async with self._transaction("DEFERRED"):
            return await ledgerrows.entries(self._database, which, parameters)

    async def _rows(self, statement: str, parameters: Parameters) -> list[aiosqlite.Row]:
        async with self._transaction("DEFERRED"):
            return await self._all(statement, parameters)

    async def _all(self, statement: str, parameters: Parameters = ()) -> list[aiosqlite.Row]:
        return list(await self._database.execute_fetchall(statement, parameters))

    async def _execute(self, statement: str, parameters: Parameters = ()) -> None:
        await self._database.execute_fetchall(statement, parameters)


def _one_line(text: str) -> str:
    """As it can stand in a line of text and in the file."""
    line = "".join(char if char.isprintable() else " " for char in text[:LONGEST_TEXT])
    return " ".join(line.encode(errors="replace").decode().split())
