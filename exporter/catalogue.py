"""Every metric family that is exported, declared once.

Sources emit only what stands here; docs/metrics.md is generated from it by reference.py.
A name is the name of the series as Prometheus stores it, a counter's `_total` included.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family. `collector` is the source that delivers it; the exporter's own have "exporter".

    Declared once, so it is equal to itself only: it is a key for each sample of each scrape.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...]
    collector: str


class _Collector:
    """Declares families of one collector, so that each declaration is only what is particular to it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def counter(self, name: str, help_text: str, *labels: str) -> Family:
        return Family(name, "counter", help_text, labels, (), self._name)

    def gauge(self, name: str, help_text: str, *labels: str) -> Family:
        return Family(name, "gauge", help_text, labels, (), self._name)

    def info(self, name: str, help_text: str, *labels: str) -> Family:
        return Family(name, "info", help_text, labels, (), self._name)

    def histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Family:
        return Family(name, "histogram", help_text, labels, buckets, self._name)


DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
RATIO_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
ALTERNATIVES_BUCKETS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
TRADE_BUCKETS = (10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)
LATENCY_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CYCLE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
IMPROVEMENT_BUCKETS = (-0.5, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
READ_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)

# --- Source 1: SQLite ------------------------------------------------------------------------------------

_db = _Collector("database")

# agent_executions
EXECUTIONS = _db.counter("tweetbot_executions_total", "Rows of agent_executions.", "agent", "execution_type")
EXECUTIONS_SUCCEEDED = _db.counter(
    "tweetbot_executions_succeeded_total",
    "Rows of agent_executions with success = 1.",
    "agent",
    "execution_type",
)
EXECUTIONS_FAILED = _db.counter(
    "tweetbot_executions_failed_total",
    "Rows of agent_executions with success = 0; a NULL is neither succeeded nor failed.",
    "agent",
    "execution_type",
)
EXECUTIONS_ERRORED = _db.counter(
    "tweetbot_executions_errored_total",
    "Rows of agent_executions whose error_message is not NULL.",
    "agent",
    "execution_type",
)
EXECUTION_DURATION = _db.histogram(
    "tweetbot_execution_duration_seconds",
    "agent_executions.execution_time_ms, in seconds; some agents always log 0.",
    DURATION_BUCKETS,
    "agent",
    "execution_type",
)
EXECUTION_CONFIDENCE = _db.histogram(
    "tweetbot_execution_confidence_ratio",
    "confidence in agent_executions.output_data, 0 to 1.",
    RATIO_BUCKETS,
    "agent",
)
EXECUTION_SIGNALS = _db.counter(
    "tweetbot_execution_signals_total", "Sum of signalsGenerated in agent_executions.output_data.", "agent"
)
EXECUTION_LAST = _db.gauge(
    "tweetbot_execution_last_timestamp_seconds", "Newest agent_executions.timestamp.", "agent"
)
RECENT_EXECUTIONS = _db.gauge(
    "tweetbot_recent_executions",
    "Executions in the agent's recent window: its newest 50 rows, or all while there are fewer.",
    "agent",
)
RECENT_SUCCESS = _db.gauge(
    "tweetbot_recent_success_ratio",
    "Share of succeeded among the recent executions whose success is known.",
    "agent",
)
RECENT_ERROR = _db.gauge(
    "tweetbot_recent_error_ratio", "Share of the recent executions that have an error_message.", "agent"
)
RECENT_RESPONSE_TIME = _db.gauge(
    "tweetbot_recent_response_time_seconds",
    "Mean execution_time_ms of the recent executions, in seconds.",
    "agent",
)
RECENT_WINDOW_START = _db.gauge(
    "tweetbot_recent_window_start_timestamp_seconds",
    "Timestamp of the oldest of the recent executions: how far back 'recent' reaches.",
    "agent",
)

# agent_decisions
DECISIONS = _db.counter("tweetbot_decisions_total", "Rows of agent_decisions.", "agent", "decision_type")
DECISIONS_SUCCEEDED = _db.counter(
    "tweetbot_decisions_succeeded_total",
    "Decisions whose first known outcome.success was true.",
    "agent",
    "decision_type",
)
DECISIONS_FAILED = _db.counter(
    "tweetbot_decisions_failed_total",
    "Decisions whose first known outcome.success was false.",
    "agent",
    "decision_type",
)
DECISION_REVISIONS = _db.counter(
    "tweetbot_decision_outcome_revisions_total",
    "Changes of outcome.success seen after it was first known; they change no other counter.",
    "agent",
)
DECISIONS_PENDING = _db.gauge(
    "tweetbot_decisions_pending", "Decisions whose outcome.success is neither true nor false.", "agent"
)
DECISIONS_BY_RISK = _db.counter(
    "tweetbot_decisions_by_risk_total",
    "Decisions by reasoning.riskAssessment: low, medium, high or other; those without one are left out.",
    "agent",
    "risk",
)
DECISION_CONFIDENCE = _db.histogram(
    "tweetbot_decision_confidence_ratio",
    "confidence in agent_decisions.reasoning, 0 to 1.",
    RATIO_BUCKETS,
    "agent",
)
DECISION_ALTERNATIVES = _db.histogram(
    "tweetbot_decision_alternatives",
    "Number of alternatives in agent_decisions.reasoning.",
    ALTERNATIVES_BUCKETS,
    "agent",
)
DECISION_RESULTS = _db.counter(
    "tweetbot_decision_results_total", "Decisions whose outcome.actualResult became a number.", "agent"
)
RECENT_ACTUAL_RESULT = _db.gauge(
    "tweetbot_recent_actual_result",
    "Mean numeric outcome.actualResult of the agent's newest 50 decisions; may be negative.",
    "agent",
)
DECISION_AUTONOMY = _db.gauge(
    "tweetbot_decision_autonomy_ratio",
    "autonomyLevel in agent_state of the agent's newest decision.",
    "agent",
)
DECISION_PERFORMANCE = _db.gauge(
    "tweetbot_decision_performance_score_ratio",
    "performanceScore in agent_state of the agent's newest decision.",
    "agent",
)
DECISION_LEARNING_RATE = _db.gauge(
    "tweetbot_decision_learning_rate_ratio",
    "learningRate in agent_state of the agent's newest decision.",
    "agent",
)
LEARNING_ADJUSTMENTS = _db.counter(
    "tweetbot_learning_adjustments_total",
    "Entries of feedback.learningAdjustments in agent_decisions.",
    "agent",
)
RECENT_CONFIDENCE = _db.gauge(
    "tweetbot_recent_confidence_ratio",
    "Mean reasoning.confidence of the agent's newest 50 decisions.",
    "agent",
)
RECENT_AUTONOMY = _db.gauge(
    "tweetbot_recent_autonomy_ratio",
    "Mean agent_state.autonomyLevel of the agent's newest 50 decisions.",
    "agent",
)
RECENT_ADAPTATION = _db.gauge(
    "tweetbot_recent_adaptation_ratio",
    "Share of the agent's newest 50 decisions that have a learning adjustment.",
    "agent",
)
DECISION_MESSAGES = _db.counter(
    "tweetbot_decision_messages_total",
    "Entries of system.interAgentCommunication in agent_decisions, by their target.",
    "agent",
    "to_agent",
)
DECISION_BRIER = _db.gauge(
    "tweetbot_decision_brier_score",
    "Mean squared difference of confidence and outcome (1 or 0) over the newest 50 decisions that have both; "
    "0 is perfect, 0.25 is what a constant 0.5 gets.",
    "agent",
)
DECISION_RESOLVED = _db.counter(
    "tweetbot_decision_resolved_total",
    "Decisions with a known outcome and a confidence, by the confidence band's lower bound.",
    "agent",
    "confidence_band",
)
DECISION_RESOLVED_SUCCEEDED = _db.counter(
    "tweetbot_decision_resolved_succeeded_total",
    "Those of tweetbot_decision_resolved_total that succeeded: the calibration curve's numerator.",
    "agent",
    "confidence_band",
)
DECISION_LAST = _db.gauge(
    "tweetbot_decision_last_timestamp_seconds", "Newest agent_decisions.timestamp.", "agent"
)

# portfolio, portfolio_history
PORTFOLIO_BTC = _db.gauge("tweetbot_portfolio_balance_btc", "btc_balance of the live portfolio row.")
PORTFOLIO_USD = _db.gauge("tweetbot_portfolio_balance_usd", "usd_balance of the live portfolio row.")
PORTFOLIO_VALUE = _db.gauge(
    "tweetbot_portfolio_value_usd",
    "usd_balance + btc_balance × the newest price (market_data, else the newest snapshot).",
)
PORTFOLIO_START_VALUE = _db.gauge(
    "tweetbot_portfolio_starting_value_usd", "The starting value given in the configuration."
)
PORTFOLIO_GOAL_VALUE = _db.gauge("tweetbot_portfolio_goal_value_usd", "The goal given in the configuration.")
PORTFOLIO_WEEK_START_VALUE = _db.gauge(
    "tweetbot_portfolio_week_start_value_usd",
    "total_value_usd of the first snapshot at or after Monday 00:00 UTC of this week.",
)
PORTFOLIO_GROWTH = _db.gauge(
    "tweetbot_portfolio_growth_ratio", "(value - starting value) / starting value; may be negative."
)
PORTFOLIO_GOAL_PROGRESS = _db.gauge(
    "tweetbot_portfolio_goal_progress_ratio",
    "(value - starting value) / (goal - starting value); 1 is the goal, may be negative or above 1.",
)
PORTFOLIO_DEPLOYED = _db.gauge(
    "tweetbot_portfolio_deployed_ratio", "Share of the portfolio's value that is held in BTC."
)
PORTFOLIO_PEAK = _db.gauge(
    "tweetbot_portfolio_peak_value_usd", "Highest total_value_usd in portfolio_history."
)
PORTFOLIO_DRAWDOWN = _db.gauge(
    "tweetbot_portfolio_max_drawdown_ratio",
    "Largest fall from an earlier peak in portfolio_history, as a share of that peak.",
)
PORTFOLIO_UPDATED = _db.gauge(
    "tweetbot_portfolio_updated_timestamp_seconds", "last_updated of the live portfolio row."
)
PORTFOLIO_SNAPSHOT = _db.gauge(
    "tweetbot_portfolio_snapshot_timestamp_seconds", "Newest portfolio_history.timestamp."
)

# trades
TRADES = _db.counter("tweetbot_trades_total", "Rows of trades; agent is executed_by.", "agent", "side")
TRADE_VOLUME_BTC = _db.counter(
    "tweetbot_trade_volume_btc_total", "Sum of trades.amount_btc.", "agent", "side"
)
TRADE_VOLUME_USD = _db.counter(
    "tweetbot_trade_volume_usd_total", "Sum of trades.total_usd, fees not included.", "agent", "side"
)
TRADE_FEES = _db.counter("tweetbot_trade_fees_usd_total", "Sum of trades.fee_usd.", "agent", "side")
TRADE_VALUE = _db.histogram(
    "tweetbot_trade_value_usd", "trades.total_usd, fees not included.", TRADE_BUCKETS, "side"
)
TRADES_PROFITABLE = _db.counter(
    "tweetbot_trades_profitable_total",
    "Sells that earned more than the buys they were matched with (first in, first out) cost, fees included.",
    "agent",
)
TRADES_UNPROFITABLE = _db.counter(
    "tweetbot_trades_unprofitable_total", "Matched sells that earned nothing or made a loss.", "agent"
)
TRADE_GAINS = _db.counter("tweetbot_trade_gains_usd_total", "Sum of the profitable sells' gains.", "agent")
TRADE_LOSSES = _db.counter(
    "tweetbot_trade_losses_usd_total", "Sum of the unprofitable sells' losses, as a positive number.", "agent"
)
TRADE_UNMATCHED = _db.counter(
    "tweetbot_trade_unmatched_btc_total", "BTC sold for which no earlier buy is in the table.", "agent"
)
TRADE_LAST = _db.gauge("tweetbot_trade_last_timestamp_seconds", "Newest trades.timestamp.", "side")

# market_data
MARKET_PRICE = _db.gauge("tweetbot_market_price_usd", "price_usd of the newest market_data row.")
MARKET_VOLUME = _db.gauge("tweetbot_market_volume_24h_usd", "volume_24h of the newest market_data row.")
MARKET_CHANGE = _db.gauge(
    "tweetbot_market_price_change_24h_ratio",
    "price_change_24h of the newest market_data row, from percent to a ratio; may be negative.",
)
MARKET_FEAR_GREED = _db.gauge(
    "tweetbot_market_fear_greed_index",
    "fear_greed_index of the newest market_data row: 0 is extreme fear, 100 extreme greed.",
)
MARKET_UPDATED = _db.gauge(
    "tweetbot_market_updated_timestamp_seconds", "Timestamp of the newest market_data row."
)

# control tables
SYSTEM_PAUSED = _db.gauge(
    "tweetbot_system_paused",
    "1 while system_config says that system_status is paused, else 0. A paused bot is silent on purpose.",
)
SYSTEM_ALERTS = _db.counter("tweetbot_system_alerts_total", "Rows of system_alerts.", "level")
SYSTEM_COMMANDS = _db.gauge("tweetbot_system_commands", "Rows of system_commands by their status.", "status")

# --- Source 2: live agents and the orchestrator ----------------------------------------------------------

_agents = _Collector("agents")

AGENT_RUNNING = _agents.gauge(
    "tweetbot_agent_running", "1 if the live agent says that it runs, else 0.", "agent"
)
AGENT_CYCLES = _agents.counter("tweetbot_agent_cycles_total", "Cycles counted by the live agent.", "agent")
AGENT_LAST_EXECUTION = _agents.gauge(
    "tweetbot_agent_last_execution_timestamp_seconds", "lastExecutionTime of the live agent.", "agent"
)
AGENT_REPUTATION = _agents.gauge(
    "tweetbot_agent_reputation_ratio", "The agent's entry in the orchestrator's agentReputations.", "agent"
)
AGENT_AUTONOMY = _agents.gauge(
    "tweetbot_agent_autonomy_ratio", "The agent's entry in the orchestrator's autonomyLevels.", "agent"
)
AGENT_GOAL_PROGRESS = _agents.gauge(
    "tweetbot_agent_goal_progress_ratio",
    "evaluateGoalProgress() of the live agent; goal is primary, secondary, tactical or overall.",
    "agent",
    "goal",
)
AGENT_GOAL_PROGRESS_TIME = _agents.gauge(
    "tweetbot_agent_goal_progress_timestamp_seconds", "When the agent gave its goal progress.", "agent"
)
AGENT_ADAPTATIONS = _agents.counter(
    "tweetbot_agent_adaptations_total", "adaptationCount of the live agent.", "agent"
)
AGENT_PERFORMANCE = _agents.gauge(
    "tweetbot_agent_performance_ratio",
    "(reputation + overall goal progress + autonomy) / 3, where all three are known.",
    "agent",
)
AGENT_RECENT_DECISIONS = _agents.gauge(
    "tweetbot_agent_recent_decisions", "Length of the live agent's list of recent decisions.", "agent"
)
AGENT_DECISION_HISTORY = _agents.gauge(
    "tweetbot_agent_decision_history", "Length of the live agent's whole list of decisions.", "agent"
)
AGENT_SUCCESS_HISTORY = _agents.gauge(
    "tweetbot_agent_success_history_ratio",
    "Share of true among the known in the agent's success history.",
    "agent",
)
ORCHESTRATOR_RUNNING = _agents.gauge(
    "tweetbot_orchestrator_running", "1 if the orchestrator runs its cycle, else 0."
)
ORCHESTRATOR_CYCLES = _agents.counter(
    "tweetbot_orchestrator_cycles_total", "Orchestration cycles begun since the bridge was attached."
)
ORCHESTRATOR_CYCLES_FAILED = _agents.counter(
    "tweetbot_orchestrator_cycles_failed_total", "Orchestration cycles that threw or rejected."
)
ORCHESTRATOR_CYCLE_DURATION = _agents.histogram(
    "tweetbot_orchestrator_cycle_duration_seconds", "Duration of orchestration cycles.", CYCLE_BUCKETS
)
ORCHESTRATOR_LAST_CYCLE = _agents.gauge(
    "tweetbot_orchestrator_last_cycle_timestamp_seconds", "When the newest orchestration cycle began."
)
ORCHESTRATOR_LEARNING_RATE = _agents.gauge(
    "tweetbot_orchestrator_learning_rate_ratio", "systemLearningRate of the orchestrator."
)
ORCHESTRATOR_PERFORMANCE = _agents.gauge(
    "tweetbot_orchestrator_performance_ratio",
    "systemPerformance.metrics of the orchestrator; aspect is success, decision_quality or "
    "adaptation_effectiveness.",
    "aspect",
)
BRIDGE_STATE = _agents.gauge(
    "tweetbot_bridge_state_timestamp_seconds",
    "When the bridge made the newest state document that was read, also while none can be read.",
)

# --- Source 3: the bot's process -------------------------------------------------------------------------

_system = _Collector("system")

PROCESS_CPU = _system.counter(
    "tweetbot_process_cpu_seconds_total", "CPU time of the bot's process; mode is user or system.", "mode"
)
PROCESS_START = _system.gauge("tweetbot_process_start_time_seconds", "When the bot's process started.")
PROCESS_RESIDENT = _system.gauge(
    "tweetbot_process_resident_memory_bytes", "Resident memory of the bot's process."
)
PROCESS_HEAP_USED = _system.gauge("tweetbot_process_heap_used_bytes", "Used V8 heap of the bot's process.")
PROCESS_HEAP_SIZE = _system.gauge(
    "tweetbot_process_heap_size_bytes", "Size of the bot's V8 heap (heapTotal)."
)
PROCESS_HEAP_LIMIT = _system.gauge(
    "tweetbot_process_heap_limit_bytes", "V8 aborts the bot's process when its heap needs more than this."
)
PROCESS_FDS = _system.gauge("tweetbot_process_open_fds", "Open file descriptors of the bot's process.")
PROCESS_THREADS = _system.gauge("tweetbot_process_threads", "Threads of the bot's process.")
EVENTLOOP_P50 = _system.gauge(
    "tweetbot_process_eventloop_lag_p50_seconds",
    "Median delay of the bot's event loop in the last full minute.",
)
EVENTLOOP_P99 = _system.gauge(
    "tweetbot_process_eventloop_lag_p99_seconds",
    "99th percentile of the delay of the bot's event loop in the last full minute.",
)
EVENTLOOP_MAX = _system.gauge(
    "tweetbot_process_eventloop_lag_max_seconds",
    "Longest delay of the bot's event loop in the last full minute.",
)
NODEJS_INFO = _system.info("tweetbot_nodejs_info", "Node.js of the bot's process.", "version", "platform")

# --- Source 4: messages between agents -------------------------------------------------------------------

_communication = _Collector("communication")

MESSAGES = _communication.counter(
    "tweetbot_messages_total", "Calls of the channel's sendMessage.", "from_agent", "to_agent"
)
MESSAGES_FAILED = _communication.counter(
    "tweetbot_messages_failed_total", "Calls of sendMessage that threw or rejected.", "from_agent", "to_agent"
)
MESSAGE_LATENCY = _communication.histogram(
    "tweetbot_message_latency_seconds", "Time until sendMessage was done.", LATENCY_BUCKETS, "from_agent"
)
MESSAGES_QUEUED = _communication.gauge(
    "tweetbot_messages_queued", "Length of the channel's messageQueue, which the bot never empties."
)
NEGOTIATIONS = _communication.counter(
    "tweetbot_negotiations_total", "Negotiations, where the bot has them.", "agent"
)
NEGOTIATIONS_SUCCEEDED = _communication.counter(
    "tweetbot_negotiations_succeeded_total", "Negotiations that succeeded.", "agent"
)
AGENT_COORDINATION = _communication.gauge(
    "tweetbot_agent_coordination_ratio",
    "Successful / all negotiations since the bot's start; without any, delivered / sent messages.",
    "agent",
)

# --- Source 5: what agents report of themselves ----------------------------------------------------------

_reports = _Collector("self_reports")

REPORTED_DECISIONS = _reports.counter(
    "tweetbot_reported_decisions_total",
    "totalDecisions or decisionCount of getPerformanceMetrics().",
    "agent",
)
REPORTED_SOURCES = _reports.counter(
    "tweetbot_reported_sources_queried_total", "sourcesQueried of getPerformanceMetrics().", "agent"
)
REPORTED_SIGNALS = _reports.counter(
    "tweetbot_reported_signals_generated_total", "signalsGenerated of getPerformanceMetrics().", "agent"
)
REPORTED_API_CALLS = _reports.counter(
    "tweetbot_reported_api_calls_total", "apiCallsUsed of getPerformanceMetrics().", "agent"
)
REPORTED_SUCCESS = _reports.gauge(
    "tweetbot_reported_success_ratio", "successRate of getPerformanceMetrics().", "agent"
)
REPORTED_CONFIDENCE = _reports.gauge(
    "tweetbot_reported_confidence_ratio", "avgConfidence of getPerformanceMetrics().", "agent"
)
REPORTED_RESPONSE_TIME = _reports.gauge(
    "tweetbot_reported_response_time_seconds",
    "avgResponseTime of getPerformanceMetrics(), in seconds.",
    "agent",
)
REPORTED_CACHE_HIT = _reports.gauge(
    "tweetbot_reported_cache_hit_ratio", "cacheHitRate of getPerformanceMetrics().", "agent"
)
REPORTED_TIME = _reports.gauge(
    "tweetbot_reported_timestamp_seconds", "When the agent answered getPerformanceMetrics().", "agent"
)
REPORTED_VALUE = _reports.gauge(
    "tweetbot_reported_value",
    "Any other number of getPerformanceMetrics(); nested names are joined by a dot.",
    "agent",
    "name",
)
RESOURCE_EFFICIENCY = _reports.gauge(
    "tweetbot_agent_resource_efficiency_ratio",
    "The reported cache hit ratio; without one, signals per API call, at most 1.",
    "agent",
)

# --- About the exporter itself ---------------------------------------------------------------------------

_exporter = _Collector("exporter")

COLLECTOR_SUCCESS = _exporter.gauge(
    "tweetbot_scrape_collector_success", "1 if the collector delivered at this scrape, else 0.", "collector"
)
COLLECTOR_DURATION = _exporter.gauge(
    "tweetbot_scrape_collector_duration_seconds", "How long the collector took at this scrape.", "collector"
)
BUILD_INFO = _exporter.info(
    "tweetbot_exporter_build_info", "Version of the exporter and of its Python.", "version", "python_version"
)
LABEL_OVERFLOW = _exporter.counter(
    "tweetbot_label_overflow_total",
    "Rows or entries counted under the label value `other`, because a bound on label values was reached or a "
    "name has over 128 characters.",
    "collector",
)
BRIDGE_MALFORMED = _exporter.counter(
    "tweetbot_bridge_malformed_values_total",
    "Values of the bridge's documents that are there and cannot be used, and are left out; counted at each "
    "read.",
    "collector",
)
DATABASE_ROWS = _exporter.counter(
    "tweetbot_database_rows_total",
    "Rows that the exporter has read of a table, the first catch-up included.",
    "table",
)
DATABASE_MALFORMED = _exporter.counter(
    "tweetbot_database_malformed_values_total",
    "Values that are there and cannot be used, and are left out.",
    "table",
    "column",
)
DATABASE_UNREAD = _exporter.gauge(
    "tweetbot_database_unread_rows",
    "Row numbers between the last row read and the newest row: above 0 while catching up.",
    "table",
)
DATABASE_REPLACEMENTS = _exporter.counter(
    "tweetbot_database_replacements_total",
    "Times the database file was found to be another one; its totals were started anew.",
)
DATABASE_SIZE = _exporter.gauge("tweetbot_database_size_bytes", "Size of the database file.")
DATABASE_WAL = _exporter.gauge("tweetbot_database_wal_bytes", "Size of the write-ahead log; 0 without one.")
DATABASE_READ_DURATION = _exporter.histogram(
    "tweetbot_database_read_duration_seconds",
    "How long each read held its shared lock on the database, as seen by the exporter.",
    READ_BUCKETS,
)

# --- About the optimizer (a process of its own) -----------------------------------------------------------

_optimizer = _Collector("optimizer")

OPTIMIZER_INFO = _optimizer.info(
    "tweetbot_optimizer_info", "Version of the optimizer, and whether it may act.", "version", "mode"
)
OPTIMIZATIONS = _optimizer.counter(
    "tweetbot_optimizer_optimizations_total",
    "Closed optimizations in the ledger, by how they ended.",
    "bottleneck",
    "outcome",
)
OPTIMIZATIONS_OPEN = _optimizer.gauge(
    "tweetbot_optimizer_open", "Open optimizations, by what they wait for.", "bottleneck", "state"
)
OPTIMIZATION_IMPROVEMENT = _optimizer.histogram(
    "tweetbot_optimizer_improvement_ratio",
    "Measured improvement as a share of the value before; below 0 it got worse. Only what could be measured.",
    IMPROVEMENT_BUCKETS,
    "bottleneck",
)
OPTIMIZER_ACTIONS = _optimizer.counter(
    "tweetbot_optimizer_actions_total", "Actions asked of the bot, takings back included.", "agent", "action"
)
OPTIMIZER_ACTIONS_FAILED = _optimizer.counter(
    "tweetbot_optimizer_actions_failed_total",
    "Actions that the bot refused, failed or did not answer in time.",
    "agent",
    "action",
)
OPTIMIZER_ACTION_LAST = _optimizer.gauge(
    "tweetbot_optimizer_action_last_timestamp_seconds",
    "When an agent was last acted on; absent before the first time.",
    "agent",
    "action",
)
OPTIMIZER_WEBHOOKS = _optimizer.counter(
    "tweetbot_optimizer_webhook_requests_total", "Requests to the webhook, by HTTP status code.", "code"
)
OPTIMIZER_ALERTS = _optimizer.counter(
    "tweetbot_optimizer_alerts_total", "Alerts in the webhook's requests, whatever became of them."
)
OPTIMIZER_ALERTS_REJECTED = _optimizer.counter(
    "tweetbot_optimizer_alerts_rejected_total",
    "Alerts that were not acted on, by why.",
    "reason",
)
OPTIMIZER_LAST_RUN = _optimizer.gauge(
    "tweetbot_optimizer_last_run_timestamp_seconds", "When all open optimizations were last looked at."
)
OPTIMIZER_RECORDS_UP = _optimizer.gauge(
    "tweetbot_optimizer_prometheus_up", "1 if Prometheus answered when it was last asked, else 0."
)
OPTIMIZER_BOT_UP = _optimizer.gauge(
    "tweetbot_optimizer_bridge_up", "1 if the bot's bridge answered when it was last asked, else 0."
)

FAMILIES: tuple[Family, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Family))
