"""Bottlenecks, values and moments as text, for readers of the ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime

from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.measures.base import Measure
from exporter.optimizer.model import Action, Subject

SUCCESS_METRICS = (
    "{measure} of {target} {bound}",
    "an improvement of {expected} is expected",
    "over at least {samples} {events}, starting {implementation} after the last action",
)
ROLLBACK = (
    "Kept only if the {measure} is better and no guardrail is worse. Else, and on request, every value that the "
    "actions changed is restored, newest first, where nobody changed it since."
)
ROLLBACK_OF_PAUSE = (
    "The bot stays paused until it is resumed: on request, or by its own command resume_system."
)
ROLLBACK_OF_NOTHING = "Nothing is done, so there is nothing to roll back."


def target(subject: Subject) -> str:
    """Whom it is about."""
    return subject.agent or "the whole bot"


def value(measure: Measure, number: float) -> str:
    """Seconds for durations, percent for ratios and scores."""
    return f"{number:.2f} s" if measure.unit == "seconds" else percent(number)


def limit(bottleneck: Bottleneck, threshold: float | None) -> str:
    """The threshold, as far as it is known."""
    return (
        "its threshold" if threshold is None else f"the threshold of {value(bottleneck.measure, threshold)}"
    )


def bound(bottleneck: Bottleneck, threshold: float | None) -> str:
    """What meets the threshold."""
    side = "at most" if bottleneck.lower_is_better else "at least"
    return f"{side} {'its threshold' if threshold is None else value(bottleneck.measure, threshold)}"


def percent(ratio: float) -> str:
    """0.2857 is "28.6 %"."""
    return f"{ratio * 100:.1f} %"


def duration(seconds: float) -> str:
    """In the largest unit that divides it: "90 s" is a minute and a half, "2 min", "6 h"."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def moment(seconds: float) -> str:
    """A Unix time as people write it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def actions(given: Sequence[Action]) -> str:
    """As a phrase: "market-hunter: execute_adaptation STRATEGY_ADJUSTMENT"; empty without any."""
    return "; ".join(map(action, given))


def action(given: Action) -> str:
    """One of them."""
    arguments = [*given.adaptations, *([given.direction] if given.direction else [])]
    return (f"{given.agent}: " if given.agent else "") + " ".join([given.name, *arguments])
