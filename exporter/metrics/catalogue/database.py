"""Source 1: the SQLite database."""

from exporter.metrics.catalogue.family import Declarations

DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
RATIO_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
ALTERNATIVES_BUCKETS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
HOLDING_BUCKETS = (
    60.0,
    300.0,
    900.0,
    3600.0,
    14400.0,
    43200.0,
    86400.0,
    259200.0,
    604800.0,
    2592000.0,
    7776000.0,
)
TRADE_BUCKETS = (10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)

_declare = Declarations("database")

# agent_executions
EXECUTIONS = _declare.counter(
    "tweetbot_executions_total", "Rows of agent_executions.", "agent", "execution_type"
)
EXECUTIONS_SUCCEEDED = _declare.counter(
    "tweetbot_executions_succeeded_total",
    "Rows of agent_executions with success = 1.",
    "agent",
    "execution_type",
)
EXECUTIONS_FAILED = _declare.counter(
    "tweetbot_executions_failed_total",
    "Rows of agent_executions with success = 0; a NULL is neither succeeded nor failed.",
    "agent",
    "execution_type",
)
EXECUTIONS_ERRORED = _declare.counter(
    "tweetbot_executions_errored_total",
    "Rows of agent_executions whose error_message is not NULL.",
    "agent",
    "execution_type",
)
EXECUTION_DURATION = _declare.histogram(
    "tweetbot_execution_duration_seconds",
    "agent_executions.execution_time_ms, in seconds; some agents always log 0.",
    DURATION_BUCKETS,
    "agent",
    "execution_type",
)
EXECUTION_CONFIDENCE = _declare.histogram(
    "tweetbot_execution_confidence_ratio",
    "confidence in agent_executions.output_data, 0 to 1.",
    RATIO_BUCKETS,
    "agent",
)
EXECUTION_SIGNALS = _declare.counter(
    "tweetbot_execution_signals_total", "Sum of signalsGenerated in agent_executions.output_data.", "agent"
)
EXECUTION_LAST = _declare.gauge(
    "tweetbot_execution_last_timestamp_seconds", "Newest agent_executions.timestamp.", "agent"
)
RECENT_EXECUTIONS = _declare.gauge(
    "tweetbot_recent_executions",
    "Executions in the agent's recent window: its newest 50 rows, or all while there are fewer.",
    "agent",
)
RECENT_SUCCESS = _declare.gauge(
    "tweetbot_recent_success_ratio",
    "Share of succeeded among the recent executions whose success is known.",
    "agent",
)
RECENT_ERROR = _declare.gauge(
    "tweetbot_recent_error_ratio", "Share of the recent executions that have an error_message.", "agent"
)
RECENT_RESPONSE_TIME = _declare.gauge(
    "tweetbot_recent_response_time_seconds",
    "Mean execution_time_ms of the recent executions, in seconds. Absent where all of them are 0: then the "
    "agent does not measure its time.",
    "agent",
)
RECENT_SUCCESS_BOUND = _declare.gauge(
    "tweetbot_recent_success_upper_bound_ratio",
    "The agent's true success ratio is at most this, or its newest 10 to 500 executions are a coincidence of 1 in "
    "400000; 1 where they say nothing against it.",
    "agent",
)
RECENT_RESPONSE_TIME_BOUND = _declare.gauge(
    "tweetbot_recent_response_time_lower_bound_seconds",
    "The agent's true mean execution time is at least this, or its newest 10 to 500 executions are a coincidence of "
    "1 in 400000; 0 where they say nothing against it.",
    "agent",
)
RECENT_WINDOW_START = _declare.gauge(
    "tweetbot_recent_window_start_timestamp_seconds",
    "Timestamp of the oldest of the recent executions: how far back 'recent' reaches.",
    "agent",
)

# agent_decisions
DECISIONS = _declare.counter("tweetbot_decisions_total", "Rows of agent_decisions.", "agent", "decision_type")
DECISIONS_SUCCEEDED = _declare.counter(
    "tweetbot_decisions_succeeded_total",
    "Decisions whose first known outcome.success was true.",
    "agent",
    "decision_type",
)
DECISIONS_FAILED = _declare.counter(
    "tweetbot_decisions_failed_total",
    "Decisions whose first known outcome.success was false.",
    "agent",
    "decision_type",
)
DECISION_REVISIONS = _declare.counter(
    "tweetbot_decision_outcome_revisions_total",
    "Changes of outcome.success seen after it was first known; they change no other counter.",
    "agent",
)
DECISIONS_PENDING = _declare.gauge(
    "tweetbot_decisions_pending", "Decisions whose outcome.success is neither true nor false.", "agent"
)
DECISIONS_BY_RISK = _declare.counter(
    "tweetbot_decisions_by_risk_total",
    "Decisions by reasoning.riskAssessment: low, medium, high or other; those without one are left out.",
    "agent",
    "risk",
)
DECISION_CONFIDENCE = _declare.histogram(
    "tweetbot_decision_confidence_ratio",
    "confidence in agent_decisions.reasoning, 0 to 1.",
    RATIO_BUCKETS,
    "agent",
)
DECISION_ALTERNATIVES = _declare.histogram(
    "tweetbot_decision_alternatives",
    "Number of alternatives in agent_decisions.reasoning.",
    ALTERNATIVES_BUCKETS,
    "agent",
)
DECISION_RESULTS = _declare.counter(
    "tweetbot_decision_results_total", "Decisions whose outcome.actualResult became a number.", "agent"
)
RECENT_ACTUAL_RESULT = _declare.gauge(
    "tweetbot_recent_actual_result",
    "Mean numeric outcome.actualResult of the agent's newest 50 decisions; may be negative.",
    "agent",
)
DECISION_AUTONOMY = _declare.gauge(
    "tweetbot_decision_autonomy_ratio",
    "autonomyLevel in agent_state of the agent's newest decision.",
    "agent",
)
DECISION_PERFORMANCE = _declare.gauge(
    "tweetbot_decision_performance_score_ratio",
    "performanceScore in agent_state of the agent's newest decision.",
    "agent",
)
DECISION_LEARNING_RATE = _declare.gauge(
    "tweetbot_decision_learning_rate_ratio",
    "learningRate in agent_state of the agent's newest decision.",
    "agent",
)
LEARNING_ADJUSTMENTS = _declare.counter(
    "tweetbot_learning_adjustments_total",
    "Entries of feedback.learningAdjustments in agent_decisions.",
    "agent",
)
RECENT_CONFIDENCE = _declare.gauge(
    "tweetbot_recent_confidence_ratio",
    "Mean reasoning.confidence of the agent's newest 50 decisions.",
    "agent",
)
RECENT_AUTONOMY = _declare.gauge(
    "tweetbot_recent_autonomy_ratio",
    "Mean agent_state.autonomyLevel of the agent's newest 50 decisions.",
    "agent",
)
RECENT_ADAPTATION = _declare.gauge(
    "tweetbot_recent_adaptation_ratio",
    "Share of the agent's newest 50 decisions that have a learning adjustment.",
    "agent",
)
DECISION_MESSAGES = _declare.counter(
    "tweetbot_decision_messages_total",
    "Entries of system.interAgentCommunication in agent_decisions, by their target.",
    "agent",
    "to_agent",
)
DECISION_BRIER = _declare.gauge(
    "tweetbot_decision_brier_score",
    "Mean squared difference of confidence and outcome (1 or 0) over the newest 50 decisions that have both; "
    "0 is perfect, 0.25 is what a constant 0.5 gets.",
    "agent",
)
DECISION_CONFIDENCE_GAP = _declare.gauge(
    "tweetbot_decision_confidence_gap_ratio",
    "Mean confidence minus the share that succeeded, of the newest 50 decisions that have both; above 0 the agent is "
    "too sure of itself.",
    "agent",
)
DECISION_CONFIDENCE_GAP_ERROR = _declare.gauge(
    "tweetbot_decision_confidence_gap_error_ratio",
    "Standard error of tweetbot_decision_confidence_gap_ratio for an agent whose confidences are true.",
    "agent",
)
DECISION_RESOLVED = _declare.counter(
    "tweetbot_decision_resolved_total",
    "Decisions with a known outcome and a confidence, by the confidence band's lower bound.",
    "agent",
    "confidence_band",
)
DECISION_RESOLVED_SUCCEEDED = _declare.counter(
    "tweetbot_decision_resolved_succeeded_total",
    "Those of tweetbot_decision_resolved_total that succeeded: the calibration curve's numerator.",
    "agent",
    "confidence_band",
)
DECISION_LAST = _declare.gauge(
    "tweetbot_decision_last_timestamp_seconds", "Newest agent_decisions.timestamp.", "agent"
)

# portfolio, portfolio_history
PORTFOLIO_BTC = _declare.gauge("tweetbot_portfolio_balance_btc", "btc_balance of the live portfolio row.")
PORTFOLIO_USD = _declare.gauge("tweetbot_portfolio_balance_usd", "usd_balance of the live portfolio row.")
PORTFOLIO_VALUE = _declare.gauge(
    "tweetbot_portfolio_value_usd",
    "usd_balance + btc_balance × the newest price: of market_data, else of a snapshot, else of a decision's context; "
    "without BTC no price is needed.",
)
PORTFOLIO_START_VALUE = _declare.gauge(
    "tweetbot_portfolio_starting_value_usd", "The starting value given in the configuration."
)
PORTFOLIO_GOAL_VALUE = _declare.gauge(
    "tweetbot_portfolio_goal_value_usd", "The goal given in the configuration."
)
PORTFOLIO_WEEK_START_VALUE = _declare.gauge(
    "tweetbot_portfolio_week_start_value_usd",
    "total_value_usd of the first snapshot at or after Monday 00:00 UTC of this week.",
)
PORTFOLIO_DAY_START_VALUE = _declare.gauge(
    "tweetbot_portfolio_day_start_value_usd",
    "total_value_usd of the first snapshot at or after 00:00 UTC of today.",
)
PORTFOLIO_GROWTH = _declare.gauge(
    "tweetbot_portfolio_growth_ratio", "(value - starting value) / starting value; may be negative."
)
PORTFOLIO_GOAL_PROGRESS = _declare.gauge(
    "tweetbot_portfolio_goal_progress_ratio",
    "(value - starting value) / (goal - starting value); 1 is the goal, may be negative or above 1.",
)
PORTFOLIO_DEPLOYED = _declare.gauge(
    "tweetbot_portfolio_deployed_ratio", "Share of the portfolio's value that is held in BTC."
)
PORTFOLIO_PEAK = _declare.gauge(
    "tweetbot_portfolio_peak_value_usd",
    "Highest of the starting value, total_value_usd in portfolio_history and the live value.",
)
PORTFOLIO_DRAWDOWN = _declare.gauge(
    "tweetbot_portfolio_max_drawdown_ratio",
    "Largest fall from an earlier peak, from the starting value over portfolio_history to the live value, as a share "
    "of that peak.",
)
PORTFOLIO_UPDATED = _declare.gauge(
    "tweetbot_portfolio_updated_timestamp_seconds", "last_updated of the live portfolio row."
)
PORTFOLIO_SNAPSHOT = _declare.gauge(
    "tweetbot_portfolio_snapshot_timestamp_seconds", "Newest portfolio_history.timestamp."
)

# trades
TRADES = _declare.counter("tweetbot_trades_total", "Rows of trades; agent is executed_by.", "agent", "side")
TRADE_VOLUME_BTC = _declare.counter(
    "tweetbot_trade_volume_btc_total", "Sum of trades.amount_btc.", "agent", "side"
)
TRADE_VOLUME_USD = _declare.counter(
    "tweetbot_trade_volume_usd_total", "Sum of trades.total_usd, fees not included.", "agent", "side"
)
TRADE_FEES = _declare.counter("tweetbot_trade_fees_usd_total", "Sum of trades.fee_usd.", "agent", "side")
TRADE_VALUE = _declare.histogram(
    "tweetbot_trade_value_usd", "trades.total_usd, fees not included.", TRADE_BUCKETS, "side"
)
TRADES_PROFITABLE = _declare.counter(
    "tweetbot_trades_profitable_total",
    "Sells that earned more than the buys they were matched with (first in, first out) cost, fees included.",
    "agent",
)
TRADES_UNPROFITABLE = _declare.counter(
    "tweetbot_trades_unprofitable_total", "Matched sells that earned nothing or made a loss.", "agent"
)
TRADE_GAINS = _declare.counter(
    "tweetbot_trade_gains_usd_total", "Sum of the profitable sells' gains.", "agent"
)
TRADE_LOSSES = _declare.counter(
    "tweetbot_trade_losses_usd_total", "Sum of the unprofitable sells' losses, as a positive number.", "agent"
)
TRADE_UNMATCHED = _declare.counter(
    "tweetbot_trade_unmatched_btc_total", "BTC sold for which no earlier buy is in the table.", "agent"
)
POSITION_BTC = _declare.gauge(
    "tweetbot_position_btc", "BTC of the buys that no sell was matched with yet (first in, first out)."
)
POSITION_COST = _declare.gauge(
    "tweetbot_position_cost_usd",
    "What those buys cost, fees included; divided by tweetbot_position_btc it is the average cost.",
)
POSITION_OPENED = _declare.gauge(
    "tweetbot_position_opened_timestamp_seconds", "Timestamp of the oldest of those buys."
)
POSITION_PROFIT = _declare.gauge(
    "tweetbot_position_unrealized_profit_usd",
    "Those buys at the newest price, less what they cost; may be negative, absent without a price.",
)
TRADE_HOLDING = _declare.histogram(
    "tweetbot_trades_holding_seconds",
    "Time from a buy to a sell that was matched with it; one observation for each buy that a sell takes from.",
    HOLDING_BUCKETS,
)
TRADE_LAST = _declare.gauge("tweetbot_trade_last_timestamp_seconds", "Newest trades.timestamp.", "side")

# market_data
MARKET_PRICE = _declare.gauge("tweetbot_market_price_usd", "price_usd of the newest market_data row.")
MARKET_VOLUME = _declare.gauge("tweetbot_market_volume_24h_usd", "volume_24h of the newest market_data row.")
MARKET_CHANGE = _declare.gauge(
    "tweetbot_market_price_change_24h_ratio",
    "price_change_24h of the newest market_data row, from percent to a ratio; may be negative.",
)
MARKET_FEAR_GREED = _declare.gauge(
    "tweetbot_market_fear_greed_index",
    "fear_greed_index of the newest market_data row: 0 is extreme fear, 100 extreme greed.",
)
MARKET_UPDATED = _declare.gauge(
    "tweetbot_market_updated_timestamp_seconds", "Timestamp of the newest market_data row."
)

# control tables
SYSTEM_PAUSED = _declare.gauge(
    "tweetbot_system_paused",
    "1 while system_config says that system_status is paused, else 0. A paused bot is silent on purpose.",
)
SYSTEM_ALERTS = _declare.counter("tweetbot_system_alerts_total", "Rows of system_alerts.", "level")
SYSTEM_COMMANDS = _declare.gauge(
    "tweetbot_system_commands", "Rows of system_commands by their status.", "status"
)
