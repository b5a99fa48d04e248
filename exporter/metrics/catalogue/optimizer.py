"""About the optimizer, a process of its own with its own /metrics."""

from exporter.metrics.catalogue.family import Declarations

IMPROVEMENT_BUCKETS = (-0.5, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.5, 1.0)

_declare = Declarations("optimizer")

OPTIMIZER_INFO = _declare.info(
    "tweetbot_optimizer_info", "Version of the optimizer, and whether it may act.", "version", "mode"
)
OPTIMIZATIONS = _declare.counter(
    "tweetbot_optimizer_optimizations_total",
    "Closed optimizations in the ledger, by how they ended.",
    "bottleneck",
    "outcome",
)
OPTIMIZATIONS_OPEN = _declare.gauge(
    "tweetbot_optimizer_open", "Open optimizations, by what they wait for.", "bottleneck", "state"
)
OPTIMIZATION_IMPROVEMENT = _declare.histogram(
    "tweetbot_optimizer_improvement_ratio",
    "Measured improvement as a share of the value before; below 0 it got worse. Only what could be measured.",
    IMPROVEMENT_BUCKETS,
    "bottleneck",
)
OPTIMIZER_ACTIONS = _declare.counter(
    "tweetbot_optimizer_actions_total", "Actions asked of the bot, rollbacks included.", "agent", "action"
)
OPTIMIZER_ACTIONS_FAILED = _declare.counter(
    "tweetbot_optimizer_actions_failed_total",
    "Actions that the bot refused, failed or did not answer in time.",
    "agent",
    "action",
)
OPTIMIZER_ACTION_LAST = _declare.gauge(
    "tweetbot_optimizer_action_last_timestamp_seconds",
    "When an agent was last acted on; absent before the first time.",
    "agent",
    "action",
)
OPTIMIZER_CHANGE = _declare.gauge(
    "tweetbot_optimizer_change_timestamp_seconds",
    "When the optimizer last changed values of an agent, by the step that it took and what became of the change: "
    "a state while it is open, then its outcome.",
    "agent",
    "step",
    "outcome",
)
OPTIMIZER_LEDGER = _declare.gauge(
    "tweetbot_optimizer_ledger_timestamp_seconds",
    "When each of the newest 20 optimizations in the ledger came into its state. The outcome is that state while it "
    "is open; why it ended as it did is there once it has ended.",
    "id",
    "agent",
    "bottleneck",
    "outcome",
    "reason",
)
OPTIMIZER_LEDGER_MEASURED = _declare.gauge(
    "tweetbot_optimizer_ledger_measured_value",
    "What each of the newest 20 optimizations is about, as it was measured before and after: seconds for "
    "agent_response_time, else a ratio. Absent while it is not measured.",
    "id",
    "agent",
    "bottleneck",
    "phase",
)
OPTIMIZER_LEDGER_IMPROVEMENT = _declare.gauge(
    "tweetbot_optimizer_ledger_improvement_ratio",
    "By how much each of the newest 20 optimizations made it better, as a share of the value before.",
    "id",
    "agent",
    "bottleneck",
)
OPTIMIZER_SUSPENDED = _declare.gauge(
    "tweetbot_optimizer_suspended", "1 while nothing new is done until somebody resumes it, else 0."
)
OPTIMIZER_WEBHOOKS = _declare.counter(
    "tweetbot_optimizer_webhook_requests_total", "Requests to the webhook, by HTTP status code.", "code"
)
OPTIMIZER_ALERTS = _declare.counter(
    "tweetbot_optimizer_alerts_total", "Alerts in the webhook's requests, whatever became of them."
)
OPTIMIZER_ALERTS_REJECTED = _declare.counter(
    "tweetbot_optimizer_alerts_rejected_total",
    "Alerts that were not acted on, by why.",
    "reason",
)
OPTIMIZER_LAST_RUN = _declare.gauge(
    "tweetbot_optimizer_last_run_timestamp_seconds", "When all open optimizations were last looked at."
)
OPTIMIZER_RECORDS_UP = _declare.gauge(
    "tweetbot_optimizer_prometheus_up", "1 if Prometheus answered when it was last asked, else 0."
)
OPTIMIZER_BOT_UP = _declare.gauge(
    "tweetbot_optimizer_bridge_up", "1 if the bot's bridge answered when it was last asked, else 0."
)
