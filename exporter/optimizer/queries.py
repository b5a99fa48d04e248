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
Mean = tuple[float | None, float, str]
"""A value, the number of events that it is the mean of, and what they are."""
EXECUTIONS = "executions"


@dataclass(frozen=True, slots=True)
class Recipe:
    """`value` is made of the `parts`, each of which is an expression."""

    parts: Mapping[str, str]
    value: Callable[[Parts], Mean]
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

    increase() extrapolates to the window's edges, near 0 by another factor for each part of a ratio.
    """
    return f"sum by ({by}) ({_growth(counter)})"


def _growth(counter: str) -> str:
    return f"max_over_time({counter}{{}}) - min_over_time({counter}{{}})"


def _live(counter: str, agent: str = "agent") -> str:
    """As _counted; by increase() where the counter began anew within the window, as it does with the bot's process."""
    counted = f"{_growth(counter)} unless resets({counter}{{}}) > 0 or increase({counter}{{}})"
    return f'label_replace(sum by (bot, {agent}) ({counted}), "agent", "$1", "{agent}", "(.*)")'


def _rebased(*counters: str) -> str:
    """There where what the database's counters grew by is not what happened, as in rules/recording/activity.yml.

    It was another file, or it lost rows before the exporter restarted: then increase() would add all that there is.
    """
    fell = (f"resets({counter}{{}}) > 0" for counter in counters)
    return f"group by (bot) ({' or '.join(['increase(tweetbot_database_replacements_total{}) > 0', *fell])})"


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _response_time(parts: Parts) -> Mean:
    executions = parts.get("executions", 0.0)
    return _ratio(parts.get("seconds"), executions), executions, EXECUTIONS


def _success_rate(parts: Parts) -> Mean:
    known = parts.get("succeeded", 0.0) + parts.get("failed", 0.0)
    return _ratio(parts.get("succeeded"), known), known, EXECUTIONS


def _coordination(parts: Parts) -> Mean:
    """Negotiations; messages of an agent without any, as in rules/recording/agents.yml."""
    negotiations, messages = parts.get("negotiations", 0.0), parts.get("messages", 0.0)
    if (ratio := _ratio(parts.get("negotiations_succeeded"), negotiations)) is not None:
        return ratio, negotiations, "negotiations"
    failed = _ratio(parts.get("messages_failed"), messages)
    return None if failed is None else 1 - failed, messages, "messages"


def _overall_score(parts: Parts) -> Mean:
    return parts.get("score"), parts.get("executions", 0.0), EXECUTIONS


_DURATION = "tweetbot_execution_duration_seconds"
_EXECUTIONS = "tweetbot_executions_total"
_SUCCEEDED = "tweetbot_executions_succeeded_total"
_FAILED = "tweetbot_executions_failed_total"

RECIPES: Mapping[Bottleneck, Recipe] = {
    "agent_response_time": Recipe(
        {
            REBASED: _rebased(f"{_DURATION}_sum", f"{_DURATION}_count"),
            "seconds": _counted(f"{_DURATION}_sum"),
            "executions": _counted(f"{_DURATION}_count"),
        },
        _response_time,
        "no executions with a duration were counted",
    ),
    "agent_success_rate": Recipe(
        {
            REBASED: _rebased(_SUCCEEDED, _FAILED),
            "succeeded": _counted(_SUCCEEDED),
            "failed": _counted(_FAILED),
        },
        _success_rate,
        "no executions with a known result were counted",
    ),
    "coordination_efficiency": Recipe(
        {
            "negotiations": _live("tweetbot_negotiations_total"),
            "negotiations_succeeded": _live("tweetbot_negotiations_succeeded_total"),
            # Messages belong to the agent that sends them.
            "messages": _live("tweetbot_messages_total", "from_agent"),
            "messages_failed": _live("tweetbot_messages_failed_total", "from_agent"),
        },
        _coordination,
        "no negotiations and no messages were counted",
    ),
    "system_performance": Recipe(
        {
            REBASED: _rebased(_EXECUTIONS),
            "score": "avg by (bot) (avg_over_time(bot:overall_score:avg{}))",
            "executions": _counted(_EXECUTIONS, "bot"),
        },
        _overall_score,
        "no overall score was recorded",
    ),
}
