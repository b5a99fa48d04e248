"""agent_decisions."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from . import values
from .executions import RATIO_BUCKETS
from .table import (
    Labels,
    Samples,
    Settings,
    Table,
    grouped,
    known,
    mean,
    newest_last,
    rowid,
    seconds,
)
from .values import OTHER, UnusableError

ALTERNATIVES_BUCKETS = ("0", "1", "2", "3", "5", "8")
RISKS = ("low", "medium", "high", OTHER)
BANDS = [f"0.{tenth}" for tenth in range(10)]


@dataclass
class Outcome:
    """What was seen of a decision's outcome, at one look after the other."""

    success: bool | None = None
    """The first that became known."""
    last: bool | None = None
    revisions: int = 0
    result: float | None = None
    """As it was last seen."""
    has_result: bool = False
    is_unusable: bool = False
    is_gone: bool = False
    """Whether the row has been deleted."""

    def see(self, table: Table, cell: Any) -> None:
        seen = Table(table.name, (), [])
        document = seen.read({"outcome": cell}, "outcome", values.json_object)
        success = seen.read_key(document, "success", "outcome", values.boolean)
        self.result = seen.read_key(document, "actualResult", "outcome", _result)
        self.has_result = self.has_result or self.result is not None
        if self.success is None:
            self.success = success
        elif success != self.last:
            self.revisions += 1
        self.last = success
        if not self.is_unusable:
            table.malformed["outcome"] += seen.malformed["outcome"]
        self.is_unusable = seen.malformed["outcome"] > 0


@dataclass(frozen=True)
class Decision:
    rowid: int
    agent: str
    kind: str
    at: int | None
    confidence: int | None
    risk: str | None
    alternatives: int | None
    outcome: "Outcome"
    autonomy: int | None
    performance: int | None
    learning_rate: float | None
    adjustments: int | None
    recipients: tuple[str, ...]

    @property
    def success(self) -> bool | None:
        return self.outcome.success

    @property
    def resolved(self) -> bool:
        return self.confidence is not None and self.success is not None

    @property
    def band(self) -> str:
        assert self.confidence is not None
        return BANDS[min(self.confidence * 10 // values.RATIO, 9)]

    @property
    def squared_error(self) -> int:
        assert self.confidence is not None
        return (self.confidence - (values.RATIO if self.success else 0)) ** 2


def read(table: Table, labels: Labels, now: float) -> list[Decision]:
    return [_decision(table, labels, row, now) for row in saved_last(table.rows)]


def saved_last(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A decision that was saved again under its id is the same decision."""
    by_id: dict[Any, dict[str, Any]] = {}
    for row in rows:
        key = ("id", row["id"]) if row.get("id") is not None else ("row", rowid(row))
        by_id.pop(key, None)
        by_id[key] = row
    return [*by_id.values()]


def newest_price(table: Table, now: float) -> float | None:
    """context.inputs.marketData.price_usd of the newest decision that has one."""
    priced = [(_at(row, now), rowid(row), price) for row in table.there if (price := _price(row)) is not None]
    return max(priced)[2] if priced else None


def _at(row: dict[str, Any], now: float) -> float:
    at = Table("unnamed", (), []).moment(row, "timestamp", now)
    return float("-inf") if at is None else at


def _price(row: dict[str, Any]) -> float | None:
    found: Any = None
    try:
        found = values.json_object(row["context"]) if row.get("context") is not None else None
        for key in ("inputs", "marketData", "price_usd"):
            found = found.get(key) if isinstance(found, dict) else None
        return None if found is None else float(values.number(found))
    except UnusableError:
        return None


def _decision(table: Table, labels: Labels, row: dict[str, Any], now: float) -> Decision:
    agent, kind = labels.agent_and_kind(
        table.read(row, "agent", values.word), table.read(row, "type", values.word)
    )
    reasoning = table.read(row, "reasoning", values.json_object)
    state = table.read(row, "agent_state", values.json_object)
    feedback = table.read(row, "feedback", values.json_object)
    return Decision(
        rowid=rowid(row),
        agent=agent,
        kind=kind,
        at=table.moment(row, "timestamp", now),
        confidence=table.read_key(reasoning, "confidence", "reasoning", values.ratio),
        risk=table.read_key(reasoning, "riskAssessment", "reasoning", _risk),
        alternatives=table.read_key(reasoning, "alternatives", "reasoning", _length),
        outcome=_outcome(table, row),
        autonomy=table.read_key(state, "autonomyLevel", "agent_state", values.ratio),
        performance=table.read_key(state, "performanceScore", "agent_state", values.ratio),
        learning_rate=table.read_key(state, "learningRate", "agent_state", values.not_negative),
        adjustments=table.read_key(feedback, "learningAdjustments", "feedback", _length),
        recipients=_recipients(table, labels, row, agent),
    )


def _outcome(table: Table, row: dict[str, Any]) -> Outcome:
    outcome = Outcome(is_gone=row.get("the row is gone", False))
    for cell in row.get("the outcomes", [row.get("outcome")]):
        outcome.see(table, cell)
    return outcome


def _risk(value: Any) -> str:
    risk = value.lower() if isinstance(value, str) else OTHER
    return risk if risk in RISKS else OTHER


def _length(value: Any) -> int:
    return len(values.array(value))


def _result(value: Any) -> float | None:
    """What is no number is normal here; a number that is not finite is unusable."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(values.number(value))


def _recipients(table: Table, labels: Labels, row: dict[str, Any], sender: str) -> tuple[str, ...]:
    system = table.read(row, "system", values.json_object)
    entries = table.read_key(system, "interAgentCommunication", "system", values.array)
    targets = [table.use(entry, "system", _target) for entry in _without_null(entries)]
    return tuple(labels.recipient(sender, target) for target in known(targets))


def _without_null(entries: list[Any] | None) -> list[Any]:
    """A null entry is no object: it must not pass as missing."""
    return [False if entry is None else entry for entry in entries or []]


def _target(entry: Any) -> str:
    if not isinstance(entry, dict):
        raise UnusableError(entry)
    return values.text(entry.get("target"))


def put(samples: Samples, table: Table, labels: Labels, settings: Settings) -> None:
    decisions = read(table, labels, settings.now)
    if not table.has("agent"):
        return
    if table.has("type"):
        for (agent, kind), rows in grouped(decisions, lambda row: (row.agent, row.kind)).items():
            _put_pair(samples, table, rows, agent=agent, decision_type=kind)
    for agent, rows in grouped(decisions, lambda row: row.agent).items():
        _put_agent(samples, table, rows, agent)
        if table.has("timestamp"):
            ordered = newest_last(rows)
            _put_state(samples, ordered[-1], agent)
            _put_window(samples, table, ordered[-settings.window :], agent)
            _put_brier(samples, [row for row in ordered if row.resolved][-settings.window :], agent)


def _put_pair(samples: Samples, table: Table, rows: list[Decision], **pair: str) -> None:
    samples.put("tweetbot_decisions_total", len(rows), **pair)
    if table.has("outcome"):
        samples.put("tweetbot_decisions_succeeded_total", sum(row.success is True for row in rows), **pair)
        samples.put("tweetbot_decisions_failed_total", sum(row.success is False for row in rows), **pair)


def _put_agent(samples: Samples, table: Table, rows: list[Decision], agent: str) -> None:
    if table.has("outcome"):
        _put_outcomes(samples, rows, agent)
    if table.has("reasoning"):
        _put_reasoning(samples, rows, agent)
    if table.has("outcome", "reasoning"):
        _put_calibration(samples, [row for row in rows if row.resolved], agent)
    if table.has("feedback"):
        adjustments = sum(known(row.adjustments for row in rows))
        samples.put("tweetbot_learning_adjustments_total", adjustments, agent=agent)
    for recipient, messages in Counter(to for row in rows for to in row.recipients).items():
        samples.put("tweetbot_decision_messages_total", messages, agent=agent, to_agent=recipient)
    newest = max(known(row.at for row in rows), default=None)
    samples.put_known("tweetbot_decision_last_timestamp_seconds", seconds(newest), agent=agent)


def _put_outcomes(samples: Samples, rows: list[Decision], agent: str) -> None:
    pending = sum(row.success is None and not row.outcome.is_gone for row in rows)
    samples.put("tweetbot_decisions_pending", pending, agent=agent)
    revisions = sum(row.outcome.revisions for row in rows)
    samples.put("tweetbot_decision_outcome_revisions_total", revisions, agent=agent)
    results = sum(row.outcome.has_result for row in rows)
    samples.put("tweetbot_decision_results_total", results, agent=agent)


def _put_reasoning(samples: Samples, rows: list[Decision], agent: str) -> None:
    for risk in RISKS:
        rated = sum(row.risk == risk for row in rows)
        samples.put("tweetbot_decisions_by_risk_total", rated, agent=agent, risk=risk)
    confidences = known(row.confidence for row in rows)
    samples.put_histogram(
        "tweetbot_decision_confidence_ratio", confidences, RATIO_BUCKETS, values.RATIO, agent=agent
    )
    alternatives = known(row.alternatives for row in rows)
    samples.put_histogram(
        "tweetbot_decision_alternatives", alternatives, ALTERNATIVES_BUCKETS, 1, agent=agent
    )


def _put_calibration(samples: Samples, resolved: list[Decision], agent: str) -> None:
    for band in BANDS:
        inside = [row for row in resolved if row.band == band]
        labels = {"agent": agent, "confidence_band": band}
        samples.put("tweetbot_decision_resolved_total", len(inside), **labels)
        succeeded = sum(row.success is True for row in inside)
        samples.put("tweetbot_decision_resolved_succeeded_total", succeeded, **labels)


def _put_state(samples: Samples, newest: Decision, agent: str) -> None:
    for name, units in (("autonomy", newest.autonomy), ("performance_score", newest.performance)):
        samples.put_known(f"tweetbot_decision_{name}_ratio", mean(known([units]), values.RATIO), agent=agent)
    samples.put_known("tweetbot_decision_learning_rate_ratio", newest.learning_rate, agent=agent)


def _put_window(samples: Samples, table: Table, window: list[Decision], agent: str) -> None:
    confidence = mean(known(row.confidence for row in window), values.RATIO)
    samples.put_known("tweetbot_recent_confidence_ratio", confidence, agent=agent)
    autonomy = mean(known(row.autonomy for row in window), values.RATIO)
    samples.put_known("tweetbot_recent_autonomy_ratio", autonomy, agent=agent)
    if table.has("feedback"):
        adapted = mean(int((row.adjustments or 0) > 0) for row in window)
        samples.put_known("tweetbot_recent_adaptation_ratio", adapted, agent=agent)
    result = mean(Fraction(result) for result in known(row.outcome.result for row in window))
    samples.put_known("tweetbot_recent_actual_result", result, agent=agent)


def _put_brier(samples: Samples, resolved: list[Decision], agent: str) -> None:
    score = mean((row.squared_error for row in resolved), values.RATIO**2)
    samples.put_known("tweetbot_decision_brier_score", score, agent=agent)
