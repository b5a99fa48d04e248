"""What a bottleneck is. Every field is required, so that mypy names what a new one lacks.

Ratios are 0..1, durations are seconds.
This package imports only `measures`: the rules are generated from it, too.
"""

from dataclasses import dataclass
from typing import Literal

from exporter.optimizer.measures.base import Measure, Scope, Unit

Severity = Literal["critical", "high", "medium", "low"]
"""The worst comes first."""
Adaptation = Literal["GOAL_ADAPTATION", "STRATEGY_ADJUSTMENT", "INCREASE_AUTONOMY"]
AutonomyStep = Literal["lower", "raise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertText:
    """What an alert says: `summary` is static; `description` takes {agent}, {bot}, {value} and {threshold}."""

    summary: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A line of rules/thresholds.yml, and what the alert says of a value beyond it.

    `series` is its name without the level, such as "recent_success_ratio:threshold_medium". A bottleneck of high
    severity pages once it has lasted an hour, with the text of `lasting`; the other severities have none.
    """

    series: str
    severity: Severity
    alert: AlertText
    lasting: AlertText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How Prometheus finds it.

    `value` is the recorded series that is compared. `impact` is PromQL with {value}, {threshold} (the mildest) and
    {on} (the join of the two): above 0 where the threshold is broken. `condition` is PromQL, too, and says when the
    value may be evaluated at all. `pending` is the alerts' `for`. `dashboard` is the uid that they link to, without
    "tweetbot-".
    """

    value: str
    impact: str
    condition: str
    alert: str
    pending: str
    dashboard: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What the optimizer may do about it.

    `adaptations` and `autonomy` are for the agent, or for each agent where the bottleneck is the bot's. `autonomy` are
    the steps that may be taken where an agent's performance ratio asks for one. From the severity `pause_at` on the bot
    is paused instead. `settling_seconds` is how long a change needs before its effect can be measured.
    """

    adaptations: tuple[Adaptation, ...]
    autonomy: tuple[AutonomyStep, ...]
    pause_at: Severity | None
    settling_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Bottleneck:
    """One bottleneck: how it is found, measured, evaluated, described and acted on. There is one object of each.

    `measure` is its target. `thresholds` begin with the mildest. `finding` takes {target}, {limit} and {impact}.
    `advice` is a phrase in the imperative, without a full stop.
    """

    name: str
    scope: Scope
    measure: Measure
    thresholds: tuple[Threshold, ...]
    rules: Rules
    actions: Actions
    finding: str
    advice: str

    def __repr__(self) -> str:
        return self.name

    @property
    def lower_is_better(self) -> bool:
        """Else more is better."""
        return self.measure.lower_is_better

    @property
    def unit(self) -> Unit:
        """Of its values."""
        return self.measure.unit

    def in_force(self, threshold: Threshold) -> str:
        """The series with the threshold of each agent, or of the bot."""
        return f"{self.scope}:{threshold.series}"

    @property
    def suggested_fix(self) -> str:
        """The advice as a sentence."""
        return f"{self.advice[0].upper()}{self.advice[1:]}."
