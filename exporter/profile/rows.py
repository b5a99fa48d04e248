"""The rows of a profile, and the family that each of them is. There is no other place that says so."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family

Unit = Literal["ratio", "seconds", "count", "bytes", "timestamp", "flag", "score"]

GROUPS = {
    "performance": "Performance",
    "adaptation": "Adaptation",
    "goals": "Goals and progress",
    "integration": "Integration",
    "process": "The bot's process",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`key` is the name in JSON. `moment` is the family that says when the value was true; None is now.

    `combine` makes one value of several series, such as those of the bot's processes.
    """

    group: str
    key: str
    title: str
    unit: Unit
    family: Family
    moment: Family | None
    where: dict[str, str] = field(default_factory=dict, hash=False)
    combine: Callable[[Iterable[float]], float] = sum

    @property
    def agent_label(self) -> str | None:
        """Which label names the agent; None where the value is the whole bot's."""
        return next((name for name in ("agent", "from_agent") if name in self.family.labels), None)


def _goal(key: str, goal: str) -> Row:
    title = f"Goal progress, {goal}"
    moment = c.AGENT_GOAL_PROGRESS_TIME
    return Row("goals", key, title, "ratio", c.AGENT_GOAL_PROGRESS, moment, {"goal": goal})


_RUN, _DECIDED, _LIVE, _REPORTED = c.EXECUTION_LAST, c.DECISION_LAST, c.BRIDGE_STATE, c.REPORTED_TIME

ROWS: tuple[Row, ...] = (
    Row("performance", "decisionCount", "Executions in the window", "count", c.RECENT_EXECUTIONS, _RUN),
    Row("performance", "successRate", "Success", "ratio", c.RECENT_SUCCESS, _RUN),
    Row("performance", "errorRate", "Errors", "ratio", c.RECENT_ERROR, _RUN),
    Row("performance", "avgResponseTime", "Response time", "seconds", c.RECENT_RESPONSE_TIME, _RUN),
    Row("performance", "avgConfidence", "Confidence", "ratio", c.RECENT_CONFIDENCE, _DECIDED),
    Row("performance", "brierScore", "Brier score (0 is best)", "score", c.DECISION_BRIER, _DECIDED),
    Row("performance", "executionsTotal", "Executions, all", "count", c.EXECUTIONS, _RUN),
    Row("performance", "decisionsTotal", "Decisions, all", "count", c.DECISIONS, _DECIDED),
    Row("performance", "liveSuccessRate", "Success, live history", "ratio", c.AGENT_SUCCESS_HISTORY, _LIVE),
    Row("performance", "reportedSuccessRate", "Success, reported", "ratio", c.REPORTED_SUCCESS, _REPORTED),
    Row(
        "performance",
        "reportedConfidence",
        "Confidence, reported",
        "ratio",
        c.REPORTED_CONFIDENCE,
        _REPORTED,
    ),
    Row(
        "performance",
        "reportedResponseTime",
        "Response time, reported",
        "seconds",
        c.REPORTED_RESPONSE_TIME,
        _REPORTED,
    ),
    Row("performance", "reportedDecisions", "Decisions, reported", "count", c.REPORTED_DECISIONS, _REPORTED),
    Row("adaptation", "adaptationScore", "Adaptation", "ratio", c.RECENT_ADAPTATION, _DECIDED),
    Row("adaptation", "adaptations", "Adaptations", "count", c.AGENT_ADAPTATIONS, _LIVE),
    Row("adaptation", "coordinationScore", "Coordination", "ratio", c.AGENT_COORDINATION, _LIVE),
    Row("adaptation", "resourceEfficiency", "Resource efficiency", "ratio", c.RESOURCE_EFFICIENCY, _REPORTED),
    Row("adaptation", "cacheHitRate", "Cache hits", "ratio", c.REPORTED_CACHE_HIT, _REPORTED),
    Row("adaptation", "apiCallsUsed", "API calls", "count", c.REPORTED_API_CALLS, _REPORTED),
    Row("adaptation", "sourcesQueried", "Sources queried", "count", c.REPORTED_SOURCES, _REPORTED),
    Row("adaptation", "signalsGenerated", "Signals generated", "count", c.REPORTED_SIGNALS, _REPORTED),
    Row("adaptation", "learningRate", "Learning rate", "score", c.DECISION_LEARNING_RATE, _DECIDED),
    _goal("goalProgress", "overall"),
    _goal("goalPrimary", "primary"),
    _goal("goalSecondary", "secondary"),
    _goal("goalTactical", "tactical"),
    Row("goals", "reputation", "Reputation", "ratio", c.AGENT_REPUTATION, _LIVE),
    Row("goals", "autonomyLevel", "Autonomy", "ratio", c.AGENT_AUTONOMY, _LIVE),
    Row("goals", "recordedAutonomy", "Autonomy, in its decisions", "ratio", c.RECENT_AUTONOMY, _DECIDED),
    Row("goals", "goalProgressNoise", "Goal progress, noise", "ratio", c.AGENT_GOAL_NOISE, None),
    Row("goals", "performanceRatio", "Performance, live", "ratio", c.AGENT_PERFORMANCE, _LIVE),
    Row(
        "goals",
        "performanceScore",
        "Performance, in its decisions",
        "ratio",
        c.DECISION_PERFORMANCE,
        _DECIDED,
    ),
    Row("integration", "isRunning", "Running", "flag", c.AGENT_RUNNING, _LIVE),
    Row("integration", "lastExecution", "Last execution, live", "timestamp", c.AGENT_LAST_EXECUTION, _LIVE),
    Row("integration", "lastLogged", "Last execution, logged", "timestamp", c.EXECUTION_LAST, _RUN),
    Row("integration", "cycleCount", "Cycles", "count", c.AGENT_CYCLES, _LIVE),
    Row("integration", "messageCount", "Messages sent", "count", c.MESSAGES, _LIVE),
    Row("integration", "messagesFailed", "Messages failed", "count", c.MESSAGES_FAILED, _LIVE),
    Row("integration", "messageLatency", "Message latency, mean", "seconds", c.MESSAGE_LATENCY, _LIVE),
    Row("integration", "negotiations", "Negotiations", "count", c.NEGOTIATIONS, _LIVE),
    Row("process", "residentMemory", "Resident memory", "bytes", c.PROCESS_RESIDENT, None),
    Row("process", "heapUsed", "Heap in use", "bytes", c.PROCESS_HEAP_USED, None),
    Row("process", "cpuSeconds", "CPU time", "seconds", c.PROCESS_CPU, None),
    Row("process", "eventLoopLag", "Event loop delay, p99", "seconds", c.EVENTLOOP_P99, None, combine=max),
    Row("process", "startTime", "Started", "timestamp", c.PROCESS_START, None, combine=min),
)

NO_VALUE_REASONS = {
    c.AGENT_COORDINATION: "it has neither negotiated nor sent a message since the bot's start",
    c.AGENT_GOAL_PROGRESS: "evaluateGoalProgress() has not answered with it, or its answers change by themselves",
    c.AGENT_GOAL_NOISE: "there were no two answers between which the agent did nothing",
    c.AGENT_PERFORMANCE: "needs reputation, autonomy and overall goal progress that is no noise",
    c.AGENT_REPUTATION: "the orchestrator keeps no reputation of it",
    c.DECISION_BRIER: "no decision has both a confidence and a known outcome",
    c.EVENTLOOP_P99: "measured by the bridge, once the bot has run for a full minute",
    c.MESSAGE_LATENCY: "no message of it has arrived since the bot's start",
    c.MESSAGES: "it has sent no message since the bot's start",
    c.MESSAGES_FAILED: "it has sent no message since the bot's start",
    c.NEGOTIATIONS: "the bridge knows of no negotiations of it",
    c.RECENT_RESPONSE_TIME: "no recent execution has a time other than 0: the agent does not measure it",
    c.RESOURCE_EFFICIENCY: "it reports neither a cache hit ratio nor signals and API calls",
}
"""Why a collector that works may have no value of a family; of the others the bot just has none."""

SCORED = ("successRate", "avgConfidence", "coordinationScore", "resourceEfficiency", "goalProgress")
"""The score is the mean of those that are known, if there are at least LEAST_SCORED."""
LEAST_SCORED = 2
