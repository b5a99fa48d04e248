"""What the ledger holds, as its readers get it, and what it is given to record. Units as in `model`."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from exporter.optimizer.bottlenecks.base import Severity
from exporter.optimizer.evaluation import Guarded
from exporter.optimizer.model import (
    Action,
    Alert,
    Change,
    Measurement,
    Outcome,
    State,
    Strategy,
    Subject,
)

ActionStatus = Literal[
    "planned",  # recorded, and not sent yet, or rejected: the bot has done nothing
    "sent",  # sent; the bot has not answered, or has not finished
    "done",
    "failed",  # the bot's own method threw
    "refused",  # by the bridge, which says why
    "unanswered",  # sent, and given up: whether the bot carried it out is not known
    "dropped",  # planned, and given up
]

RequestName = Literal["execute_adaptation", "adjust_autonomy", "pause", "resume", "restore"]


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How the actions of a strategy have done so far on the same agents: how often they were measured, how often the
    threshold was met again, how often they did harm."""

    measured: int
    succeeded: int
    median_improvement_ratio: float | None
    harmed: int = 0


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """One request to the bot. `id` is what the bridge knows it by.

    `action` is None for a restore of what the action `restores` changed. `restored` is whether what this action
    changed was restored.
    """

    id: str
    name: RequestName
    agent: str
    """Whom it is about, also of a restore; "" for pause and resume."""
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
    """One optimization. `reason` says, for people, why it is in its state, or ended as it did."""

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
    """Of its strategy's actions, when the strategy was made."""
    created_at: float
    state_since: float
    acted_at: float | None
    """When the last of its actions was done."""
    closed_at: float | None
    measured_before: Mapping[str, Measurement]
    """By the name of the measure: the target's, and those of the guardrails."""
    measured_after: Mapping[str, Measurement]
    guardrails: Mapping[str, Guarded]
    """What became of each that was looked at."""
    improvement_ratio: float | None
    threshold: float | None
    threshold_met: bool | None
    aim: Outcome | None
    """The outcome of restoring, if all goes well."""
    alert_resolved: bool
    """Whether all alerts that led to it are over."""
    actions: tuple[ActionEntry, ...]

    @property
    def before(self) -> Measurement | None:
        """Of its target."""
        return self.measured_before.get(self.subject.bottleneck.measure.name)

    @property
    def after(self) -> Measurement | None:
        """Of its target."""
        return self.measured_after.get(self.subject.bottleneck.measure.name)


@dataclass(frozen=True, slots=True)
class Suspension:
    """Since when, and why, nothing is done."""

    suspended_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Tally:
    """All that the metrics need, by the bottleneck's name. Counts only grow, except for those of `open`."""

    closed: Mapping[tuple[str, Outcome], int] = field(default_factory=dict)
    """How often an optimization ended so. One that is rolled back after its end has two."""
    open: Mapping[tuple[str, State], int] = field(default_factory=dict)
    improvements: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Ratios, all that were measured."""
    actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By agent and name: those that were sent. A rollback is `restore`, of the agent that it is about."""
    failed_actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Those of `actions` that were refused, failed, rejected or never answered. Has the same keys."""
    last_action_at: Mapping[tuple[str, str], float] = field(default_factory=dict)
    changes: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    """By agent, action and what became of it: when the newest such change of values was made."""
    newest: Sequence[Entry] = ()
    """The newest few, newest first."""
    suspended: bool = False


AlertOccurrence = tuple[str, float]
"""One time that an alert fired: its fingerprint, and when it began."""


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the ledger says that matters to new alerts."""

    open: Mapping[Subject, Severity]
    waiting: Set[Subject]
    """Those of the open ones for which nothing was done yet."""
    open_count: int
    cooling: Mapping[Subject, Severity]
    """Those whose optimization ended so recently that they are left alone, unless they are worse now."""
    occurrences: Mapping[AlertOccurrence, bool]
    """Those seen before: whether they are resolved."""
    to_renew: Set[AlertOccurrence]
    """Those of them that were not renewed for long."""


@dataclass(slots=True)
class TriageResult:
    """What to record of a webhook's alerts. `noted` are the alerts whose occurrences are remembered from now on.

    `renewed` are occurrences that are remembered longer. `counts` are by "accepted" or the reason of the rejection.
    """

    new: dict[Subject, Alert] = field(default_factory=dict)
    raised: dict[Subject, Severity] = field(default_factory=dict)
    noted: list[Alert] = field(default_factory=list)
    renewed: set[AlertOccurrence] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
