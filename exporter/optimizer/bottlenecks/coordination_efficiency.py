"""Too few of an agent's negotiations with other agents succeed; of an agent without any, too few of its messages."""

from exporter.optimizer.bottlenecks.base import (
    Actions,
    AlertText,
    Bottleneck,
    Mean,
    Parts,
    Query,
    Rules,
    Threshold,
)
from exporter.optimizer.bottlenecks.queries import counted_live, ratio


def _mean(parts: Parts) -> Mean:
    """As in rules/recording/agents.yml."""
    negotiations, messages = parts.get("negotiations", 0.0), parts.get("messages", 0.0)
    if (succeeded := ratio(parts.get("negotiations_succeeded"), negotiations)) is not None:
        return succeeded, negotiations, "negotiations"
    failed = ratio(parts.get("messages_failed"), messages)
    return None if failed is None else 1 - failed, messages, "messages"


COORDINATION_EFFICIENCY = Bottleneck(
    name="coordination_efficiency",
    scope="agent",
    direction="higher_is_better",
    unit="ratio",
    statistics="share",
    thresholds=(
        Threshold(
            series="coordination_ratio:threshold_medium",
            margin="coordination_ratio:margin_medium",
            severity="medium",
            alert=AlertText(
                summary="Too few of an agent's negotiations with other agents succeed.",
                description="{value} of the negotiations (or, where it has none, messages) of agent {agent} of {bot} "
                "succeeded in the last hour; the threshold is {threshold}.",
            ),
            lasting=None,
        ),
    ),
    rules=Rules(
        value="agent:coordination:ratio_increase1h",
        impact="({threshold} - {value}) * 0.5",
        # An hour with enough negotiations or messages needs no other sign of life.
        condition="""and agent:coordination_events:increase1h >= agent:coordination_events:minimum
unless ignoring (agent) bot:system_paused:max5m == 1""",
        evidence="agent:coordination_upper_bound:ratio_increase1h\n      < {threshold} + {margin}",
        lasts="agent:coordination:ratio_increase1h\n      < {threshold} + {margin}",
        alert="TweetbotAgentCoordinationLow",
        pending="5m",
        dashboard="communication",
    ),
    query=Query(
        parts={
            "negotiations": counted_live("tweetbot_negotiations_total"),
            "negotiations_succeeded": counted_live("tweetbot_negotiations_succeeded_total"),
            # Messages belong to the agent that sends them.
            "messages": counted_live("tweetbot_messages_total", "from_agent"),
            "messages_failed": counted_live("tweetbot_messages_failed_total", "from_agent"),
        },
        mean=_mean,
        no_value="no negotiations and no messages were counted",
    ),
    actions=Actions(adaptations=("STRATEGY_ADJUSTMENT",), autonomy=(), pause_at=None, settling_seconds=180.0),
    measure="coordination",
    events="events",
    finding="the coordination of {target} misses {limit} by an impact of {impact}",
    advice="review the communication protocols and how the agent negotiates",
)
