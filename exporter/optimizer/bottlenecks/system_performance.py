"""The agents together perform under target."""

from exporter.optimizer.bottlenecks.base import (
    Actions,
    AlertText,
    Bottleneck,
    Rules,
    Threshold,
)
from exporter.optimizer.measures.bot import OVERALL_SCORE

SYSTEM_PERFORMANCE = Bottleneck(
    name="system_performance",
    scope="bot",
    measure=OVERALL_SCORE,
    thresholds=(
        Threshold(
            series="overall_score:threshold_high",
            margin="overall_score:margin",
            severity="high",
            alert=AlertText(
                summary="The agents together perform under target.",
                description="The overall score of {bot}, the mean of what is known of its agents, is {value}; "
                "the threshold is {threshold}.",
            ),
            lasting=AlertText(
                summary="The agents together have performed under target for an hour.",
                description="The overall score of {bot}, the mean of what is known of its agents, is {value} "
                "and has been under the threshold of {threshold} for an hour.",
            ),
        ),
        Threshold(
            series="overall_score:threshold_critical",
            margin="overall_score:margin",
            severity="critical",
            alert=AlertText(
                summary="The agents together perform badly.",
                description="The overall score of {bot}, the mean of what is known of its agents, is {value}; "
                "under {threshold} is critical.",
            ),
            lasting=None,
        ),
    ),
    rules=Rules(
        value="bot:overall_score:avg",
        impact="{threshold} - {value}",
        condition="unless bot:stopped_by_pause:group",
        evidence="bot:overall_score:avg\n      < {threshold} - {margin}",
        lasts="bot:overall_score:avg\n      < {threshold}",
        alert="TweetbotSystemPerformanceLow",
        pending="10m",
        dashboard="overview",
    ),
    actions=Actions(adaptations=(), autonomy=("lower", "raise"), pause_at="critical", settling_seconds=600.0),
    finding="the overall score of {target} misses {limit} by an impact of {impact}",
    advice="review all components, the agents with the lowest profile scores first",
)
