"""Source 5: what agents report of themselves."""

from exporter.metrics.catalogue.family import Declarations

_declare = Declarations("self_reports")

REPORTED_DECISIONS = _declare.counter(
    "tweetbot_reported_decisions_total",
    "totalDecisions or decisionCount of getPerformanceMetrics().",
    "agent",
)
REPORTED_SOURCES = _declare.counter(
    "tweetbot_reported_sources_queried_total", "sourcesQueried of getPerformanceMetrics().", "agent"
)
REPORTED_SIGNALS = _declare.counter(
    "tweetbot_reported_signals_generated_total", "signalsGenerated of getPerformanceMetrics().", "agent"
)
REPORTED_API_CALLS = _declare.counter(
    "tweetbot_reported_api_calls_total", "apiCallsUsed of getPerformanceMetrics().", "agent"
)
REPORTED_SUCCESS = _declare.gauge(
    "tweetbot_reported_success_ratio", "successRate of getPerformanceMetrics().", "agent"
)
REPORTED_CONFIDENCE = _declare.gauge(
    "tweetbot_reported_confidence_ratio", "avgConfidence of getPerformanceMetrics().", "agent"
)
REPORTED_RESPONSE_TIME = _declare.gauge(
    "tweetbot_reported_response_time_seconds",
    "avgResponseTime of getPerformanceMetrics(), in seconds.",
    "agent",
)
REPORTED_CACHE_HIT = _declare.gauge(
    "tweetbot_reported_cache_hit_ratio", "cacheHitRate of getPerformanceMetrics().", "agent"
)
REPORTED_TIME = _declare.gauge(
    "tweetbot_reported_timestamp_seconds", "When the agent answered getPerformanceMetrics().", "agent"
)
REPORTED_VALUE = _declare.gauge(
    "tweetbot_reported_value",
    "Any other number of getPerformanceMetrics(); nested names are joined by a dot.",
    "agent",
    "name",
)
RESOURCE_EFFICIENCY = _declare.gauge(
    "tweetbot_agent_resource_efficiency_ratio",
    "The reported cache hit ratio; without one, signals per API call, at most 1.",
    "agent",
)
