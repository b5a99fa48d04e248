"""The ledger: what the optimizer has seen, decided, done and measured.

An SQLite file of its own (`ledgerfile`). Every change of state is one transaction, and is on the disk before anybody
is asked for anything because of it.
"""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import aiosqlite

from exporter.optimizer.alerts.triage import Admission, Standing
from exporter.optimizer.evaluation import Judgement
from exporter.optimizer.ledger import alerts as ledgeralerts
from exporter.optimizer.ledger import file as ledgerfile
from exporter.optimizer.ledger import rows as ledgerrows
from exporter.optimizer.ledger.entries import ActionEntry, Entry, Tally, TrackRecord
from exporter.optimizer.ledger.file import LedgerError
from exporter.optimizer.model import (
    Action,
    Alert,
    Answer,
    Bottleneck,
    Measurement,
    Outcome,
    Severity,
    State,
    Strategy,
    Subject,
)

__all__ = ["ActionEntry", "Entry", "Ledger", "LedgerError", "Tally", "TrackRecord"]

LONGEST_TEXT = 300
"""Characters of what the bot says about an error."""

Finding = tuple[Measurement, Judgement | None]
"""What was measured after the actions, and the verdict where there were enough events for one."""
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
        """To read and write; made if there is none. One optimizer at a time."""
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
            (bottleneck,),
        )
        improvements = [row["improvement_ratio"] for row in rows if row["improvement_ratio"] is not None]
        succeeded = sum(row["verdict"] == "succeeded" for row in rows)
        return TrackRecord(len(rows), succeeded, statistics.median(improvements) if improvements else None)

    async def actions_since(self, moment: float) -> int:
        """How many actions were sent after `moment` or are planned, takings back not counted."""
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
        """Those that were dealt with less than `cooldown` ago, with the worst severity of then.

        In mode act what was only observed was not dealt with.
        """
        async with self._transaction("DEFERRED"):
            return await ledgeralerts.cooling(self._database, now, cooldown, mode)

    async def standing(self, alerts: Sequence[Alert], now: float, cooldown: float, mode: str) -> Standing:
        """What matters to `alerts`. In mode act what was only observed counts as if it had never been seen."""
        async with self._transaction("DEFERRED"):
            return await ledgeralerts.standing(self._database, alerts, now, cooldown, mode)

    # Writing

    async def admit(self, admission: Admission, now: float) -> None:
        """Writes down what became of a webhook's alerts."""
        async with self._transaction():
            await ledgeralerts.admit(self._database, admission, now)

    async def note(self, optimization_id: int, reason: str) -> None:
        """Says why an open optimization stands as it does."""
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
            await self._measured(optimization_id, "before", before)
            for action in actions:
                arguments = {"adaptations": action.adaptations, "direction": action.direction}
                await self._planned(optimization_id, action.name, action.agent, arguments, None, bot_start)

    async def send(self, action_id: str, bot_start: float, now: float) -> None:
        """Before an action is sent, but for the times that it is asked again for its answer."""
        async with self._transaction():
            await self._execute(
                "UPDATE actions SET status = 'sent', sent_at = ?, bot_start = ? WHERE id = ?",
                (now, bot_start, action_id),
            )

    async def turned_away(self, action_id: str) -> None:
        """What was sent now was certainly not carried out, nor sent before."""
        async with self._transaction():
            await self._execute("UPDATE actions SET status = 'planned' WHERE id = ?", (action_id,))

    async def answer(self, action_id: str, answer: Answer, now: float) -> None:
        """What the bot answered in the end."""
        async with self._transaction():
            await self._execute(
                "UPDATE actions SET status = ?, changes = ?, error = ?, answered_at = ? WHERE id = ?",
                (
                    answer.status,
                    json.dumps([asdict(change) for change in answer.changes]),
                    _one_line(answer.error),
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
        finding: Finding | None = None,
    ) -> None:
        """Any state -> restoring: puts back what `targets` changed, in their order. `aim` is the outcome if it can."""
        async with self._transaction():
            await self._give_up(optimization_id)
            await self._execute(
                "UPDATE optimizations SET state = 'restoring', state_since = ?, reason = ?, aim = ?, "
                "outcome = NULL, closed_at = NULL WHERE id = ?",
                (now, reason, aim, optimization_id),
            )
            await self._found(optimization_id, finding)
            for target in targets:
                name = "resume" if target.name == "pause" else "restore"
                # A pause outlives the bot's process, so that any process may be asked to resume.
                bot_start = None if name == "resume" else target.bot_start
                await self._planned(optimization_id, name, target.agent, {}, target.id, bot_start)

    async def close(
        self, optimization_id: int, outcome: Outcome, reason: str, now: float, finding: Finding | None = None
    ) -> None:
        """Any state -> closed. Requests that were not answered until now are given up."""
        async with self._transaction():
            await self._give_up(optimization_id)
            await self._execute(
                "UPDATE optimizations SET state = 'closed', state_since = ?, closed_at = ?, outcome = ?, reason = ?, "
                "aim = NULL WHERE id = ?",
                (now, now, outcome, reason, optimization_id),
            )
            await self._found(optimization_id, finding)
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

        Nor has a copy of this one that is put back later: the bridge would answer what it did under the same id.
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

    async def _found(self, optimization_id: int, finding: Finding | None) -> None:
        if finding is None:
            return
        after, judgement = finding
        await self._measured(optimization_id, "after", after)
        if judgement is not None:
            await self._execute(
                "UPDATE optimizations SET verdict = ?, improvement_ratio = ?, threshold = ?, threshold_met = ? "
                "WHERE id = ?",
                (
                    judgement.verdict,
                    judgement.improvement_ratio,
                    judgement.threshold,
                    judgement.threshold_met,
                    optimization_id,
                ),
            )

    async def _measured(self, optimization_id: int, phase: str, found: Measurement) -> None:
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
            with ledgerfile.told(self.path):
                try:
                    await self._execute(f"BEGIN {kind}")
                    yield
                    await self._database.commit()
                except BaseException:
                    # Also when it was cancelled, at its very beginning too. Without a transaction this does nothing.
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
