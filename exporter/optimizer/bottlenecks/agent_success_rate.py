"""Too few of an agent's executions succeed."""

from exporter.optimizer.bottlenecks.base import (
    Actions,
    AlertText,
    Bottleneck,
    Rules,
    Threshold,
)
from exporter.optimizer.measures.executions import SUCCESS_RATE

AGENT_SUCCESS_RATE = Bottleneck(
    name="agent_success_rate",
    scope="agent",
    measure=SUCCESS_RATE,
    thresholds=(
        Threshold(
            series="recent_success_ratio:threshold_medium",
            severity="medium",
            alert=AlertText(
                summary="Too few of an agent's executions succeed.",
                description="{value} of the recent executions of agent {agent} of {bot} succeeded; "
                "the threshold is {threshold}.",
            ),
            lasting=None,
        ),
        Threshold(
            series="recent_success_ratio:threshold_critical",
            severity="critical",
            alert=AlertText(
                summary="Most of an agent's executions fail.",
                description="Only {value} of the recent executions of agent {agent} of {bot} succeeded; "
                "under {threshold} is critical.",
            ),
            lasting=None,
        ),
    ),
    rules=Rules(
        value="agent:recent_success_ratio:last5m",
        impact="{threshold}\n  - {on} {value}",
        condition="and on (job, instance, agent) agent:recent_window_judged:group",
        alert="TweetbotAgentSuccessRateLow",
        pending="5m",
        dashboard="agent",
    ),
    actions=Actions(
        adaptations=("STRATEGY_ADJUSTMENT", "GOAL_ADAPTATION"),
        autonomy=("lower",),
        pause_at=None,
        settling_seconds=300.0,
    ),
    finding="the success rate of {target} misses {limit} by an impact of {impact}",
    advice="review the agent's decision logic, training data and confidence thresholds",
)
