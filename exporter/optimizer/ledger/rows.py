"""The ledger's rows as objects of `entries` and `model`. Names are validated here: the schema does not know them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, get_args

import aiosqlite
from pydantic import TypeAdapter

from exporter.optimizer import bottlenecks
from exporter.optimizer.bottlenecks.base import Adaptation, AutonomyStep, Bottleneck, Severity
from exporter.optimizer.evaluation import Guarded
from exporter.optimizer.ledger.entries import (
    ActionEntry,
    ActionStatus,
    Entry,
    RequestName,
    Tally,
    TrackRecord,
)
from exporter.optimizer.ledger.errors import DamagedValueError, UnknownValueError
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

LATEST = 1e11
"""Seconds: no moment and no duration is beyond it; with the calendar's end some functions fail."""


@dataclass(frozen=True, slots=True)
class _Arguments:
    adaptations: tuple[Adaptation, ...] = ()
    direction: AutonomyStep | None = None


_STRATEGY = TypeAdapter(Strategy)
_TRACK_RECORD = TypeAdapter(TrackRecord)
_CHANGES = TypeAdapter(tuple[Change, ...])
_ARGUMENTS = TypeAdapter(_Arguments)

_STATES: Mapping[str, State] = {name: name for name in get_args(State)}
_OUTCOMES: Mapping[str, Outcome] = {name: name for name in get_args(Outcome)}
_STATUSES: Mapping[str, ActionStatus] = {name: name for name in get_args(ActionStatus)}
_REQUESTS: Mapping[str, RequestName] = {name: name for name in get_args(RequestName)}
_ACTIONS: Mapping[str, ActionName] = {name: name for name in get_args(ActionName)}
_GUARDED: Mapping[str, Guarded] = {name: name for name in get_args(Guarded)}

SHOWN = 20
"""How many optimizations have series of their own."""

ENTRIES = """
SELECT o.*, coalesce((SELECT min(resolved) FROM alerts WHERE optimization_id = o.id), 0) AS alert_resolved
FROM optimizations o
"""
MEASUREMENTS = "SELECT * FROM performance_history WHERE optimization_id IN (SELECT value FROM json_each(?))"
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
CHANGES = """
SELECT a.agent, a.name, a.arguments, coalesce(o.outcome, o.state) AS became, max(a.answered_at) AS moment
FROM actions a JOIN optimizations o ON o.id = a.optimization_id
WHERE a.restores IS NULL AND a.changes <> '[]' AND a.answered_at IS NOT NULL
GROUP BY 1, 2, 3, 4
"""
SUSPENDED = "SELECT count(*) FROM suspensions WHERE resumed_at IS NULL"
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
    ids = json.dumps([row["id"] for row in rows])
    actions: dict[int, list[ActionEntry]] = {row["id"]: [] for row in rows}
    measured: dict[int, list[aiosqlite.Row]] = {row["id"]: [] for row in rows}
    for row in await database.execute_fetchall(ACTIONS, (ids,)):
        with _of(f"action {row['id']!a}"):
            actions[row["optimization_id"]].append(_action(row))
    for row in await database.execute_fetchall(MEASUREMENTS, (ids,)):
        measured[row["optimization_id"]].append(row)
    return [_entry(row, tuple(actions[row["id"]]), measured[row["id"]]) for row in rows]


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
        changes=await _changes(database),
        newest=await entries(database, "ORDER BY o.id DESC LIMIT :limit", {"limit": SHOWN}),
        suspended=bool(next(iter(await database.execute_fetchall(SUSPENDED)))[0]),
    )


async def _changes(database: aiosqlite.Connection) -> Mapping[tuple[str, str, str], float]:
    newest: dict[tuple[str, str, str], float] = {}
    for row in await database.execute_fetchall(CHANGES):
        with _of("an action"):
            for step in action_of(row).steps:
                labels = row["agent"], step, row["became"]
                newest[labels] = max(row["moment"], newest.get(labels, 0.0))
    return newest


def _entry(row: aiosqlite.Row, actions: tuple[ActionEntry, ...], measured: Iterable[aiosqlite.Row]) -> Entry:
    with _of(f"optimization {row['id']}"):
        met = row["threshold_met"]
        found = {
            phase: [each for each in measured if each["phase"] == phase] for phase in ("before", "after")
        }
        return Entry(
            id=row["id"],
            subject=Subject(_bottleneck(row["bottleneck"]), row["agent"]),
            state=_known(_STATES, "the state", row["state"]),
            outcome=_outcome(row["outcome"]),
            reason=row["reason"],
            severity=severity_of(row),
            fingerprint=row["fingerprint"],
            alert_starts_at=_moment(row["alert_starts_at"]),
            strategy=_strategy(row["strategy"]),
            track_record=_track_record(row["track_record"]),
            created_at=_moment(row["created_at"]),
            state_since=_moment(row["state_since"]),
            acted_at=_moment_or_none(row["acted_at"]),
            closed_at=_moment_or_none(row["closed_at"]),
            measured_before={each["measure"]: _measurement(each) for each in found["before"]},
            measured_after={each["measure"]: _measurement(each) for each in found["after"]},
            guardrails={
                each["measure"]: _known(_GUARDED, "the verdict", each["verdict"])
                for each in found["after"]
                if each["verdict"] is not None
            },
            improvement_ratio=row["improvement_ratio"],
            threshold=row["threshold"],
            threshold_met=None if met is None else bool(met),
            aim=_outcome(row["aim"]),
            alert_resolved=bool(row["alert_resolved"]),
            actions=actions,
        )


@contextmanager
def _of(what: str) -> Iterator[None]:
    """What cannot be read of a row is damaged."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedValueError(f"{what}: {type(error).__name__}") from error


def _read(adapter: TypeAdapter[T], text: str) -> T:
    # pydantic's own parser refuses half a surrogate pair, which the bot's values may hold.
    return adapter.validate_python(json.loads(text))


def _moment(value: float) -> float:
    if not 0 <= value <= LATEST:
        raise ValueError("not a moment")
    return value


def _moment_or_none(value: float | None) -> float | None:
    return None if value is None else _moment(value)


def _measurement(row: aiosqlite.Row) -> Measurement:
    return Measurement(
        start=_moment(row["started_at"]),
        end=_moment(row["ended_at"]),
        value=row["value"],
        samples=row["samples"],
        note=row["note"],
        events=row["events"],
        standard_error=row["standard_error"],
    )


def _strategy(text: str | None) -> Strategy | None:
    strategy = None if text is None else _read(_STRATEGY, text)
    if strategy is not None and not 0 <= strategy.implementation_seconds <= LATEST:
        raise ValueError("not a duration")
    return strategy


def _track_record(text: str | None) -> TrackRecord | None:
    return None if text is None else _read(_TRACK_RECORD, text)


def _action(row: aiosqlite.Row) -> ActionEntry:
    restore = row["name"] == "restore"
    return ActionEntry(
        id=row["id"],
        name=_known(_REQUESTS, "the action", row["name"]),
        agent=row["agent"],
        action=None if restore else action_of(row),
        restores=row["restores"],
        bot_start=row["bot_start"],
        status=_known(_STATUSES, "the status", row["status"]),
        changes=_read(_CHANGES, row["changes"]),
        error=row["error"],
        sent_at=_moment_or_none(row["sent_at"]),
        answered_at=_moment_or_none(row["answered_at"]),
        restored=bool(row["restored"]),
    )


def action_of(row: aiosqlite.Row) -> Action:
    """The action that a row of `actions` is, unless it is a restore."""
    arguments = _read(_ARGUMENTS, row["arguments"])
    known = _known(_ACTIONS, "the action", row["name"])
    return Action(known, row["agent"], arguments.adaptations, arguments.direction)


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
