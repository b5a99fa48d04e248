"""What is counted of executions: how many succeed, how many have an error, how long they take."""

from exporter.optimizer.measures.base import Bounds, Estimate, Measure, Parts
from exporter.optimizer.measures.queries import EXECUTES, REBASED, counted, has_executions, rebased
from exporter.optimizer.measures.statistics import mean_of_histogram, share

_SUCCEEDED = "tweetbot_executions_succeeded_total"
_FAILED = "tweetbot_executions_failed_total"
_EXECUTIONS = "tweetbot_executions_total"
_ERRORED = "tweetbot_executions_errored_total"
_SECONDS = "tweetbot_execution_duration_seconds_sum"
_TIMED = "tweetbot_execution_duration_seconds_count"
_BUCKETS = "tweetbot_execution_duration_seconds_bucket"
_UP_TO = "up to "


def _success(parts: Parts) -> Estimate:
    known = parts.get("succeeded", 0.0) + parts.get("failed", 0.0)
    return share(parts.get("succeeded"), known, "executions")


def _errors(parts: Parts) -> Estimate:
    return share(parts.get("errored"), parts.get("executions", 0.0), "executions")


def _response_time(parts: Parts) -> Estimate:
    counts = {
        float(name.removeprefix(_UP_TO)): value for name, value in parts.items() if name.startswith(_UP_TO)
    }
    return mean_of_histogram(parts.get("seconds"), counts, parts.get("executions", 0.0), "executions")


SUCCESS_RATE = Measure(
    name="success_rate",
    scope="agent",
    direction="higher_is_better",
    unit="ratio",
    kind="events",
    relative=False,
    parts={
        REBASED: rebased(_SUCCEEDED, _FAILED),
        EXECUTES: has_executions(),
        "succeeded": counted(_SUCCEEDED),
        "failed": counted(_FAILED),
    },
    mean=_success,
    no_value="no executions with a known result were counted",
    text="success rate",
    events="executions",
    # It has the largest part of the error that all guardrails may make together: failures cost money.
    worse=Bounds(early=3.2, last=1.96),
)
ERROR_RATE = Measure(
    name="error_rate",
    scope="agent",
    direction="lower_is_better",
    unit="ratio",
    kind="events",
    relative=False,
    parts={
        REBASED: rebased(_EXECUTIONS),
        EXECUTES: has_executions(),
        "errored": counted(_ERRORED),
        "executions": counted(_EXECUTIONS),
    },
    mean=_errors,
    no_value="no executions were counted",
    text="error rate",
    events="executions",
    worse=Bounds(early=3.2, last=2.6),
)
RESPONSE_TIME = Measure(
    name="response_time",
    scope="agent",
    direction="lower_is_better",
    unit="seconds",
    kind="events",
    relative=True,
    parts={
        REBASED: rebased(_SECONDS, _TIMED),
        EXECUTES: has_executions(),
        "seconds": counted(_SECONDS),
        "executions": counted(_TIMED),
        _UP_TO: counted(_BUCKETS, "bot, agent, le"),
    },
    mean=_response_time,
    no_value="no executions with a duration were counted",
    text="response time",
    events="executions",
    worse=Bounds(early=3.2, last=2.6),
)
