"""Pieces of the ledger's transactions: what several changes of state write."""

import json
from collections.abc import Mapping

from exporter.optimizer.evaluation import Effect
from exporter.optimizer.ledger.database import Database
from exporter.optimizer.model import Measurement

LONGEST_TEXT = 300
"""Characters of what the bot says about an error."""


async def give_up(database: Database, optimization_id: int) -> None:
    """Requests that were not answered until now."""
    await database.execute(
        "UPDATE actions SET status = CASE status WHEN 'planned' THEN 'dropped' ELSE 'unanswered' END "
        "WHERE optimization_id = ? AND status IN ('planned', 'sent')",
        (optimization_id,),
    )


async def planned(
    database: Database,
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
    await database.execute(
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


async def record_effect(database: Database, optimization_id: int, effect: Effect | None) -> None:
    """What was measured after the actions, and what it says."""
    if effect is None:
        return
    evaluation = effect.evaluation
    verdicts = evaluation.guardrails if evaluation else {}
    await record_measurements(database, optimization_id, "after", effect.after, verdicts)
    if evaluation is not None:
        await database.execute(
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


async def record_measurements(
    database: Database,
    optimization_id: int,
    phase: str,
    found: Mapping[str, Measurement],
    verdicts: Mapping[str, str],
) -> None:
    """By the name of the measure, with what became of each."""
    for measure, each in found.items():
        await database.execute(
            "INSERT INTO performance_history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(optimization_id, phase, measure, each.start, each.end, each.value, each.standard_error),
                *(each.samples, each.note, each.events, verdicts.get(measure)),
            ),
        )


def one_line(text: str) -> str:
    """As it can stand in a line of text and in the file."""
    line = "".join(char if char.isprintable() else " " for char in text[:LONGEST_TEXT])
    return " ".join(line.encode(errors="replace").decode().split())
