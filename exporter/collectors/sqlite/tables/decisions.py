"""agent_decisions: what each agent decided, how sure it was, in which state, and what it said to others.

What became of a decision is in outcomes.py, since it is written later.
"""

import json
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from operator import itemgetter
from typing import Any, ClassVar

from prometheus_client.samples import Exemplar

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.connection import TooLongError
from exporter.collectors.sqlite.expressions import NANO
from exporter.collectors.sqlite.table import Range, Reads, Sums, Table, greatest, per_unit, seconds
from exporter.collectors.sqlite.tables.outcomes import BLOCK, OUTCOMES, PERHAPS_KNOWN, Outcomes
from exporter.collectors.sqlite.window import Moment, Recent, mean, moment
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.samples import HistogramValue, Samples

LOOK = 250
"""Rows that are looked at again in one read."""
RISKS = ("low", "medium", "high", "other")


def _member(column: str, kind: str, name: str) -> str:
    value, type_ = sql.json_member(column, kind, f"$.{name}")
    return f"{value} AS raw_{name}, {type_} AS {name}_kind"


def _clean_ratio(name: str) -> str:
    return sql.ratio(f"raw_{name}", f"{name}_kind")


_LEARNING_RATE = sql.real("raw_learningRate", "learningRate_kind", lowest=0)

# Each row's values: NULL where they are missing or unusable, `bad_…` counts the unusable ones.
CLEAN = f"""
WITH typed AS (
  SELECT *, {sql.json_kind("reasoning")} AS reasoning_kind, {sql.json_kind("agent_state")} AS state_kind,
    {sql.json_kind("system")} AS system_kind, {sql.json_kind("feedback")} AS feedback_kind
  FROM ({{source}})
), raw AS (
  SELECT *, {sql.epoch_ms("timestamp")} AS ms,
    {_member("reasoning", "reasoning_kind", "confidence")},
    {_member("reasoning", "reasoning_kind", "riskAssessment")},
    {_member("reasoning", "reasoning_kind", "alternatives")},
    {_member("agent_state", "state_kind", "autonomyLevel")},
    {_member("agent_state", "state_kind", "performanceScore")},
    {_member("agent_state", "state_kind", "learningRate")},
    {_member("system", "system_kind", "interAgentCommunication")},
    {_member("feedback", "feedback_kind", "learningAdjustments")}
  FROM typed
), clean AS MATERIALIZED (
  SELECT row_id, {sql.text('"id"')} AS decision_id, {sql.text("agent")} AS agent, {sql.text("type")} AS type, ms,
    typeof(agent) = 'blob' AS bad_agent, typeof(type) = 'blob' AS bad_type,
    {_clean_ratio("confidence")} AS confidence,
    CASE WHEN lower(raw_riskAssessment) IN ('low', 'medium', 'high') THEN lower(raw_riskAssessment)
      WHEN riskAssessment_kind IS NOT NULL THEN 'other' END AS risk,
    CASE WHEN alternatives_kind = 'array' THEN json_array_length(raw_alternatives) END AS alternatives,
    {_clean_ratio("autonomyLevel")} AS autonomy,
    {_clean_ratio("performanceScore")} AS performance,
    {_LEARNING_RATE} AS learning_rate,
    CASE WHEN interAgentCommunication_kind = 'array' THEN raw_interAgentCommunication END AS messages,
    CASE WHEN learningAdjustments_kind = 'array' THEN json_array_length(raw_learningAdjustments) END
      AS adjustments,
    {sql.unusable("timestamp", "ms")} AS bad_timestamp,
    {sql.not_object("reasoning_kind")} + {sql.unusable("confidence_kind", _clean_ratio("confidence"))}
      + coalesce(alternatives_kind <> 'array', 0) AS bad_reasoning,
    {sql.not_object("state_kind")} + {sql.unusable("autonomyLevel_kind", _clean_ratio("autonomyLevel"))}
      + {sql.unusable("performanceScore_kind", _clean_ratio("performanceScore"))}
      + {sql.unusable("learningRate_kind", _LEARNING_RATE)} AS bad_state,
    {sql.not_object("system_kind")} + coalesce(interAgentCommunication_kind <> 'array', 0) AS bad_system,
    {sql.not_object("feedback_kind")} + coalesce(learningAdjustments_kind <> 'array', 0) AS bad_feedback
  FROM raw
)
"""

# Rows are put in order by the row number and the place of the entry where a pair was first spoken of.
MESSAGES = f"""
SELECT agent, target, min(format('%019d %09d', row_id, place)) AS first, count(*) AS entries FROM (
  SELECT row_id, agent, entry.key AS place,
    CASE WHEN entry.type = 'object' AND json_type(entry.value, '$.target') = 'text'
      THEN {sql.name("json_extract(entry.value, '$.target')")} END AS target
  FROM clean, json_each(clean.messages) AS entry
) GROUP BY agent, target
"""

# The newest :window rows of each agent in the range: no other of them can be among its newest of all.
RECENT = f"""
  SELECT json_group_array(json_array(
    {sql.name("agent")}, row_id, ms, {sql.name("decision_id")},
    confidence, autonomy, performance, learning_rate, adjustments))
  FROM (
    SELECT agent, row_id, ms, decision_id, confidence, autonomy, performance, learning_rate, adjustments,
      row_number() OVER (PARTITION BY agent ORDER BY ms DESC, row_id DESC) AS place
    FROM clean WHERE :window)
  WHERE place <= :window
"""

TOTALS = f"""{CLEAN}
SELECT json_array(
  max(row_id), count(*),
  json_object('timestamp', {sql.total("bad_timestamp")}, 'agent', {sql.total("bad_agent")},
    'type', {sql.total("bad_type")}, 'reasoning', {sql.total("bad_reasoning")},
    'agent_state', {sql.total("bad_state")}, 'system', {sql.total("bad_system")},
    'feedback', {sql.total("bad_feedback")}),
  (SELECT json_group_array(json_array({sql.name("agent")}, {sql.name("type")}, first, newest, json(sums))) FROM (
    SELECT agent, type, min(row_id) AS first, max(ms) AS newest,
      json_array(
        count(*), {sql.total("adjustments")}, {sql.total("confidence")}, {sql.total("alternatives")},
        {", ".join(f"count(*) FILTER (WHERE risk = '{risk}')" for risk in RISKS)},
        {sql.cumulative("confidence", c.RATIO_BUCKETS, NANO)},
        {sql.cumulative("alternatives", c.ALTERNATIVES_BUCKETS, 1)}) AS sums
    FROM clean GROUP BY agent, type)),
  (SELECT json_group_array(json_array({sql.name("agent")}, target, first, entries)) FROM ({MESSAGES})),
  ({RECENT})
) FROM clean
"""

_RISK, _HISTOGRAMS = 4, 4 + len(RISKS)
_ALTERNATIVES = _HISTOGRAMS + len(c.RATIO_BUCKETS) + 1


@dataclass(frozen=True, slots=True)
class _Decision:
    """A row of the window; ratios in 1e-9."""

    moment: Moment
    decision_id: str | None
    confidence: int | None
    autonomy: int | None
    performance: int | None
    learning_rate: float | None
    adjustments: int | None

    def exemplar(self) -> Exemplar:
        labels = {"decision_id": self.decision_id or ""}
        return Exemplar(labels, (self.confidence or 0) / NANO, seconds(self.moment[0]))


def _decision(row_id: int, ms: int | None, decision_id: str | None, *values: Any) -> _Decision:
    return _Decision(moment(ms, row_id), decision_id and decision_id.replace("\0", "\ufffd"), *values)


class Decisions(Table):
    """Totals per agent and decision type, each agent's newest rows, and the outcomes."""

    name = "agent_decisions"
    columns = (
        "id",
        "timestamp",
        "agent",
        "type",
        "reasoning",
        "outcome",
        "agent_state",
        "system",
        "feedback",
    )
    identity = ("id", "timestamp", "agent")
    required = ("agent",)
    needs: ClassVar = {
        "timestamp": {
            c.DECISION_LAST,
            c.RECENT_ACTUAL_RESULT,
            c.DECISION_AUTONOMY,
            c.DECISION_PERFORMANCE,
            c.DECISION_LEARNING_RATE,
            c.RECENT_CONFIDENCE,
            c.RECENT_AUTONOMY,
            c.RECENT_ADAPTATION,
            c.DECISION_BRIER,
        },
        "type": {c.DECISIONS, c.DECISIONS_SUCCEEDED, c.DECISIONS_FAILED},
        "reasoning": {
            c.DECISIONS_BY_RISK,
            c.DECISION_CONFIDENCE,
            c.DECISION_ALTERNATIVES,
            c.RECENT_CONFIDENCE,
            c.DECISION_BRIER,
            c.DECISION_RESOLVED,
            c.DECISION_RESOLVED_SUCCEEDED,
        },
        "outcome": {
            c.DECISIONS_SUCCEEDED,
            c.DECISIONS_FAILED,
            c.DECISION_REVISIONS,
            c.DECISIONS_PENDING,
            c.DECISION_RESULTS,
            c.RECENT_ACTUAL_RESULT,
            c.DECISION_BRIER,
            c.DECISION_RESOLVED,
            c.DECISION_RESOLVED_SUCCEEDED,
        },
        "agent_state": {
            c.DECISION_AUTONOMY,
            c.DECISION_PERFORMANCE,
            c.DECISION_LEARNING_RATE,
            c.RECENT_AUTONOMY,
        },
        "system": {c.DECISION_MESSAGES},
        "feedback": {c.LEARNING_ADJUSTMENTS, c.RECENT_ADAPTATION},
    }

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._totals_sql = TOTALS.format(source=self.source)
        self._reach_sql = sql.reach(self.source, "agent")
        self._outcomes_sql = OUTCOMES.format(source=self.source)
        chosen = sql.chosen(self.name, self.columns, present)
        self._look_sql = OUTCOMES.format(source=PERHAPS_KNOWN.format(source=chosen))
        self._sums = Sums()
        self._messages = Sums()
        self._newest: dict[str, int | None] = {}
        self._recent: Recent[_Decision] = Recent(self.labels, self.window)
        self._next_block = -1
        self.outcomes = Outcomes(self.labels, self.window)

    async def seed(self, read: Reads, span: Range) -> None:
        self._recent.seed(await read.json(self._reach_sql, {**span.parameters(), "window": self.window}))

    @property
    def passed_over(self) -> bool:
        return self._recent.passed_over

    async def fold(self, read: Reads, span: Range) -> int | None:
        window = self._recent.expected
        last, rows, malformed, groups, messages, recent = await self._read(read, span, window)
        if last is None:
            return None
        span = Range(span.after, last, span.limit)
        if self._recent.wants((agent, newest_ms) for agent, _, _, newest_ms, _ in groups) and not window:
            *_, recent = await self._read(read, span, self.window)
        outcomes = await self._read_outcomes(read, span)
        self.count(rows, malformed)
        self._add(groups)
        self._add_messages(messages)
        self._recent.merge((row[0], _decision(*row[1:])) for row in recent)
        self.malformed["outcome"] += self.outcomes.add(outcomes)
        return int(last)

    async def follow(self, read: Reads) -> bool:
        """Looks at the newest decisions whose outcome is not known yet."""
        changed = False
        row_ids = self.outcomes.newest_pending()
        left = [row_ids[start : start + LOOK] for start in range(0, len(row_ids), LOOK)]
        while left:
            chosen = left.pop()
            try:
                found = await read.json(self._look_sql, {"row_ids": json.dumps(chosen), "pending": 0})
            except TooLongError:
                middle = len(chosen) // 2
                # An outcome that cannot be read in time by itself stays as it was.
                left += [chosen[:middle], chosen[middle:]] if middle else []
                continue
            self.malformed["outcome"] += self.outcomes.look(found)
            changed = changed or bool(found)
        return changed

    async def revisit(self, read: Reads, share: float) -> None:
        """Looks at the next `share` of all decisions, whatever is known of them, a block of rows at a time."""
        blocks = self.outcomes.blocks()
        for _ in range(ceil(len(blocks) * share)):
            self._next_block = (self._next_block + 1) % len(blocks)
            block = blocks[self._next_block]
            rows, complete = await self._read_block(read, block)
            see = partial(self.outcomes.recount, block) if complete else self.outcomes.look
            self.malformed["outcome"] += see(rows)

    async def _read_block(self, read: Reads, block: int) -> tuple[list[Any], bool]:
        """The outcomes of a block's rows, and whether of all: one may be too large to be read in time."""
        after, last, limit = block * BLOCK - 1, block * BLOCK + BLOCK - 1, LOOK
        found: list[Any] = []
        complete = True
        while after < last:
            try:
                rows = await self._read_outcomes(read, Range(after, last, limit))
            except TooLongError:
                if limit == 1:
                    after, complete = after + 1, False
                limit = max(1, limit // 2)
                continue
            if not rows:
                break
            found.extend(rows)
            after, limit = rows[-1][0], min(LOOK, limit * 2)
        return found, complete

    async def _read(self, read: Reads, span: Range, window: int) -> list[Any]:
        found: list[Any] = await read.json(self._totals_sql, {**span.parameters(), "window": window})
        return found

    async def _read_outcomes(self, read: Reads, span: Range) -> list[Any]:
        rows: list[Any] = await read.json(self._outcomes_sql, {**span.parameters(), "pending": 1})
        return rows

    def _add(self, groups: list[Any]) -> None:
        for agent, kind, _, newest_ms, sums in sorted(groups, key=itemgetter(2)):
            key = self.labels.bound_type(agent, kind, sums[0])
            self._sums.add(key, sums)
            self._newest[key[0]] = greatest(self._newest.get(key[0]), newest_ms)

    def _add_messages(self, messages: list[Any]) -> None:
        for agent, target, _, entries in sorted(messages, key=itemgetter(2)):
            if target is None:
                self.malformed["system"] += entries
                continue
            pair = self.labels.bound_recipient(agent, target, entries)
            self._messages.add(pair, [entries])

    def samples(self, out: Samples) -> None:
        for (agent, kind), sums in self._sums.items():
            out.add(c.DECISIONS, sums[0], agent, kind)
            succeeded, failed = self.outcomes.by_type(agent, kind)
            out.add(c.DECISIONS_SUCCEEDED, succeeded, agent, kind)
            out.add(c.DECISIONS_FAILED, failed, agent, kind)
        for (agent, target), (entries,) in self._messages.items():
            out.add(c.DECISION_MESSAGES, entries, agent, target)
        for agent, sums in self._sums.by_first().items():
            self._total_samples(out, agent, sums)
            self._recent_samples(out, agent, self._recent.rows(agent))
            self.outcomes.samples(out, agent, {row.moment for row in self._recent.rows(agent)})

    def _total_samples(self, out: Samples, agent: str, sums: list[int]) -> None:
        confidences, alternatives = sums[_HISTOGRAMS:_ALTERNATIVES], sums[_ALTERNATIVES:]
        for position, risk in enumerate(RISKS):
            out.add(c.DECISIONS_BY_RISK, sums[_RISK + position], agent, risk)
        out.add(c.LEARNING_ADJUSTMENTS, sums[1], agent)
        out.add(
            c.DECISION_CONFIDENCE, HistogramValue(confidences, sums[2] / NANO, self._exemplars(agent)), agent
        )
        out.add(c.DECISION_ALTERNATIVES, HistogramValue(alternatives, sums[3]), agent)
        out.add(c.DECISION_LAST, seconds(self._newest[agent]), agent)

    def _recent_samples(self, out: Samples, agent: str, rows: list[_Decision]) -> None:
        newest_row = rows[0]
        out.add(c.DECISION_AUTONOMY, per_unit(newest_row.autonomy, NANO), agent)
        out.add(c.DECISION_PERFORMANCE, per_unit(newest_row.performance, NANO), agent)
        out.add(c.DECISION_LEARNING_RATE, newest_row.learning_rate, agent)
        out.add(c.RECENT_CONFIDENCE, per_unit(mean(row.confidence for row in rows), NANO), agent)
        out.add(c.RECENT_AUTONOMY, per_unit(mean(row.autonomy for row in rows), NANO), agent)
        out.add(c.RECENT_ADAPTATION, mean(bool(row.adjustments) for row in rows), agent)

    def _exemplars(self, agent: str) -> dict[int, Exemplar]:
        """For each bucket the newest row of the window that is in it."""
        newest = {
            bisect_left(c.RATIO_BUCKETS, row.confidence / NANO): row
            for row in reversed(self._recent.rows(agent))
            if row.confidence is not None and row.decision_id is not None
        }
        return {bucket: row.exemplar() for bucket, row in newest.items()}
