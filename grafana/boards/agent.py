"""One agent: rate, errors, duration, confidence, autonomy, learning, goals, self-report, messages."""

from grafana.boards.activity import activity
from grafana.boards.agent_detail import communication, confidence, learning, self_report
from grafana.boards.agent_rest import rest
from grafana.boards.alerts import OF_THESE_AGENTS, alerts_over_time
from grafana.boards.optimizer_actions import actions_of_agent
from grafana.kit import look, variables
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.graphs import events, heatmap_of_buckets, lines
from grafana.kit.queries import before, increase, of_agent, per_minute, quantile_of, query, threshold, verdict
from grafana.kit.values import stat


def board() -> Board:
    result = Board(
        "tweetbot-agent",
        "TweetBot / Agent",
        "Everything that is known of one agent.",
        agent=variables.one_agent(),
    )
    _now(result)
    _executions(result)
    confidence(result)
    learning(result)
    self_report(result)
    communication(result)
    actions_of_agent(result)
    result.row("Alerts")
    result.add(9, alerts_over_time(OF_THESE_AGENTS))
    rest(result)
    return result


def _judged(
    title: str,
    description: str,
    value: str,
    unit: str,
    comparison: str,
    *thresholds: str,
    decimals: int | None = 0,
) -> Panel:
    """A number, and beside it in words whether it is inside its recorded threshold."""
    verdict_expr = verdict(of_agent(value), comparison, *(of_agent(name) for name in thresholds))
    return stat(
        title,
        description,
        query(f"max by (agent) ({of_agent(value)})", "now", instant=True),
        before=before(of_agent(value), "agent"),
        verdict=verdict_expr,
        unit=unit,
        decimals=decimals,
        empty="not known of this agent",
        width=5,
    )


def _now(board: Board) -> None:
    board.add(
        4,
        stat(
            "State",
            "● active, ◐ silent (no new row for ten of its usual intervals) or ○ stopped.",
            query(activity(of_agent), "now", instant=True),
            unit="none",
            states=look.ACTIVITY,
            empty="unknown agent",
            width=3,
        ),
        stat(
            "Profile",
            "Mean of success, confidence, coordination, resource efficiency and goal progress, as far as "
            "they are known.",
            query(f"max by (agent) ({of_agent('agent:profile_score:avg')})", "score"),
            bounds=(0, 1),
            neutral="its parts have thresholds, their mean has none",
            unit=look.SCORE,
            decimals=2,
            graph=True,
            empty="fewer than two parts are known",
            width=3,
        ),
        _judged(
            "Success",
            "Share of the recent executions (newest 50) that succeeded.",
            "agent:recent_success_ratio:last5m",
            look.RATIO,
            "<",
            "agent:recent_success_ratio:threshold_medium",
            "agent:recent_success_ratio:threshold_critical",
        ),
        _judged(
            "Response time",
            "Mean duration of the recent executions (newest 50).",
            "agent:recent_response_time_seconds:last5m",
            look.SECONDS,
            ">",
            "agent:recent_response_time_seconds:threshold_high",
            decimals=None,
        ),
        _judged(
            "Coordination",
            "Negotiations of the last hour that succeeded; without any, messages delivered.",
            "agent:coordination:ratio_increase1h",
            look.RATIO,
            "<",
            "agent:coordination_ratio:threshold_medium",
        ),
        stat(
            "Last row",
            "Time of its newest row in the database. Normal: within a few of its usual intervals.",
            query(
                f"max by (agent) ({of_agent('tweetbot_execution_last_timestamp_seconds')}) * 1000",
                "last",
                instant=True,
            ),
            neutral="State says whether it is too long ago",
            unit=look.MOMENT_AGO,
            empty="logs no executions",
            width=3,
        ),
    )


def _executions(board: Board) -> None:
    def rate(name: str) -> str:
        return f"sum by (agent) ({per_minute(of_agent(name))})"

    recorded = "agent_quantile:execution_duration_seconds:histogram_quantile_increase1h"
    known = f"({rate('tweetbot_executions_succeeded_total')} + {rate('tweetbot_executions_failed_total')})"
    buckets = increase(of_agent("tweetbot_execution_duration_seconds_bucket"))
    board.row("Executions: rate, errors, duration")
    board.add(
        8,
        events(
            "Executions per minute",
            "By result. `no result` was logged without one. Normal: even, nearly all succeed.",
            query(rate("tweetbot_executions_succeeded_total"), "succeeded"),
            query(rate("tweetbot_executions_failed_total"), "failed"),
            query(f"clamp_min({rate('tweetbot_executions_total')} - {known}, 0)", "no result"),
            empty="this agent logs no executions",
            colours={"succeeded": look.GREEN, "failed": look.RED, "no result": look.GREY},
            width=8,
        ),
        lines(
            "Success and errors",
            "Shares of the newest 50 executions, and failures of the last hour. Below a dashed line is a "
            "bottleneck.",
            query(f"max by (agent) ({of_agent('tweetbot_recent_success_ratio')})", "succeeded (newest 50)"),
            query(f"max by (agent) ({of_agent('tweetbot_recent_error_ratio')})", "with an error (newest 50)"),
            query(
                f"max by (agent) ({of_agent('agent:executions_failed_per_known:ratio_increase1h')})",
                "failed (1 h)",
            ),
            threshold("agent:recent_success_ratio:threshold_medium"),
            threshold("agent:recent_success_ratio:threshold_critical", "threshold: critical"),
            **look.SHARE,
            empty="this agent logs no executions",
            colours={"succeeded (newest 50)": look.GREEN, "failed (1 h)": look.PURPLE},
            width=8,
        ),
        lines(
            "Response time: mean and percentiles",
            "Mean of the newest 50, percentiles of the last hour and of now. Above the dashed line is a "
            "bottleneck. A diamond is one execution (an exemplar) with its execution_id, the row in "
            "agent_executions.",
            query(
                f"max by (agent) ({of_agent('tweetbot_recent_response_time_seconds')})", "mean (newest 50)"
            ),
            query(f"max by (agent) ({quantile_of(recorded, '0.5')})", "median (1 h)"),
            query(f"max by (agent) ({quantile_of(recorded, '0.95')})", "95th percentile (1 h)"),
            query(
                f"histogram_quantile(0.95, sum by (le) ({buckets}))", "95th percentile (now)", exemplars=True
            ),
            threshold("agent:recent_response_time_seconds:threshold_high"),
            unit=look.SECONDS,
            bounds=(0, None),
            empty="this agent logs no durations",
            width=8,
        ),
    )
    board.add(
        8,
        heatmap_of_buckets(
            "Duration of executions",
            "How many executions took how long. Normal: one narrow band.",
            query(f"sum by (le) ({buckets})", "{{le}}", heatmap=True),
            unit=look.SECONDS,
            interval="1m",
            empty="this agent logs no durations",
            width=16,
        ),
        events(
            "By type of execution",
            "Executions per minute of each type.",
            query(
                f"sum by (execution_type) ({per_minute(of_agent('tweetbot_executions_total'))})",
                "{{execution_type}}",
            ),
            empty="this agent logs no executions",
            width=8,
        ),
    )
