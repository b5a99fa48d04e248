"""agent_executions: how often each agent acted, how it went, how long it took."""

from collections.abc import Sequence
from typing import ClassVar

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import (
    Aggregate,
    Count,
    Gauge,
    Histogram,
    Newest,
    Recent,
    RowNames,
    Total,
    mean_of,
    size_of,
    start_of,
)
from exporter.collectors.sqlite.batch import Batch, By, Value
from exporter.collectors.sqlite.evidence import ROWS, mean_lower_bound, success_upper_bound
from exporter.collectors.sqlite.table import GrowingTable
from exporter.collectors.sqlite.values import MICRO, NANO
from exporter.collectors.sqlite.window import mean
from exporter.metrics import catalogue as c

AT = Value("timestamp", values.moment)
AGENT_NAME = Value("agent_name", values.name)
TYPE = Value("execution_type", values.name)
CONFIDENCE = Value("output_data", values.ratio, "confidence")
SIGNALS = Value("output_data", values.whole, "signalsGenerated")
SUCCESS = Value("success", values.zero_or_one)
DURATION = Value("execution_time_ms", values.milliseconds)
ERRORED = Value("error_message", values.whole)

PAIR = By(("agent_name", "execution_type"))
AGENT = By(("agent_name",))


def _response_time_bound(newest_first: Sequence[int | None]) -> float | None:
    bound = mean_lower_bound(newest_first)
    return None if bound is None else bound / MICRO


class Executions(GrowingTable):
    """Totals per agent and execution type, and each agent's newest rows."""

    name = "agent_executions"
    values = (AT, AGENT_NAME, TYPE, CONFIDENCE, SIGNALS, SUCCESS, DURATION, ERRORED)
    agent = AGENT_NAME
    at = AT
    columns = (
        "timestamp",
        "agent_name",
        "execution_type",
        "output_data",
        "success",
        "execution_time_ms",
        "error_message",
    )
    tested: ClassVar = frozenset({"error_message"})
    identity = ("timestamp", "agent_name", "execution_type", "execution_time_ms")

    def declare(self) -> tuple[Aggregate, ...]:
        recent = Recent(
            AGENT,
            self.config.database.window,
            AT,
            (
                size_of(c.RECENT_EXECUTIONS),
                mean_of(c.RECENT_SUCCESS, SUCCESS),
                mean_of(c.RECENT_ERROR, ERRORED),
                Gauge(c.RECENT_RESPONSE_TIME, _response_time, DURATION),
                start_of(c.RECENT_WINDOW_START),
            ),
        )
        evidence = Recent(
            AGENT,
            ROWS,
            AT,
            (
                Gauge(c.RECENT_SUCCESS_BOUND, success_upper_bound, SUCCESS),
                Gauge(c.RECENT_RESPONSE_TIME_BOUND, _response_time_bound, DURATION),
            ),
        )
        return (
            Count(c.EXECUTIONS, PAIR),
            Count(c.EXECUTIONS_SUCCEEDED, PAIR, SUCCESS, equals=1),
            Count(c.EXECUTIONS_FAILED, PAIR, SUCCESS, equals=0),
            Count(c.EXECUTIONS_ERRORED, PAIR, ERRORED, equals=1),
            Histogram(c.EXECUTION_DURATION, PAIR, DURATION, MICRO, RowNames("execution_id")),
            Histogram(c.EXECUTION_CONFIDENCE, AGENT, CONFIDENCE, NANO),
            Total(c.EXECUTION_SIGNALS, AGENT, SIGNALS),
            Newest(c.EXECUTION_LAST, AGENT, AT),
            recent,
            evidence,
        )

    def prepare(self, batch: Batch) -> Batch:
        pairs = self.label(batch.values[AGENT_NAME], batch.values[TYPE])
        batch.group(PAIR, pairs)
        batch.group(AGENT, [pair[:1] for pair in pairs])
        return batch


def _response_time(durations: list[int | None]) -> float | None:
    """None where all are 0: such an agent does not measure its time."""
    found = mean(durations)
    return found / MICRO if found else None
