"""The optimizer's words: what its parts say to each other.

Ratios are 0..1, moments are Unix times in seconds, durations are seconds. Nothing here does anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Bottleneck = Literal[
    "agent_response_time", "agent_success_rate", "coordination_efficiency", "system_performance"
]
Severity = Literal["critical", "high", "medium", "low"]
Mode = Literal["observe", "act"]

BOTTLENECKS: Mapping[str, Bottleneck] = {name: name for name in get_args(Bottleneck)}
SEVERITIES: Mapping[str, Severity] = {name: name for name in get_args(Severity)}
"""From text of elsewhere to our words; what is not in here is none."""
OF_WHOLE_BOT: Bottleneck = "system_performance"
"""The others are of an agent each."""

ActionName = Literal["execute_adaptation", "adjust_autonomy", "pause", "resume"]
Adaptation = Literal["GOAL_ADAPTATION", "STRATEGY_ADJUSTMENT", "INCREASE_AUTONOMY"]
Direction = Literal["lower", "raise"]

State = Literal["waiting", "acting", "measuring", "restoring", "closed"]
"""`waiting`: not yet confirmed, or not yet its turn. `acting`, `restoring`: about to ask the bot, or asking: what a
restart finds in these states is asked for again under the same action id, which the bridge carries out once."""

Outcome = Literal[
    "observed",  # mode observe: written down, nothing done
    "over",  # the bottleneck was gone before anything was done
    "advised",  # nothing the optimizer may do about it: left to people
    "action_failed",  # the bot refused, failed or stayed away
    "succeeded",  # measured: the threshold is met again
    "improved",  # measured: better, the threshold still broken
    "no_effect",  # measured: neither better nor worse by more than the margin; or no value of the bot was changed
    "taken_back",  # harmful, or asked for: what was changed is restored
    "not_taken_back",  # should have been, and could not be restored
    "not_enough_data",  # too few events before or after to say anything
    "interrupted",  # the bot restarted meanwhile: what was changed is gone, and what was measured is of both
]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an optimization is about. `agent` is "" for a bottleneck of the whole bot."""

    bottleneck: Bottleneck
    agent: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a webhook: validated, of our bot, about a bottleneck. `fingerprint` is Alertmanager's."""

    subject: Subject
    severity: Severity
    firing: bool
    fingerprint: str
    starts_at: float


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do on the bot. `agent` is a label's value, "" for pause and resume."""

    name: ActionName
    agent: str = ""
    adaptations: tuple[Adaptation, ...] = ()
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is to be done about a bottleneck, as in the table of docs/optimizer.md. Ratios: 0.28 is 28 percent."""

    type: Bottleneck
    priority: Severity
    target: str
    description: str
    impact_ratio: float
    expected_improvement_ratio: float
    implementation_seconds: float
    actions: tuple[Action, ...]
    success_metrics: tuple[str, ...]
    rollback_plan: str


@dataclass(frozen=True, slots=True)
class Change:
    """What an action changed on the bot: the agent's name as the bot spells it, and which value became which."""

    agent: str
    path: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Answer:
    """The bridge's answer. `running`: the bot has not finished yet; ask again with the same id.

    `by_client`: a refusal that says nothing of what became of an earlier request with the same id.
    """

    status: Literal["done", "running", "failed", "refused"]
    changes: tuple[Change, ...] = ()
    error: str = ""
    by_client: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """A bottleneck as the recording rules see it now."""

    severity: Severity
    ratio: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value over [start, end] and how many events it is the mean of. `value` is None where there is none.

    `note` says why, in words for the ledger ("the database was replaced"). `events` says what was counted where that is
    not always the same: coordination is of negotiations or of messages, which are not to be compared.
    """

    start: float
    end: float
    value: float | None
    samples: int
    note: str = ""
    events: str = ""


class UnavailableError(Exception):
    """Prometheus or the bot cannot be asked now. The message is for the user, and the same for the same fault."""


class NotCarriedOutError(UnavailableError):
    """The bot turned the request away, and certainly did nothing because of it."""


class Records(Protocol):
    """What Prometheus knows of the one bot. Every method may raise UnavailableError."""

    async def agents(self) -> frozenset[str]:
        """The agents' labels."""

    async def impacts(self) -> Mapping[Subject, Impact]:
        """The bottlenecks that there are now."""

    async def measure(self, subject: Subject, start: float, end: float) -> Measurement:
        """The subject's value from the counters between two moments."""

    async def thresholds(self) -> Mapping[Subject, float]:
        """The first threshold in force for each subject: what its value must meet to be no bottleneck."""

    async def performance_ratios(self) -> Mapping[str, float]:
        """`tweetbot_agent_performance_ratio` by agent, where it is known."""


class Bot(Protocol):
    """The bridge in the bot's process. Every method may raise UnavailableError, also if the process is another now."""

    async def start_time(self) -> float:
        """When the bot's process started: another value is another process."""

    async def perform(self, action_id: str, action: Action, bot_start: float) -> Answer:
        """Carries out `action`, once for each `action_id`, in the process that started at `bot_start` only."""

    async def restore(self, action_id: str, restores: str, bot_start: float) -> Answer:
        """Puts back what the action `restores` changed, where nobody changed it since."""


LOWER_IS_BETTER: frozenset[Bottleneck] = frozenset({"agent_response_time"})
"""Of the others more is better."""


def improvement_ratio(bottleneck: Bottleneck, before: float, after: float) -> float | None:
    """The change in the direction that is better, as a share of the value before; None where that was 0."""
    if before == 0:
        return None
    change = (after - before) / before
    return -change if bottleneck in LOWER_IS_BETTER else change
