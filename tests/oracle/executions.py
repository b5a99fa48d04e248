"""agent_executions."""

from dataclasses import dataclass
from typing import Any

from . import evidence, values
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

DURATION_BUCKETS = ("0.05", "0.1", "0.25", "0.5", "1", "2", "5", "10", "30", "60")
RATIO_BUCKETS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1")


@dataclass(frozen=True)
class Execution:
    rowid: int
    agent: str
    kind: str
    at: int | None
    success: bool | None
    errored: bool
    duration: int | None
    confidence: int | None
    signals: int | None


def read(table: Table, labels: Labels, now: float) -> list[Execution]:
    return [_execution(table, labels, row, now) for row in table.rows]


def _execution(table: Table, labels: Labels, row: dict[str, Any], now: float) -> Execution:
    agent, kind = labels.agent_and_kind(
        table.read(row, "agent_name", values.word), table.read(row, "execution_type", values.word)
    )
    output = table.read(row, "output_data", values.json_object)
    return Execution(
        rowid=rowid(row),
        agent=agent,
        kind=kind,
        at=table.moment(row, "timestamp", now),
        success=table.read(row, "success", values.zero_or_one),
        errored=row.get("error_message") is not None,
        duration=table.read(row, "execution_time_ms", values.duration),
        confidence=table.read_key(output, "confidence", "output_data", values.ratio),
        signals=table.read_key(output, "signalsGenerated", "output_data", values.count),
    )


def put(samples: Samples, table: Table, labels: Labels, settings: Settings) -> None:
    executions = read(table, labels, settings.now)
    if not table.has("agent_name"):
        return
    if table.has("execution_type"):
        for (agent, kind), rows in grouped(executions, lambda row: (row.agent, row.kind)).items():
            _put_pair(samples, table, rows, agent=agent, execution_type=kind)
    for agent, rows in grouped(executions, lambda row: row.agent).items():
        _put_agent(samples, table, rows, agent)
        if table.has("timestamp"):
            _put_window(samples, table, newest_last(rows)[-settings.window :], agent)
            _put_bounds(samples, newest_last(rows)[-500:], agent)


def _put_pair(samples: Samples, table: Table, rows: list[Execution], **pair: str) -> None:
    samples.put("tweetbot_executions_total", len(rows), **pair)
    if table.has("success"):
        samples.put("tweetbot_executions_succeeded_total", sum(row.success is True for row in rows), **pair)
        samples.put("tweetbot_executions_failed_total", sum(row.success is False for row in rows), **pair)
    if table.has("error_message"):
        samples.put("tweetbot_executions_errored_total", sum(row.errored for row in rows), **pair)
    if table.has("execution_time_ms"):
        samples.put_histogram(
            "tweetbot_execution_duration_seconds",
            known(row.duration for row in rows),
            DURATION_BUCKETS,
            values.MICROSECONDS,
            **pair,
        )


def _put_agent(samples: Samples, table: Table, rows: list[Execution], agent: str) -> None:
    if table.has("output_data"):
        confidences = known(row.confidence for row in rows)
        samples.put_histogram(
            "tweetbot_execution_confidence_ratio", confidences, RATIO_BUCKETS, values.RATIO, agent=agent
        )
        signals = sum(known(row.signals for row in rows))
        samples.put("tweetbot_execution_signals_total", signals, agent=agent)
    newest = max(known(row.at for row in rows), default=None)
    samples.put_known("tweetbot_execution_last_timestamp_seconds", seconds(newest), agent=agent)


def _put_window(samples: Samples, table: Table, window: list[Execution], agent: str) -> None:
    samples.put("tweetbot_recent_executions", len(window), agent=agent)
    successes = mean(int(success) for success in known(row.success for row in window))
    samples.put_known("tweetbot_recent_success_ratio", successes, agent=agent)
    if table.has("error_message"):
        errors = mean(int(row.errored) for row in window)
        samples.put_known("tweetbot_recent_error_ratio", errors, agent=agent)
    time = mean(known(row.duration for row in window), values.MICROSECONDS)
    samples.put_known("tweetbot_recent_response_time_seconds", time or None, agent=agent)
    oldest = min(known(row.at for row in window), default=None)
    samples.put_known("tweetbot_recent_window_start_timestamp_seconds", seconds(oldest), agent=agent)


def _put_bounds(samples: Samples, newest: list[Execution], agent: str) -> None:
    outcomes = known(row.success for row in newest)
    if len(outcomes) >= evidence.LENGTHS[0]:
        bound = evidence.highest_success_ratio(outcomes)
        samples.put("tweetbot_recent_success_upper_bound_ratio", bound, agent=agent)
    durations = known(row.duration for row in newest)
    if len(durations) >= evidence.LENGTHS[0]:
        bound = evidence.lowest_mean(durations) / values.MICROSECONDS
        samples.put("tweetbot_recent_response_time_lower_bound_seconds", bound, agent=agent)
