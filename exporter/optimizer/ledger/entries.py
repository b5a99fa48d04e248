"""What the ledger holds, as its readers get it. Units as in `model`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from exporter.optimizer.model import (
    Action,
    Bottleneck,
    Change,
    Measurement,
    Outcome,
    Severity,
    State,
    Strategy,
    Subject,
)

ActionStatus = Literal[
    "planned",  # written down, and not sent yet, or turned away: the bot has done nothing
    "sent",  # sent; the bot has not answered, or has not finished
    "done",
    "failed",  # the bot's own method threw
    "refused",  # by the bridge, which says why
    "unanswered",  # sent, and given up: whether the bot carried it out is not known
    "dropped",  # planned, and given up
]


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How a type of strategy has done so far: how often measured, how often the threshold was met again."""

    measured: int
    succeeded: int
    median_improvement_ratio: float | None


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """One request to the bot. `id` is what the bridge knows it by.

    `action` is None for a restore, which puts back what the action `restores` changed. `restored` is whether
    what this action changed was put back.
    """

    id: str
    name: Literal["execute_adaptation", "adjust_autonomy", "pause", "resume", "restore"]
    agent: str
    """Whom it is about, also of a taking back; "" for pause and resume."""
    action: Action | None
    restores: str | None
    bot_start: float | None
    """The bot's process that it is for; None for a resume that was not sent yet, which is for any."""
    status: ActionStatus
    changes: tuple[Change, ...]
    error: str
    sent_at: float | None
    answered_at: float | None
    restored: bool

    @property
    def arguments(self) -> Mapping[str, object]:
        """What the action was called with."""
        if self.action is None:
            return {"restores": self.restores}
        given = {"adaptations": list(self.action.adaptations), "direction": self.action.direction}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Entry:
    """One optimization. `reason` says in words why it stands, or ended, as it did."""

    id: int
    subject: Subject
    state: State
    outcome: Outcome | None
    reason: str
    severity: Severity
    fingerprint: str
    alert_starts_at: float
    strategy: Strategy | None
    track_record: TrackRecord | None
    """Of its strategy's type, when the strategy was made."""
    created_at: float
    state_since: float
    acted_at: float | None
    """When the last of its actions was done."""
    closed_at: float | None
    before: Measurement | None
    after: Measurement | None
    improvement_ratio: float | None
    threshold: float | None
    threshold_met: bool | None
    aim: Outcome | None
    """What a restoring ends as, if all goes well."""
    alert_resolved: bool
    """Whether all alerts that led to it are over."""
    actions: tuple[ActionEntry, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """All that the metrics need. Counts only grow, but for those of `open`."""

    closed: Mapping[tuple[Bottleneck, Outcome], int] = field(default_factory=dict)
    """How often an optimization ended so. One that is taken back after its end has two."""
    open: Mapping[tuple[Bottleneck, State], int] = field(default_factory=dict)
    improvements: Mapping[Bottleneck, Sequence[float]] = field(default_factory=dict)
    """Ratios, all that were measured."""
    actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By agent and name: those that were sent. A taking back is `restore`, of the agent that it is about."""
    failed_actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Those of `actions` that were refused, failed, turned away or never answered. Has the same keys."""
    last_action_at: Mapping[tuple[str, str], float] = field(default_factory=dict)
