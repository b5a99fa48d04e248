"""An agent takes too long for its executions."""

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
from exporter.optimizer.bottlenecks.queries import REBASED, counted, ratio, rebased

_SECONDS = "tweetbot_execution_duration_seconds_sum"
_EXECUTIONS = "tweetbot_execution_duration_seconds_count"


def _mean(parts: Parts) -> Mean:
    executions = parts.get("executions", 0.0)
    return ratio(parts.get("seconds"), executions), executions, "executions"


AGENT_RESPONSE_TIME = Bottleneck(
    name="agent_response_time",
    scope="agent",
    direction="lower_is_better",
    unit="seconds",
    statistics="mean_of_durations",
    thresholds=(
        Threshold(
            series="recent_response_time_seconds:threshold_high",
            margin="recent_response_time_seconds:margin_high",
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
        impact="{value} / {threshold} - 1",
        condition="and agent:recent_window_judged:group",
        evidence="agent:recent_response_time_lower_bound_seconds:last5m\n      > {threshold} - {margin}",
        lasts="agent:recent_response_time_seconds:last5m\n      > {threshold} - {margin}",
        alert="TweetbotAgentResponseTimeHigh",
        pending="1m",
        dashboard="agent",
    ),
    query=Query(
        parts={
            REBASED: rebased(_SECONDS, _EXECUTIONS),
            "seconds": counted(_SECONDS),
            "executions": counted(_EXECUTIONS),
        },
        mean=_mean,
        no_value="no executions with a duration were counted",
    ),
    actions=Actions(adaptations=("STRATEGY_ADJUSTMENT",), autonomy=(), pause_at=None, settling_seconds=120.0),
    measure="response time",
    events="executions",
    finding="the response time of {target} is {impact} above {limit}",
    advice="make the agent's decision logic faster, or give it more resources",
)
