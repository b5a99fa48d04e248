"""What most people would write: a collector that asks the whole history again at each scrape.

It gives the executions and decisions alone, without sums or exemplars, in the obvious way.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
_BUCKETS = ", ".join(f"sum(execution_time_ms <= {bound * 1000})" for bound in BOUNDS)

EXECUTIONS = f"""
SELECT agent_name, execution_type, count(*),
  sum(success = 1), sum(success = 0), sum(error_message IS NOT NULL),
  sum(execution_time_ms) / 1000.0, sum(json_extract(output_data, '$.signalsGenerated')), {_BUCKETS}
FROM agent_executions GROUP BY agent_name, execution_type
"""
RECENT = """
SELECT agent_name, avg(success), avg(execution_time_ms) / 1000 FROM (
  SELECT *, row_number() OVER (PARTITION BY agent_name ORDER BY timestamp DESC, id DESC) AS place
  FROM agent_executions)
WHERE place <= 50 GROUP BY agent_name
"""
DECISIONS = """
SELECT agent, type, count(*),
  sum(json_extract(outcome, '$.success') = 1), sum(json_extract(outcome, '$.success') = 0),
  sum(json_extract(reasoning, '$.confidence')), sum(json_array_length(system, '$.interAgentCommunication'))
FROM agent_decisions GROUP BY agent, type
"""
_EXECUTION_COUNTERS = ("executions", "executions_succeeded", "executions_failed", "executions_errored")
_DECISION_COUNTERS = ("decisions", "decisions_succeeded", "decisions_failed")


class PlainCollector(Collector):
    """Reads the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterator[Metric]:
        database = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
        executions = database.execute(EXECUTIONS).fetchall()
        recent = database.execute(RECENT).fetchall()
        decisions = database.execute(DECISIONS).fetchall()
        database.close()
        yield from _counters(_EXECUTION_COUNTERS, ("agent", "execution_type"), executions)
        yield from _counters(_DECISION_COUNTERS, ("agent", "decision_type"), decisions)
        durations = HistogramMetricFamily(
            "plain_execution_seconds", "Time.", labels=["agent", "execution_type"]
        )
        for agent, kind, rows, _, _, _, seconds, _, *counts in executions:
            buckets = [*zip(map(str, BOUNDS), counts, strict=True), ("+Inf", rows)]
            durations.add_metric([agent, kind], buckets, seconds)
        yield durations
        ratio = GaugeMetricFamily("plain_recent_success_ratio", "Share.", labels=["agent"])
        response = GaugeMetricFamily("plain_recent_seconds", "Time.", labels=["agent"])
        for agent, success, seconds in recent:
            ratio.add_metric([agent], success)
            response.add_metric([agent], seconds)
        yield from (ratio, response)


def _counters(
    names: tuple[str, ...], labels: tuple[str, ...], rows: list[tuple[object, ...]]
) -> Iterator[Metric]:
    for place, name in enumerate(names, start=len(labels)):
        family = CounterMetricFamily(f"plain_{name}", "Rows.", labels=labels)
        for row in rows:
            family.add_metric([str(value) for value in row[: len(labels)]], float(str(row[place] or 0)))
        yield family


def cost(path: Path) -> float:
    """CPU seconds of its page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PlainCollector(path))
    began = time.process_time()
    generate_latest(registry)
    return time.process_time() - began
