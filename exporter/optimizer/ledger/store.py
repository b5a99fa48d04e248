"""The ledger: what the optimizer has seen, decided, done and measured.

An SQLite file of its own (`file`). Every change of state is one transaction, and is on the disk before the bot is asked
for anything because of it.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.evaluation import Effect
from exporter.optimizer.ledger import alerts as ledgeralerts
from exporter.optimizer.ledger import file as ledgerfile
from exporter.optimizer.ledger import memory, writes
from exporter.optimizer.ledger import rows as ledgerrows
from exporter.optimizer.ledger.database import Database
from exporter.optimizer.ledger.entries import (
    ActionEntry,
    Entry,
    LedgerView,
    Suspension,
    Tally,
    TrackRecord,
    TriageResult,
)
from exporter.optimizer.model import (
    Action,
    ActionResult,
    Alert,
    Measurement,
    Outcome,
    PastStep,
    State,
    Strategy,
    Subject,
)

NEWEST = """
SELECT max(
  coalesce((SELECT max(state_since) FROM optimizations), 0),
  coalesce((SELECT max(max(coalesce(sent_at, 0), coalesce(answered_at, 0))) FROM actions), 0)
)
"""


class Ledger:
    """An open ledger. Every method may raise LedgerError; moments are Unix times."""

    def __init__(self, database: Database) -> None:
        self.path = database.path
        self._database = database
        self._execute = database.execute
        self._transaction = database.transaction

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> "AsyncIterator[Ledger]":
        """To read and write; created if there is none. One optimizer at a time."""
        async with ledgerfile.writable(path) as database:
            yield cls(database)

    @classmethod
    @asynccontextmanager
    async def read(cls, path: Path) -> "AsyncIterator[Ledger]":
        """To read only, also beside a running optimizer."""
        async with ledgerfile.readable(path) as database:
            yield cls(database)

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
        async with self._transaction("DEFERRED") as database:
            return await ledgerrows.tally(database)

    async def identity(self) -> str:
        """What the bridge knows this ledger by."""
        return str((await self._database.rows("SELECT id FROM identity"))[0][0])

    async def newest_moment(self) -> float:
        """Of anything that was written; 0 if nothing was."""
        return float((await self._database.rows(NEWEST))[0][0])

    async def past_steps(self, since: float = 0.0) -> list[PastStep]:
        """Those that were sent, of optimizations that are open or ended after `since`."""
        async with self._transaction("DEFERRED") as database:
            return await memory.past_steps(database, since)

    async def suspension(self) -> Suspension | None:
        """Whether nothing is to be done, and why."""
        async with self._transaction("DEFERRED") as database:
            return await memory.suspension(database)

    async def actions_since(self, moment: float) -> int:
        """How many actions were sent after `moment` or are planned, rollbacks not counted."""
        rows = await self._database.rows(
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
        async with self._transaction("DEFERRED") as database:
            return await ledgeralerts.cooling(database, now, cooldown, mode)

    async def view(self, alerts: Sequence[Alert], now: float, cooldown: float, mode: str) -> LedgerView:
        """What matters to `alerts`. In mode act what was only observed counts as if it had never been seen."""
        async with self._transaction("DEFERRED") as database:
            return await ledgeralerts.view(database, alerts, now, cooldown, mode)

    async def harms_since(self, moment: float) -> int:
        """How many optimizations did harm since then, and since somebody last resumed."""
        async with self._transaction("DEFERRED") as database:
            return await memory.harms_since(database, moment)

    # Writing

    async def record(self, triage: TriageResult, now: float) -> None:
        """What became of a webhook's alerts."""
        async with self._transaction() as database:
            await ledgeralerts.record(database, triage, now)

    async def suspend(self, reason: str, now: float) -> None:
        """From now on nothing is done, until `resume`; nothing if it is so already."""
        async with self._transaction():
            await self._execute(memory.SUSPEND, (now, writes.one_line(reason)))

    async def resume(self, now: float) -> None:
        """Ends a suspension; the harms before it do not count any more."""
        async with self._transaction():
            await self._execute(memory.RESUME, (now,))

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
        before: Mapping[str, Measurement],
        bot_start: float,
        now: float,
    ) -> None:
        """waiting -> acting: with what was measured, and every action that is going to be sent."""
        async with self._transaction():
            await self._execute(
                "UPDATE optimizations SET state = 'acting', state_since = ?, reason = ? WHERE id = ?",
                (now, "its actions are being sent to the bot", optimization_id),
            )
            await writes.record_measurements(self._database, optimization_id, "before", before, {})
            for action in actions:
                arguments = {"adaptations": action.adaptations, "direction": action.direction}
                await writes.planned(
                    self._database, optimization_id, action.name, action.agent, arguments, None, bot_start
                )

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
                    writes.one_line(result.error),
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
            await writes.give_up(self._database, optimization_id)
            await self._execute(
                "UPDATE optimizations SET state = 'restoring', state_since = ?, reason = ?, aim = ?, "
                "outcome = NULL, closed_at = NULL WHERE id = ?",
                (now, reason, aim, optimization_id),
            )
            await writes.record_effect(self._database, optimization_id, effect)
            for target in targets:
                name = "resume" if target.name == "pause" else "restore"
                # A pause outlives the bot's process, so that any process may be asked to resume.
                bot_start = None if name == "resume" else target.bot_start
                await writes.planned(
                    self._database, optimization_id, name, target.agent, {}, target.id, bot_start
                )

    async def close(
        self, optimization_id: int, outcome: Outcome, reason: str, now: float, effect: Effect | None = None
    ) -> None:
        """Any state -> closed. Requests that were not answered until now are given up."""
        async with self._transaction():
            await writes.give_up(self._database, optimization_id)
            await self._execute(
                "UPDATE optimizations SET state = 'closed', state_since = ?, closed_at = ?, outcome = ?, reason = ?, "
                "aim = NULL WHERE id = ?",
                (now, now, outcome, reason, optimization_id),
            )
            await writes.record_effect(self._database, optimization_id, effect)
            await self._execute("INSERT INTO endings VALUES (?, ?, ?)", (optimization_id, outcome, now))

    async def _entries(self, which: str, parameters: Mapping[str, object]) -> list[Entry]:
        async with self._transaction("DEFERRED") as database:
            return await ledgerrows.entries(database, which, parameters)
