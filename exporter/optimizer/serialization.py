"""An entry of the ledger as JSON: what the API answers, and `tweetbot-exporter optimizations --json` prints.

Ratios are 0..1, moments are Unix times, durations are seconds. What is not known is null.
"""

from dataclasses import asdict
from typing import Any

from exporter.optimizer.ledger.entries import ActionEntry, Entry
from exporter.optimizer.model import Measurement

Document = dict[str, Any]


def serialize(entry: Entry) -> Document:
    """All that the ledger says of one optimization."""
    return {
        "id": entry.id,
        "bottleneck": entry.subject.bottleneck.name,
        "agent": entry.subject.agent,
        "severity": entry.severity,
        "state": entry.state,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "alert": {"fingerprint": entry.fingerprint, "starts_at": entry.alert_starts_at},
        "created_at": entry.created_at,
        "state_since": entry.state_since,
        "acted_at": entry.acted_at,
        "closed_at": entry.closed_at,
        "strategy": asdict(entry.strategy) if entry.strategy else None,
        "track_record": asdict(entry.track_record) if entry.track_record else None,
        "before": _measurement(entry.before),
        "after": _measurement(entry.after),
        "measured": {
            name: {
                "before": _measurement(entry.measured_before.get(name)),
                "after": _measurement(entry.measured_after.get(name)),
            }
            for name in {**entry.measured_before, **entry.measured_after}
        },
        "guardrails": dict(entry.guardrails),
        "improvement_ratio": entry.improvement_ratio,
        "threshold": entry.threshold,
        "threshold_met": entry.threshold_met,
        "actions": [_action(each) for each in entry.actions],
    }


def _measurement(measurement: Measurement | None) -> Document | None:
    return asdict(measurement) if measurement else None


def _action(entry: ActionEntry) -> Document:
    return {
        "id": entry.id,
        "action": entry.name,
        "agent": entry.agent,
        **entry.arguments,
        "status": entry.status,
        "changes": [
            {"agent": each.agent, "path": each.path, "from": each.before, "to": each.after}
            for each in entry.changes
        ],
        "error": entry.error,
        "bot_start": entry.bot_start,
        "sent_at": entry.sent_at,
        "answered_at": entry.answered_at,
        "restored": entry.restored,
    }
