"""The optimizer's vocabulary: the values that its parts exchange, and the protocols of what lies outside.

Ratios are 0..1, moments are Unix times in seconds, durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from exporter.optimizer.bottlenecks.base import Adaptation, AutonomyStep, Bottleneck, Severity
from exporter.optimizer.measures.base import Measure

SEVERITIES: Mapping[str, Severity] = {name: name for name in get_args(Severity)}
"""By the text of a label; what is not in here is no severity. The worst comes first."""

ActionName = Literal["execute_adaptation", "adjust_autonomy", "pause", "resume"]

State = Literal["waiting", "acting", "measuring", "restoring", "closed"]
"""`waiting`: not yet confirmed, or not yet its turn. `acting`, `restoring`: requests to the bot are due or under way.
After a restart they are sent again under the same action ids, each of which the bridge carries out once."""

Outcome = Literal[
    "observed",  # mode observe: recorded, nothing done
    "over",  # the bottleneck was gone before anything was done
    "advised",  # nothing the optimizer may do about it: left to people
    "action_failed",  # the bot refused, failed or did not answer
    "succeeded",  # measured: the threshold is met again
    "improved",  # measured: better, the threshold still broken
    "no_effect",  # measured: not better, put back; or no value of the bot was changed
    "inconclusive",  # measured: better, but that nothing else is worse could not be shown; put back
    "overridden",  # the bot, or a person, changed it again before its effect was clear
    "rolled_back",  # harmful, or requested: what was changed is restored
    "rollback_failed",  # should have been rolled back, and could not be
    "not_enough_data",  # too few events before it, and nothing was done; or after it, and it is put back
    "interrupted",  # the bot restarted meanwhile: what was changed is gone, and the measurement spans both processes
]


def rank(severity: Severity) -> int:
    """The worse of two severities has the higher rank."""
    return -list(SEVERITIES).index(severity)


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
    direction: AutonomyStep | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """What is remembered of it: each adaptation by itself, else the action with its direction."""
        return self.adaptations or (" ".join(filter(None, [self.name, self.direction])),)


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is to be done about a bottleneck, as in the table of docs/optimizer.md. Ratios: 0.28 is 28 percent.

    `type` is the bottleneck's name.
    """

    type: str
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
class PastStep:
    """A step of an action that was sent, and how its optimization ended: `moment` is when, None while it is open."""

    agent: str
    step: str
    severity: Severity
    outcome: Outcome | None
    verdict: str | None
    improvement_ratio: float | None
    moment: float | None
    optimization_id: int

    @property
    def did_harm(self) -> bool:
        """Or somebody rolled it back."""
        return self.verdict == "harmful" or self.outcome == "rolled_back"


@dataclass(frozen=True, slots=True)
class Change:
    """What an action changed on the bot: the agent's name as the bot spells it, and which value became which."""

    agent: str
    path: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of a request to the bot. `running`: it has not finished yet; request it again with the same id.

    `by_client`: a refusal on our side, which says nothing of what became of an earlier request with the same id.
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
class Performance:
    """An agent's performance ratio, and the thresholds in force below and above which its autonomy is adjusted.

    A threshold is None where Prometheus has none: then nothing is adjusted on that side.
    """

    ratio: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The bot's money in USD: its worth, and the highest worth that it ever had. None is not known."""

    value: float | None
    peak: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value over [start, end] and how many events it is the mean of. `value` is None where there is none.

    `note` says why, for readers of the ledger ("the database was replaced"). `events` says what was counted where that
    is not always the same: coordination is of negotiations or of messages, which are not comparable.
    `standard_error` is how far the value may be off by chance, None where that is not known.
    """

    start: float
    end: float
    value: float | None
    samples: int
    note: str = ""
    events: str = ""
    standard_error: float | None = None


class UnavailableError(Exception):
    """Prometheus or the bot cannot be reached now. The message is for the user, and the same for the same fault."""


class NotCarriedOutError(UnavailableError):
    """The bot rejected the request, and certainly did nothing because of it."""


class MetricsProvider(Protocol):
    """What Prometheus knows of the one bot. Every method may raise UnavailableError."""

    async def agents(self) -> frozenset[str]:
        """The agents' labels."""

    async def impacts(self) -> Mapping[Subject, Impact]:
        """The bottlenecks that exist now."""

    async def measure(self, measure: Measure, agent: str, start: float, end: float) -> Measurement:
        """Of an agent, "" for all of them together, between two moments."""

    async def portfolio(self) -> Portfolio:
        """What the bot's money comes to now."""

    async def resumed_since(self, moment: float) -> bool:
        """Whether the bot was paused and went on after that moment."""

    async def thresholds(self) -> Mapping[Subject, float]:
        """The mildest threshold in force for each subject: what its value must meet to be no bottleneck."""

    async def performance(self) -> Mapping[str, Performance]:
        """By agent, where its ratio is known."""


class Bot(Protocol):
    """The bridge in the bot's process. Every method may raise UnavailableError, also if the process is another now."""

    async def start_time(self) -> float:
        """When the bot's process started: another value is another process."""

    async def perform(self, action_id: str, action: Action, bot_start: float) -> ActionResult:
        """Carries out `action`, once for each `action_id`, in the process that started at `bot_start` only."""

    async def restore(self, action_id: str, restores: str, bot_start: float) -> ActionResult:
        """Restores what the action `restores` changed, where nobody changed it since."""

    async def check(self, check_id: str, checks: str, bot_start: float) -> ActionResult:
        """Whether what the action `checks` changed still stands: `changes` are those values that do not."""
