"""How each bottleneck is measured: what is asked of the counters, and what is made of the answer.

The expressions are constant. `{}` in them stands for a selector's matchers and range.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.optimizer.model import Bottleneck

REBASED = "rebased"
"""The part that is there where the database's counters cannot be compared within the window."""

Parts = Mapping[str, float]
"""The answer for one agent: what each part came to. What is not known is missing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """`value` makes of the parts the measured value and the number of events that it is the mean of."""

    parts: Mapping[str, str]
    value: Callable[[Parts], tuple[float | None, float]]
    lacking: str
    """Why there is no value, where there is none."""

    def query(self, matchers: str, milliseconds: int) -> str:
        """One query for all parts, so that they are of one moment. Each series says in `part` what it is."""
        selector = f"{{{matchers}}}[{milliseconds}ms]"
        return " or ".join(
            f'label_replace({expression.replace("{}", selector)}, "part", "{part}", "", "")'
            for part, expression in self.parts.items()
        )


def _counted(counter: str, by: str = "bot, agent") -> str:
    """The last value in the window minus the first: exactly what was counted between two scrapes.

    increase() extrapolates to the window's edges, near 0 by another factor for each part of a ratio. It is for a
    counter that began anew within the window, as the live ones do with the bot's process.
    """
    return (
        f"sum by ({by}) (max_over_time({counter}{{}}) - min_over_time({counter}{{}})"
        f" unless resets({counter}{{}}) > 0 or increase({counter}{{}}))"
    )


def _sent(counter: str) -> str:
    """Messages belong to the agent that sends them."""
    return f'label_replace({_counted(counter, "bot, from_agent")}, "agent", "$1", "from_agent", "(.*)")'


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _response_time(parts: Parts) -> tuple[float | None, float]:
    executions = parts.get("executions", 0.0)
    return _ratio(parts.get("seconds"), executions), executions


def _success_rate(parts: Parts) -> tuple[float | None, float]:
    known = parts.get("succeeded", 0.0) + parts.get("failed", 0.0)
    return _ratio(parts.get("succeeded"), known), known


def _coordination(parts: Parts) -> tuple[float | None, float]:
    """Negotiations; messages of an agent without any, as in rules/recording/agents.yml."""
    negotiations, messages = parts.get("negotiations", 0.0), parts.get("messages", 0.0)
    if (ratio := _ratio(parts.get("negotiations_succeeded"), negotiations)) is not None:
        return ratio, negotiations
    failed = _ratio(parts.get("messages_failed"), messages)
    return None if failed is None else 1 - failed, messages


def _overall_score(parts: Parts) -> tuple[float | None, float]:
    return parts.get("score"), parts.get("executions", 0.0)


# As in rules/recording/activity.yml: another file, or one that lost rows before the exporter restarted.
_OF_DATABASE = {
    REBASED: (
        "group by (bot) (increase(tweetbot_database_replacements_total{}) > 0"
        " or resets(tweetbot_executions_total{}) > 0)"
    )
}

RECIPES: Mapping[Bottleneck, Recipe] = {
    "agent_response_time": Recipe(
        {
            **_OF_DATABASE,
            "seconds": _counted("tweetbot_execution_duration_seconds_sum"),
            "executions": _counted("tweetbot_execution_duration_seconds_count"),
        },
        _response_time,
        "no executions with a duration were counted",
    ),
    "agent_success_rate": Recipe(
        {
            **_OF_DATABASE,
            "succeeded": _counted("tweetbot_executions_succeeded_total"),
            "failed": _counted("tweetbot_executions_failed_total"),
        },
        _success_rate,
        "no executions with a known result were counted",
    ),
    "coordination_efficiency": Recipe(
        {
            "negotiations": _counted("tweetbot_negotiations_total"),
            "negotiations_succeeded": _counted("tweetbot_negotiations_succeeded_total"),
            "messages": _sent("tweetbot_messages_total"),
            "messages_failed": _sent("tweetbot_messages_failed_total"),
        },
        _coordination,
        "no negotiations and no messages were counted",
    ),
    "system_performance": Recipe(
        {
            **_OF_DATABASE,
            "score": "avg by (bot) (avg_over_time(bot:overall_score:avg{}))",
            "executions": _counted("tweetbot_executions_total", "bot"),
        },
        _overall_score,
        "no overall score was recorded",
    ),
}
