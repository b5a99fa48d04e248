"""An agent takes too long for its executions."""

from exporter.optimizer.bottlenecks.base import (
    Actions,
    AlertText,
    Bottleneck,
    Rules,
    Threshold,
)
from exporter.optimizer.measures.executions import RESPONSE_TIME

AGENT_RESPONSE_TIME = Bottleneck(
    name="agent_response_time",
    scope="agent",
    measure=RESPONSE_TIME,
    thresholds=(
        Threshold(
            series="recent_response_time_seconds:threshold_high",
            severity="high",
            alert=AlertText(
                summary="An agent takes too long for its executions.",
                description="Agent {agent} of {bot} takes {value} on average over its recent executions; "
                "the threshold is {threshold}.",
            ),
            lasting=AlertText(
                summary="An agent has taken too long for its executions for an hour.",
                description="Agent {agent} of {bot} takes {value} on average over its recent executions, "
                "and has been over the threshold of {threshold} for an hour.",
            ),
        ),
    ),
    rules=Rules(
        value="agent:recent_response_time_seconds:last5m",
        impact="{value}\n  / {on} {threshold} - 1",
        condition="and on (job, instance, agent) agent:recent_window_judged:group",
        alert="TweetbotAgentResponseTimeHigh",
        pending="5m",
        dashboard="agent",
    ),
    actions=Actions(adaptations=("STRATEGY_ADJUSTMENT",), autonomy=(), pause_at=None, settling_seconds=120.0),
    finding="the response time of {target} is {impact} above {limit}",
    advice="make the agent's decision logic faster, or give it more resources",
)
