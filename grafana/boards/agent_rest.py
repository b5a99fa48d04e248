"""The last row of the agent's dashboard: whatever else is known of it, as lists."""

from grafana.kit import look
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.queries import of_agent
from grafana.kit.tables import Key, Value, table

SHARES = {
    "success history of the live agent": "tweetbot_agent_success_history_ratio",
    "reported cache hits": "tweetbot_reported_cache_hit_ratio",
    "resource efficiency": "tweetbot_agent_resource_efficiency_ratio",
    "autonomy in the newest decision": "tweetbot_decision_autonomy_ratio",
    "autonomy in recent decisions": "tweetbot_recent_autonomy_ratio",
    "performance in the newest decision": "tweetbot_decision_performance_score_ratio",
    "learning rate in the newest decision": "tweetbot_decision_learning_rate_ratio",
    "recent decisions that adapt": "tweetbot_recent_adaptation_ratio",
    "recent executions with an error": "tweetbot_recent_error_ratio",
}
NUMBERS = {
    "executions in the database": "tweetbot_executions_total",
    "executions with an error": "tweetbot_executions_errored_total",
    "executions in the recent window": "tweetbot_recent_executions",
    "signals of executions": "tweetbot_execution_signals_total",
    "decisions in the database": "tweetbot_decisions_total",
    "decisions without an outcome": "tweetbot_decisions_pending",
    "decisions with a numeric result": "tweetbot_decision_results_total",
    "recent decisions of the live agent": "tweetbot_agent_recent_decisions",
    "all decisions of the live agent": "tweetbot_agent_decision_history",
    "cycles of the live agent": "tweetbot_agent_cycles_total",
    "adaptations of the live agent": "tweetbot_agent_adaptations_total",
    "negotiations since the bot's start": "tweetbot_negotiations_total",
    "trades in the database": "tweetbot_trades_total",
    "BTC sold without an earlier buy": "tweetbot_trade_unmatched_btc_total",
}
MOMENTS = {
    "last execution in the database": "tweetbot_execution_last_timestamp_seconds",
    "oldest execution still recent": "tweetbot_recent_window_start_timestamp_seconds",
    "last decision in the database": "tweetbot_decision_last_timestamp_seconds",
    "last execution of the live agent": "tweetbot_agent_last_execution_timestamp_seconds",
    "goal progress given": "tweetbot_agent_goal_progress_timestamp_seconds",
    "self-report given": "tweetbot_reported_timestamp_seconds",
}


def rest(board: Board) -> None:
    board.row("Everything else that is known", collapsed=True)
    board.add(
        15,
        _listed("Shares", SHARES, look.RATIO, ""),
        _listed("Numbers", NUMBERS, look.NUMBER, ""),
        _listed("Moments", MOMENTS, look.MOMENT_AGO, " * 1000"),
    )


def _listed(title: str, names: dict[str, str], unit: str, factor: str) -> Panel:
    parts = (
        f'label_replace(sum by (agent) ({of_agent(name)}){factor}, "what", "{what}", "", "")'
        for what, name in names.items()
    )
    return table(
        title,
        "A list of the newest values; what the bot does not say is not in it. Normal: see each metric's "
        "own description.",
        [Key("what", "What")],
        [Value("Value", f"sum by (what) ({' or '.join(parts)})", unit, width=125)],
        sort="What",
        descending=False,
        small=True,
        empty="nothing else is known of this agent",
        width=8,
    )
