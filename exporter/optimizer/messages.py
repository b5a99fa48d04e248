"""How bottlenecks, values and moments are put into words, for the ledger's readers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from exporter.optimizer.model import LOWER_IS_BETTER, Action, Bottleneck, Subject


@dataclass(frozen=True, slots=True)
class Words:
    """The texts about one bottleneck. `finding` takes {target}, {limit} and {impact}."""

    measure: str
    events: str
    finding: str
    advice: str


WORDS: Mapping[Bottleneck, Words] = MappingProxyType(
    {
        "agent_response_time": Words(
            measure="response time",
            events="executions",
            finding="the response time of {target} is {impact} above {limit}",
            advice="make its decision logic faster, or give it more resources",
        ),
        "agent_success_rate": Words(
            measure="success rate",
            events="executions",
            finding="the success rate of {target} misses {limit} by an impact of {impact}",
            advice="review its decision logic, training data and confidence thresholds",
        ),
        "coordination_efficiency": Words(
            measure="coordination",
            events="events",
            finding="the coordination of {target} misses {limit} by an impact of {impact}",
            advice="review its communication protocols and negotiations",
        ),
        "system_performance": Words(
            measure="overall score",
            events="events",
            finding="the overall score of {target} misses {limit} by an impact of {impact}",
            advice="review all components",
        ),
    }
)

SUCCESS_METRICS = (
    "{measure} of {target} {bound}",
    "{expected} better than before is expected",
    "over at least {samples} {events}, from {implementation} after the last action on",
)
ROLLBACK = (
    "If the {measure} is more than {margin} worse than before, or on request: every value that the actions changed is "
    "put back, newest first, where nobody changed it since."
)
ROLLBACK_OF_PAUSE = (
    "The bot stays paused until it is resumed: on request, or by its own command resume_system."
)
ROLLBACK_OF_NOTHING = "Nothing is done, so there is nothing to take back."


def target(subject: Subject) -> str:
    """Whom it is about."""
    return subject.agent or "the whole bot"


def value(bottleneck: Bottleneck, number: float) -> str:
    """Seconds for times, percent for ratios."""
    return f"{number:.2f} s" if bottleneck in LOWER_IS_BETTER else percent(number)


def limit(bottleneck: Bottleneck, threshold: float | None) -> str:
    """The threshold, as far as it is known."""
    return "its threshold" if threshold is None else f"the threshold of {value(bottleneck, threshold)}"


def bound(bottleneck: Bottleneck, threshold: float | None) -> str:
    """What meets the threshold."""
    side = "at most" if bottleneck in LOWER_IS_BETTER else "at least"
    return f"{side} {'its threshold' if threshold is None else value(bottleneck, threshold)}"


def percent(ratio: float) -> str:
    """0.2857 is "28.6 %"."""
    return f"{ratio * 100:.1f} %"


def duration(seconds: float) -> str:
    """In the largest unit that it fills: "90 s" is a minute and a half, "2 min", "6 h"."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def moment(seconds: float) -> str:
    """A Unix time as people write it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def doing(actions: Sequence[Action]) -> str:
    """Actions as a phrase: "market-hunter: execute_adaptation STRATEGY_ADJUSTMENT"; empty without any."""
    return "; ".join(map(_doing, actions))


def _doing(action: Action) -> str:
    arguments = [*action.adaptations, *([action.direction] if action.direction else [])]
    return (f"{action.agent}: " if action.agent else "") + " ".join([action.name, *arguments])
