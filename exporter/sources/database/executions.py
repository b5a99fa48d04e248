"""agent_executions: how often each agent acted, how it went, how long it took."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from prometheus_client.samples import Exemplar

from exporter import catalogue as c
from exporter.config import Config
from exporter.samples import HistogramValue
from exporter.sources.database import sql
from exporter.sources.database.names import type_label
from exporter.sources.database.sql import MICRO, NANO
from exporter.sources.database.table import Range, Read, Sums, Table, TableSamples, newest
from exporter.sources.database.window import Moment, Window, mean, moment

_CONFIDENCE, _CONFIDENCE_KIND = sql.json_member("output_data", "output_kind", "$.confidence")
_SIGNALS, _SIGNALS_KIND = sql.json_member("output_data", "output_kind", "$.signalsGenerated")
_US = sql.number("execution_time_ms", "typeof(execution_time_ms)", 1000, lowest=0)

# Each row's values: NULL where they are missing or unusable, `bad_…` counts the unusable ones.
CLEAN = f"""
WITH typed AS (
  SELECT *, {sql.json_kind("output_data")} AS output_kind FROM ({{source}})
), raw AS (
  SELECT *, {sql.epoch_ms("timestamp")} AS ms, {_US} AS us,
    {_CONFIDENCE} AS raw_confidence, {_CONFIDENCE_KIND} AS confidence_kind,
    {_SIGNALS} AS raw_signals, {_SIGNALS_KIND} AS signals_kind
  FROM typed
), clean AS MATERIALIZED (
  SELECT id, agent_name, execution_type, ms, us, error_message IS NOT NULL AS errored,
    CASE WHEN success IN (0, 1) THEN success END AS success,
    {sql.ratio("raw_confidence", "confidence_kind")} AS confidence,
    {sql.whole("raw_signals", "signals_kind")} AS signals,
    {sql.unusable("timestamp", "ms")} AS bad_timestamp,
    {sql.unusable("execution_time_ms", "us")} AS bad_time,
    success IS NOT NULL AND success NOT IN (0, 1) AS bad_success,
    {sql.not_object("output_kind")}
      + {sql.unusable("confidence_kind", sql.ratio("raw_confidence", "confidence_kind"))}
      + {sql.unusable("signals_kind", sql.whole("raw_signals", "signals_kind"))} AS bad_output
  FROM raw
)
"""

TOTALS = f"""{CLEAN}
SELECT json_array(
  max(id), count(*),
  json_object('timestamp', {sql.total("bad_timestamp")}, 'execution_time_ms', {sql.total("bad_time")},
    'success', {sql.total("bad_success")}, 'output_data', {sql.total("bad_output")}),
  (SELECT json_group_array(json_array({sql.name("agent_name")}, {sql.name("execution_type")}, first, newest, sums))
   FROM (
    SELECT agent_name, execution_type, min(id) AS first, max(ms) AS newest,
      json_array(
        count(*), count(*) FILTER (WHERE success = 1), count(*) FILTER (WHERE success = 0), sum(errored),
        {sql.total("signals")}, {sql.total("us")}, {sql.total("confidence")},
        {sql.cumulative("us", c.DURATION_BUCKETS, MICRO)},
        {sql.cumulative("confidence", c.RATIO_BUCKETS, NANO)}) AS sums
    FROM clean GROUP BY agent_name, execution_type))
) FROM clean
"""

# The newest rows of each agent in the range: no other of them can be among its newest of all.
RECENT = f"""{CLEAN}
SELECT json_group_array(json_array(
  {sql.name("agent_name")}, {sql.name("execution_type")}, id, ms, success, us, errored))
FROM (SELECT *, row_number() OVER (PARTITION BY agent_name ORDER BY ms DESC, id DESC) AS place FROM clean)
WHERE place <= :window
"""

_DURATIONS = len(c.DURATION_BUCKETS) + 1


@dataclass(frozen=True, slots=True)
class _Execution:
    """A row of the window. `us` is the execution time in microseconds."""

    moment: Moment
    id: int
    kind: str
    success: int | None
    us: int | None
    errored: int


@dataclass(slots=True)
class _Agent:
    recent: Window[_Execution]
    newest_ms: int | None = None


class Executions(Table):
    """Totals per agent and execution type, and each agent's newest rows."""

    name = "agent_executions"
    columns = (
        "timestamp",
        "agent_name",
        "execution_type",
        "output_data",
        "success",
        "execution_time_ms",
        "error_message",
    )
    identity = ("timestamp", "agent_name", "execution_type", "execution_time_ms")
    needs = {
        "timestamp": frozenset({c.EXECUTION_LAST, c.RECENT_WINDOW_START}),
        "execution_type": frozenset(
            {
                c.EXECUTIONS,
                c.EXECUTIONS_SUCCEEDED,
                c.EXECUTIONS_FAILED,
                c.EXECUTIONS_ERRORED,
                c.EXECUTION_DURATION,
            }
        ),
        "output_data": frozenset({c.EXECUTION_CONFIDENCE, c.EXECUTION_SIGNALS}),
        "success": frozenset({c.EXECUTIONS_SUCCEEDED, c.EXECUTIONS_FAILED, c.RECENT_SUCCESS}),
        "execution_time_ms": frozenset({c.EXECUTION_DURATION, c.RECENT_RESPONSE_TIME}),
        "error_message": frozenset({c.EXECUTIONS_ERRORED, c.RECENT_ERROR}),
    }

    def __init__(self, config: Config, present: frozenset[str]) -> None:
        super().__init__(config, present)
        self._totals_sql = TOTALS.format(source=self._source)
        self._recent_sql = RECENT.format(source=self._source)
        window = config.database.window
        self._agents: defaultdict[str, _Agent] = defaultdict(lambda: _Agent(Window(window)))
        self._sums: Sums[tuple[str, str]] = Sums()

    async def fold(self, read: Read, span: Range) -> int | None:
        last, rows, malformed, groups = await read(self._totals_sql, span.parameters())
        if last is None:
            return None
        recent = []
        if any(self._agents[label].recent.takes(ms) for label, ms in self._newest(groups).items()):
            recent = await self._read_recent(read, Range(span.after, last, span.limit))
        self.count(rows, malformed)
        for agent, kind, _, newest_ms, sums in sorted(groups, key=lambda group: group[2]):
            key = self.labels.pair("type", agent, type_label(kind), sums[0])
            self._sums.add(key, sums)
            state = self._agents[key[0]]
            state.newest_ms = newest(state.newest_ms, newest_ms)
        self._merge(recent)
        return last

    async def seed(self, read: Read, span: Range) -> None:
        """So that the first catch-up, oldest first, need not read every range's newest rows too."""
        self._merge(await self._read_recent(read, span))
