"""Source 2: live agents and the orchestrator."""

from exporter.metrics.catalogue.family import Declarations

CYCLE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

_declare = Declarations("agents")

AGENT_RUNNING = _declare.gauge(
    "tweetbot_agent_running", "1 if the live agent says that it runs, else 0.", "agent"
)
AGENT_CYCLES = _declare.counter("tweetbot_agent_cycles_total", "Cycles counted by the live agent.", "agent")
AGENT_LAST_EXECUTION = _declare.gauge(
    "tweetbot_agent_last_execution_timestamp_seconds", "lastExecutionTime of the live agent.", "agent"
)
AGENT_REPUTATION = _declare.gauge(
    "tweetbot_agent_reputation_ratio", "The agent's entry in the orchestrator's agentReputations.", "agent"
)
AGENT_AUTONOMY = _declare.gauge(
    "tweetbot_agent_autonomy_ratio", "The agent's entry in the orchestrator's autonomyLevels.", "agent"
)
AGENT_GOAL_PROGRESS = _declare.gauge(
    "tweetbot_agent_goal_progress_ratio",
    "evaluateGoalProgress() of the live agent; goal is primary, secondary, tactical or overall. Absent where it is "
    "noise (tweetbot_agent_goal_progress_noise_ratio).",
    "agent",
    "goal",
)
AGENT_GOAL_NOISE = _declare.gauge(
    "tweetbot_agent_goal_progress_noise_ratio",
    "Median change of the goal progress between two readings while the agent did nothing, over the newest 20 such "
    "pairs. Over 0.05, from five pairs on, the progress is noise: it is not exported, and has no part in any score.",
    "agent",
)
AGENT_GOAL_PROGRESS_TIME = _declare.gauge(
    "tweetbot_agent_goal_progress_timestamp_seconds", "When the agent gave its goal progress.", "agent"
)
AGENT_ADAPTATIONS = _declare.counter(
    "tweetbot_agent_adaptations_total", "adaptationCount of the live agent.", "agent"
)
AGENT_PERFORMANCE = _declare.gauge(
    "tweetbot_agent_performance_ratio",
    "(reputation + overall goal progress + autonomy) / 3, where all three are known.",
    "agent",
)
AGENT_RECENT_DECISIONS = _declare.gauge(
    "tweetbot_agent_recent_decisions", "Length of the live agent's list of recent decisions.", "agent"
)
AGENT_DECISION_HISTORY = _declare.gauge(
    "tweetbot_agent_decision_history", "Length of the live agent's whole list of decisions.", "agent"
)
AGENT_SUCCESS_HISTORY = _declare.gauge(
    "tweetbot_agent_success_history_ratio",
    "Share of true among the known in the agent's success history.",
    "agent",
)
ORCHESTRATOR_RUNNING = _declare.gauge(
    "tweetbot_orchestrator_running", "1 if the orchestrator runs its cycle, else 0."
)
ORCHESTRATOR_CYCLES = _declare.counter(
    "tweetbot_orchestrator_cycles_total", "Orchestration cycles begun since the bridge was attached."
)
ORCHESTRATOR_CYCLES_FAILED = _declare.counter(
    "tweetbot_orchestrator_cycles_failed_total",
    "Orchestration cycles that threw, rejected, or settled without reaching the bot's end mark where it has one "
    "(tweetbot_orchestrator_info).",
)
ORCHESTRATOR_CYCLES_SKIPPED = _declare.counter(
    "tweetbot_orchestrator_cycles_skipped_total",
    "Orchestration cycles that found the system paused; neither failed nor in the durations.",
)
ORCHESTRATOR_INFO = _declare.info(
    "tweetbot_orchestrator_info",
    "Completion says how a complete cycle is told from a failed one: end_mark where the bot calls "
    "logStrategicCycle() at the end of a complete cycle, return where it has no such method.",
    "completion",
)
ORCHESTRATOR_CYCLE_DURATION = _declare.histogram(
    "tweetbot_orchestrator_cycle_duration_seconds", "Duration of orchestration cycles.", CYCLE_BUCKETS
)
ORCHESTRATOR_LAST_CYCLE = _declare.gauge(
    "tweetbot_orchestrator_last_cycle_timestamp_seconds", "When the newest orchestration cycle began."
)
ORCHESTRATOR_LEARNING_RATE = _declare.gauge(
    "tweetbot_orchestrator_learning_rate_ratio", "systemLearningRate of the orchestrator."
)
ORCHESTRATOR_PERFORMANCE = _declare.gauge(
    "tweetbot_orchestrator_performance_ratio",
    "systemPerformance.metrics of the orchestrator; aspect is success, decision_quality or "
    "adaptation_effectiveness.",
    "aspect",
)
BRIDGE_UP = _declare.gauge(
    "tweetbot_bridge_up",
    "1 for each process of the bot whose bridge was read, 0 for one that did not answer, or was refused as another "
    "bot's.",
    "process",
)
BRIDGE_STATE = _declare.gauge(
    "tweetbot_bridge_state_timestamp_seconds",
    "When the bridge made the newest state document that was read, also while none can be read.",
)
