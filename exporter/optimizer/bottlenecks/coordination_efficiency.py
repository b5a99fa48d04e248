"""Too few of an agent's negotiations with other agents succeed; of an agent without any, too few of its messages."""

from exporter.optimizer.bottlenecks.base import (
    Actions,
    AlertText,
    Bottleneck,
    Rules,
    Threshold,
)
from exporter.optimizer.measures.communication import COORDINATION

COORDINATION_EFFICIENCY = Bottleneck(
    name="coordination_efficiency",
    scope="agent",
    measure=COORDINATION,
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
unless agent:stopped_by_pause:group""",
        evidence="agent:coordination_upper_bound:ratio_increase1h\n      < {threshold} + {margin}",
        lasts="agent:coordination:ratio_increase1h\n      < {threshold} + {margin}",
        alert="TweetbotAgentCoordinationLow",
        pending="1m",
        dashboard="communication",
    ),
    actions=Actions(adaptations=("STRATEGY_ADJUSTMENT",), autonomy=(), pause_at=None, settling_seconds=180.0),
    finding="the coordination of {target} misses {limit} by an impact of {impact}",
    advice="review the communication protocols and how the agent negotiates",
)
