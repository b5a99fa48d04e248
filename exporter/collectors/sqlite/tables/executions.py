"""agent_executions: how often each agent acted, how it went, how long it took."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar

from prometheus_client.samples import Exemplar

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.expressions import MICRO, NANO
from exporter.collectors.sqlite.table import Range, Reads, Sums, Table, greatest, per_unit, seconds
from exporter.collectors.sqlite.window import Moment, Recent, mean, moment
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.labels import OTHER, spell_type
from exporter.metrics.samples import HistogramValue, Samples

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
  SELECT row_id, ms, us, {sql.text("agent_name")} AS agent_name, {sql.text("execution_type")} AS execution_type,
    typeof(agent_name) = 'blob' AS bad_agent, typeof(execution_type) = 'blob' AS bad_type,
    error_message IS NOT NULL AS errored,
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

# The newest :window rows of each agent in the range: no other of them can be among its newest of all.
RECENT = f"""
  SELECT json_group_array(json_array(
    {sql.name("agent_name")}, {sql.name("execution_type")}, row_id, ms, success, us, errored))
  FROM (
    SELECT agent_name, execution_type, row_id, ms, success, us, errored,
      row_number() OVER (PARTITION BY agent_name ORDER BY ms DESC, row_id DESC) AS place
    FROM clean WHERE :window)
  WHERE place <= :window
"""

TOTALS = f"""{CLEAN}
SELECT json_array(
  max(row_id), count(*),
  json_object('timestamp', {sql.total("bad_timestamp")}, 'agent_name', {sql.total("bad_agent")},
    'execution_type', {sql.total("bad_type")}, 'execution_time_ms', {sql.total("bad_time")},
    'success', {sql.total("bad_success")}, 'output_data', {sql.total("bad_output")}),
  (SELECT json_group_array(json_array(
      {sql.name("agent_name")}, {sql.name("execution_type")}, first, newest, json(sums)))
   FROM (
    SELECT agent_name, execution_type, min(row_id) AS first, max(ms) AS newest,
      json_array(
        count(*), count(*) FILTER (WHERE success = 1), count(*) FILTER (WHERE success = 0), sum(errored),
        {sql.total("signals")}, {sql.total("us")}, {sql.total("confidence")},
        {sql.cumulative("us", c.DURATION_BUCKETS, MICRO)},
        {sql.cumulative("confidence", c.RATIO_BUCKETS, NANO)}) AS sums
    FROM clean GROUP BY agent_name, execution_type)),
  ({RECENT})
) FROM clean
"""

RECENT_FAMILIES = (
    c.RECENT_EXECUTIONS,
    c.RECENT_SUCCESS,
    c.RECENT_ERROR,
    c.RECENT_RESPONSE_TIME,
    c.RECENT_WINDOW_START,
)

_COUNTS = 7
_DURATIONS = _COUNTS + len(c.DURATION_BUCKETS) + 1


@dataclass(frozen=True, slots=True)
class _Execution:
    """A row of the window; `us` is its execution time in microseconds."""

    moment: Moment
    kind: str
    success: int | None
    us: int | None
    errored: int

    def exemplar(self) -> Exemplar:
        ms, row_id = self.moment
        return Exemplar({"execution_id": str(row_id)}, (self.us or 0) / MICRO, seconds(ms))


def _execution(
    kind: str | None, row_id: int, ms: int | None, success: int | None, us: int | None, errored: int
) -> _Execution:
    return _Execution(moment(ms, row_id), spell_type(kind) or OTHER, success, us, errored)


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
    required = ("agent_name",)
    needs: ClassVar = {
        "timestamp": {c.EXECUTION_LAST, *RECENT_FAMILIES},
        "execution_type": {
            c.EXECUTIONS,
            c.EXECUTIONS_SUCCEEDED,
            c.EXECUTIONS_FAILED,
            c.EXECUTIONS_ERRORED,
            c.EXECUTION_DURATION,
        },
        "output_data": {c.EXECUTION_CONFIDENCE, c.EXECUTION_SIGNALS},
        "success": {c.EXECUTIONS_SUCCEEDED, c.EXECUTIONS_FAILED, c.RECENT_SUCCESS},
        "execution_time_ms": {c.EXECUTION_DURATION, c.RECENT_RESPONSE_TIME},
        "error_message": {c.EXECUTIONS_ERRORED, c.RECENT_ERROR},
    }

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._totals_sql = TOTALS.format(source=self.source)
        self._reach_sql = sql.reach(self.source, "agent_name")
        self._sums = Sums()
        self._newest: dict[str, int | None] = {}
        self._recent: Recent[_Execution] = Recent(self.labels, self.window)

    async def seed(self, read: Reads, span: Range) -> None:
        self._recent.seed(await read.json(self._reach_sql, {**span.parameters(), "window": self.window}))

    @property
    def passed_over(self) -> bool:
        return self._recent.passed_over

    async def fold(self, read: Reads, span: Range) -> int | None:
        window = self._recent.expected
        last, rows, malformed, groups, recent = await self._read(read, span, window)
        if last is None:
            return None
        if self._recent.wants((agent, newest_ms) for agent, _, _, newest_ms, _ in groups) and not window:
            *_, recent = await self._read(read, Range(span.after, last, span.limit), self.window)
        self.count(rows, malformed)
        for agent, kind, _, newest_ms, sums in sorted(groups, key=itemgetter(2)):
            key = self.labels.bound_type(agent, kind, sums[0])
            self._sums.add(key, sums)
            self._newest[key[0]] = greatest(self._newest.get(key[0]), newest_ms)
        self._recent.merge((row[0], _execution(*row[1:])) for row in recent)
        return int(last)

    async def _read(self, read: Reads, span: Range, window: int) -> list[Any]:
        found: list[Any] = await read.json(self._totals_sql, {**span.parameters(), "window": window})
        return found

    def samples(self, out: Samples) -> None:
        exemplars = {agent: self._exemplars(agent) for agent in self._newest}
        for (agent, kind), sums in self._sums.items():
            out.add(c.EXECUTIONS, sums[0], agent, kind)
            out.add(c.EXECUTIONS_SUCCEEDED, sums[1], agent, kind)
            out.add(c.EXECUTIONS_FAILED, sums[2], agent, kind)
            out.add(c.EXECUTIONS_ERRORED, sums[3], agent, kind)
            durations = HistogramValue(sums[_COUNTS:_DURATIONS], sums[5] / MICRO, exemplars[agent][kind])
            out.add(c.EXECUTION_DURATION, durations, agent, kind)
        for agent, sums in self._sums.by_first().items():
            out.add(c.EXECUTION_SIGNALS, sums[4], agent)
            out.add(c.EXECUTION_CONFIDENCE, HistogramValue(sums[_DURATIONS:], sums[6] / NANO), agent)
            out.add(c.EXECUTION_LAST, seconds(self._newest[agent]), agent)
            self._recent_samples(out, agent, self._recent.rows(agent))

    def _recent_samples(self, out: Samples, agent: str, rows: list[_Execution]) -> None:
        readable = (start for row in reversed(rows) if (start := seconds(row.moment[0])) is not None)
        out.add(c.RECENT_EXECUTIONS, len(rows), agent)
        out.add(c.RECENT_SUCCESS, mean(row.success for row in rows), agent)
        out.add(c.RECENT_ERROR, mean(row.errored for row in rows), agent)
        out.add(c.RECENT_RESPONSE_TIME, per_unit(mean(row.us for row in rows), MICRO), agent)
        out.add(c.RECENT_WINDOW_START, next(readable, None), agent)

    def _exemplars(self, agent: str) -> defaultdict[str, dict[int, Exemplar]]:
        """For each type, and each bucket, the newest row of the window that is in it."""
        newest = {
            (row.kind, bisect_left(c.DURATION_BUCKETS, row.us / MICRO)): row
            for row in reversed(self._recent.rows(agent))
            if row.us is not None
        }
        exemplars: defaultdict[str, dict[int, Exemplar]] = defaultdict(dict)
        for (kind, bucket), row in newest.items():
            exemplars[kind][bucket] = row.exemplar()
        return exemplars
