"""The ledger's rows as objects of `entries` and `model`. Names are validated here: the schema does not know them."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import aiosqlite

from exporter.optimizer import bottlenecks
from exporter.optimizer.bottlenecks.base import Bottleneck, Severity
from exporter.optimizer.ledger.entries import (
    ActionEntry,
    ActionStatus,
    Entry,
    RequestName,
    Tally,
    TrackRecord,
)
from exporter.optimizer.ledger.errors import UnknownValueError
from exporter.optimizer.model import (
    SEVERITIES,
    Action,
    ActionName,
    Change,
    Measurement,
    Outcome,
    State,
    Strategy,
    Subject,
)

T = TypeVar("T")

_STATES: Mapping[str, State] = {name: name for name in get_args(State)}
_OUTCOMES: Mapping[str, Outcome] = {name: name for name in get_args(Outcome)}
_STATUSES: Mapping[str, ActionStatus] = {name: name for name in get_args(ActionStatus)}
_REQUESTS: Mapping[str, RequestName] = {name: name for name in get_args(RequestName)}
_ACTIONS: Mapping[str, ActionName] = {name: name for name in get_args(ActionName)}

ENTRIES = """
SELECT o.*,
  b.started_at AS before_start, b.ended_at AS before_end, b.value AS before_value, b.samples AS before_samples,
  b.note AS before_note, b.events AS before_events,
  a.started_at AS after_start, a.ended_at AS after_end, a.value AS after_value, a.samples AS after_samples,
  a.note AS after_note, a.events AS after_events,
  coalesce((SELECT min(resolved) FROM alerts WHERE optimization_id = o.id), 0) AS alert_resolved
FROM optimizations o
LEFT JOIN performance_history b ON b.optimization_id = o.id AND b.phase = 'before'
LEFT JOIN performance_history a ON a.optimization_id = o.id AND a.phase = 'after'
"""
ACTIONS = """
SELECT actions.*, EXISTS (
  SELECT 1 FROM actions rollback WHERE rollback.restores = actions.id AND rollback.status = 'done'
) AS restored
FROM actions WHERE optimization_id IN (SELECT value FROM json_each(?)) ORDER BY optimization_id, number
"""
CLOSED = """
SELECT bottleneck, endings.outcome, count(*) FROM endings JOIN optimizations ON id = optimization_id GROUP BY 1, 2
"""
OPEN = "SELECT bottleneck, state, count(*) FROM optimizations WHERE state <> 'closed' GROUP BY 1, 2"
IMPROVEMENTS = """
SELECT bottleneck, improvement_ratio FROM optimizations WHERE improvement_ratio IS NOT NULL ORDER BY id
"""
SENT = """
SELECT agent, name, count(*), sum(status IN ('failed', 'refused', 'unanswered', 'dropped')), max(sent_at)
FROM actions WHERE sent_at IS NOT NULL GROUP BY 1, 2
"""


def severity_of(row: aiosqlite.Row) -> Severity:
    """Of an optimization's row. UnknownValueError for one that is none of ours."""
    return _known(SEVERITIES, "the severity", row["severity"])


async def entries(
    database: aiosqlite.Connection, which: str, parameters: Mapping[str, object]
) -> list[Entry]:
    """Those that `which` (the end of a statement, of constant text) selects."""
    rows = list(await database.execute_fetchall(ENTRIES + which, parameters))
    actions: dict[int, list[ActionEntry]] = {row["id"]: [] for row in rows}
    for row in await database.execute_fetchall(ACTIONS, (json.dumps(list(actions)),)):
        actions[row["optimization_id"]].append(_action(row))
    return [_entry(row, tuple(actions[row["id"]])) for row in rows]


async def tally(database: aiosqlite.Connection) -> Tally:
    """The counts, of one moment if asked within a transaction."""
    improvements: dict[str, list[float]] = {}
    for bottleneck, improvement in await database.execute_fetchall(IMPROVEMENTS):
        improvements.setdefault(bottleneck, []).append(improvement)
    sent = list(await database.execute_fetchall(SENT))
    return Tally(
        closed={(kind, outcome): count for kind, outcome, count in await database.execute_fetchall(CLOSED)},
        open={(kind, state): count for kind, state, count in await database.execute_fetchall(OPEN)},
        improvements=improvements,
        actions={(agent, name): count for agent, name, count, _, _ in sent},
        failed_actions={(agent, name): failed for agent, name, _, failed, _ in sent},
        last_action_at={(agent, name): moment for agent, name, _, _, moment in sent},
    )


def _entry(row: aiosqlite.Row, actions: tuple[ActionEntry, ...]) -> Entry:
    met = row["threshold_met"]
    return Entry(
        id=row["id"],
        subject=Subject(_bottleneck(row["bottleneck"]), row["agent"]),
        state=_known(_STATES, "the state", row["state"]),
        outcome=_outcome(row["outcome"]),
        reason=row["reason"],
        severity=severity_of(row),
        fingerprint=row["fingerprint"],
        alert_starts_at=row["alert_starts_at"],
        strategy=_strategy(row["strategy"]),
        track_record=TrackRecord(**json.loads(row["track_record"])) if row["track_record"] else None,
        created_at=row["created_at"],
        state_since=row["state_since"],
        acted_at=row["acted_at"],
        closed_at=row["closed_at"],
        before=_measurement(row, "before"),
        after=_measurement(row, "after"),
        improvement_ratio=row["improvement_ratio"],
        threshold=row["threshold"],
        threshold_met=None if met is None else bool(met),
        aim=_outcome(row["aim"]),
        alert_resolved=bool(row["alert_resolved"]),
        actions=actions,
    )


def _measurement(row: aiosqlite.Row, phase: str) -> Measurement | None:
    if row[f"{phase}_start"] is None:
        return None
    parts = ("start", "end", "value", "samples", "note", "events")
    return Measurement(*(row[f"{phase}_{part}"] for part in parts))


def _strategy(text: str | None) -> Strategy | None:
    if text is None:
        return None
    data = json.loads(text)
    actions = tuple(_called(each["name"], each["agent"], each) for each in data["actions"])
    return Strategy(**{**data, "actions": actions, "success_metrics": tuple(data["success_metrics"])})


def _action(row: aiosqlite.Row) -> ActionEntry:
    restore = row["name"] == "restore"
    return ActionEntry(
        id=row["id"],
        name=_known(_REQUESTS, "the action", row["name"]),
        agent=row["agent"],
        action=None if restore else _called(row["name"], row["agent"], json.loads(row["arguments"])),
        restores=row["restores"],
        bot_start=row["bot_start"],
        status=_known(_STATUSES, "the status", row["status"]),
        changes=tuple(Change(**change) for change in json.loads(row["changes"])),
        error=row["error"],
        sent_at=row["sent_at"],
        answered_at=row["answered_at"],
        restored=bool(row["restored"]),
    )


def _called(name: str, agent: str, arguments: Mapping[str, Any]) -> Action:
    known = _known(_ACTIONS, "the action", name)
    return Action(known, agent, tuple(arguments.get("adaptations", ())), arguments.get("direction"))


def _bottleneck(name: str) -> Bottleneck:
    found = bottlenecks.find(name)
    if found is None:
        raise UnknownValueError(f"the bottleneck {name!a}")
    return found


def _outcome(name: str | None) -> Outcome | None:
    return None if name is None else _known(_OUTCOMES, "the outcome", name)


def _known(values: Mapping[str, T], what: str, name: str) -> T:
    if name not in values:
        raise UnknownValueError(f"{what} {name!a}")
    return values[name]
