"""The rows of the agent's dashboard about what it thinks, learns, says of itself, and tells others."""

from grafana_foundation_sdk.models import common

from grafana.boards.confidence import curve
from grafana.kit import look
from grafana.kit.board import Board
from grafana.kit.graphs import events, lines
from grafana.kit.queries import TARGET, of_agent, per_minute, quantile_of, query, threshold
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat

REPORTED = {
    "decisions": "tweetbot_reported_decisions_total",
    "sources": "tweetbot_reported_sources_queried_total",
    "signals": "tweetbot_reported_signals_generated_total",
    "API calls": "tweetbot_reported_api_calls_total",
}
SENDER = 'from_agent=~"$agent"'


def _max(name: str, *matchers: str) -> str:
    return f"max by (agent) ({of_agent(name, *matchers)})"


def confidence(board: Board) -> None:
    board.row("Confidence: stated and true")
    board.add(
        9,
        *curve(),
        lines(
            "Stated confidence",
            "Mean over the newest 50 decisions, and what the agent reports. The dashed line is the target.",
            query(_max("tweetbot_recent_confidence_ratio"), "in decisions"),
            query(_max("tweetbot_reported_confidence_ratio"), "self-report"),
            threshold("agent:recent_confidence_ratio:threshold", "target"),
            **look.SHARE,
            empty="this agent states no confidence",
            width=6,
        ),
        lines(
            "Brier score",
            "Mean squared difference of confidence and outcome: 0 is perfect, above the dashed line "
            "confidence misleads.",
            query(_max("tweetbot_decision_brier_score"), "Brier score"),
            threshold("agent:brier_score:threshold"),
            unit=look.SCORE,
            decimals=2,
            bounds=(0, None),
            soft_max=0.3,
            empty="no known outcomes yet",
            width=5,
        ),
    )


def learning(board: Board) -> None:
    board.row("Autonomy, learning, goals", collapsed=True)
    board.add(
        8,
        lines(
            "Autonomy, reputation, performance",
            "Performance is the mean of reputation, overall goal progress and autonomy. Under the lower "
            "line the optimizer lowers the agent's autonomy, over the upper one it raises it.",
            query(_max("tweetbot_agent_autonomy_ratio"), "autonomy"),
            query(_max("tweetbot_agent_reputation_ratio"), "reputation"),
            query(_max("tweetbot_agent_performance_ratio"), "performance"),
            query(_max("tweetbot_recent_autonomy_ratio"), "autonomy in decisions"),
            threshold("agent:performance_ratio:threshold_high", "threshold: raise"),
            threshold("agent:performance_ratio:threshold_low", "threshold: lower"),
            **look.SHARE,
            empty="needs the live bot or decisions of this agent",
            width=8,
        ),
        lines(
            "Goal progress by level",
            "What evaluateGoalProgress() of the live agent says. Under the dashed line the agent needs "
            "adaptation. Noise is how much the answers change while the agent does nothing: over 5 % the "
            "progress is left out here, and of all scores and alerts.",
            query(f"max by (goal) ({of_agent('tweetbot_agent_goal_progress_ratio')})", "{{goal}}"),
            query(_max("tweetbot_agent_goal_progress_noise_ratio"), "noise"),
            threshold("agent:goal_progress_ratio:threshold"),
            **look.SHARE,
            empty="needs the live bot",
            width=8,
        ),
        lines(
            "Learning",
            "Share of the newest 50 decisions with a learning adjustment, and the learning rate stated in "
            "the newest one.",
            query(_max("tweetbot_recent_adaptation_ratio"), "adapting decisions"),
            query(_max("tweetbot_decision_learning_rate_ratio"), "learning rate"),
            query(_max("tweetbot_decision_performance_score_ratio"), "stated performance score"),
            **look.SHARE,
            empty="this agent logs no decisions",
            width=8,
        ),
    )
    board.add(
        7,
        events(
            "Decisions per minute",
            "By type of decision.",
            query(
                f"sum by (decision_type) ({per_minute(of_agent('tweetbot_decisions_total'))})",
                "{{decision_type}}",
            ),
            empty="this agent logs no decisions",
            width=8,
        ),
        lines(
            "Signals and learning adjustments per minute",
            "Signals found by executions, and adjustments learned in decisions.",
            query(f"sum by (agent) ({per_minute(of_agent('tweetbot_execution_signals_total'))})", "signals"),
            query(
                f"sum by (agent) ({per_minute(of_agent('tweetbot_learning_adjustments_total'))})",
                "adjustments",
            ),
            unit=look.COUNT,
            interval="1m",
            empty="this agent logs neither",
            width=8,
        ),
        lines(
            "Parts of the profile score",
            "What the profile score is the mean of. A part that is missing is not known and does not count.",
            query(f"max by (component) ({of_agent('agent_component:profile_score:ratio')})", "{{component}}"),
            **look.SHARE,
            empty="no part is known",
            width=8,
        ),
    )


def self_report(board: Board) -> None:
    board.row("Self-report against the record", collapsed=True)
    board.add(
        8,
        lines(
            "Success: said and recorded",
            "What the agent reports, and what its newest 50 rows say. Normal: close together.",
            query(_max("tweetbot_reported_success_ratio"), "self-report"),
            query(_max("tweetbot_recent_success_ratio"), "record"),
            dotted=("record",),
            **look.SHARE,
            empty="this agent does not report itself",
            width=6,
        ),
        lines(
            "Time: said and recorded",
            "What the agent reports, and what its newest 50 rows say. Normal: close together.",
            query(_max("tweetbot_reported_response_time_seconds"), "self-report"),
            query(_max("tweetbot_recent_response_time_seconds"), "record"),
            dotted=("record",),
            unit=look.SECONDS,
            bounds=(0, None),
            empty="this agent does not report itself",
            width=6,
        ),
        stat(
            "What it reports",
            "Totals that the agent keeps itself since the bot started.",
            *(query(_max(name), title, instant=True) for title, name in REPORTED.items()),
            neutral="they only count",
            unit=look.NUMBER,
            decimals=0,
            show=common.BigValueTextMode.VALUE_AND_NAME,
            empty="this agent does not report itself",
            width=6,
        ),
        table(
            "Other reported numbers",
            "Every other number of getPerformanceMetrics(); nested names are joined by a dot.",
            [Key("name", "Name")],
            [Value("Value", f"max by (name) ({of_agent('tweetbot_reported_value')})", look.COUNT, width=110)],
            small=True,
            empty="this agent reports nothing else",
            width=6,
        ),
    )


def communication(board: Board) -> None:
    latency = "agent_quantile:message_latency_seconds:histogram_quantile_increase1h"

    def sent(name: str) -> str:
        return f"sum by (from_agent) ({per_minute(f'{name}{{{TARGET}, {SENDER}}}')})"

    board.row("Messages to other agents", collapsed=True)
    board.add(
        7,
        events(
            "Messages per minute",
            "What the agent sends, by result.",
            query(
                f"{sent('tweetbot_messages_total')} - {sent('tweetbot_messages_failed_total')}", "delivered"
            ),
            query(sent("tweetbot_messages_failed_total"), "failed"),
            empty="it sent no message",
            colours={"delivered": look.GREEN, "failed": look.RED},
            width=8,
        ),
        lines(
            "Latency of messages",
            "Percentiles of the last hour. Above the dashed line it alerts.",
            query(f"max by (agent) ({quantile_of(latency, '0.5')})", "median"),
            query(f"max by (agent) ({quantile_of(latency, '0.95')})", "95th percentile"),
            threshold("agent:message_latency_seconds:threshold"),
            unit=look.SECONDS,
            bounds=(0, None),
            empty="it sent no message in an hour",
            width=8,
        ),
        lines(
            "Coordination and resource efficiency",
            "Negotiations that succeeded (1 h, and since the bot's start); cache hits, or signals for each "
            "API call.",
            query(_max("agent:coordination:ratio_increase1h"), "coordination (1 h)"),
            query(_max("tweetbot_agent_coordination_ratio"), "coordination (since start)"),
            query(_max("tweetbot_agent_resource_efficiency_ratio"), "resource efficiency"),
            threshold("agent:coordination_ratio:threshold_medium"),
            **look.SHARE,
            empty="needs the live bot",
            width=8,
        ),
    )
