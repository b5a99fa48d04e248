"""What became of each decision: written when it is logged, or by an UPDATE much later, twice, or never.

A byte for each row says what is known of it, in blocks of BLOCK row numbers. So an outcome is counted when it
is first seen, whenever that is, and a later change of it only as a revision. What is still pending is counted
for each block, so that a second look at a block also finds which of its rows were deleted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.expressions import NANO
from exporter.collectors.sqlite.window import Moment, Window, mean, moment
from exporter.metrics import catalogue as c
from exporter.metrics.labels import LabelBounds
from exporter.metrics.samples import Samples

BLOCK = 1024
NEWEST_PENDING = 1000
BANDS = 10

_CONFIDENCE, _CONFIDENCE_KIND = sql.json_member("reasoning", sql.json_kind("reasoning"), "$.confidence")
_RAW_RESULT, _RESULT_KIND = sql.json_member("outcome", "outcome_kind", "$.actualResult")
_, _SUCCESS_KIND = sql.json_member("outcome", "outcome_kind", "$.success")
_RESULT = sql.real("raw_result", "result_kind")
_UNUSABLE = f"""
  {sql.not_object("outcome_kind")} + coalesce(success_kind NOT IN ('true', 'false'), 0)
  + (coalesce(result_kind IN ('integer', 'real'), 0) AND {_RESULT} IS NULL)"""

# With :pending 0 only the rows of which something is known. success: 1 is true, 2 is false.
OUTCOMES = f"""
WITH typed AS (
  SELECT *, {sql.json_kind("outcome")} AS outcome_kind FROM ({{source}})
), raw AS MATERIALIZED (
  SELECT row_id, agent, type, timestamp, reasoning, outcome_kind,
    {_SUCCESS_KIND} AS success_kind, {_RAW_RESULT} AS raw_result, {_RESULT_KIND} AS result_kind
  FROM typed
), clean AS MATERIALIZED (
  SELECT row_id, {sql.text("agent")} AS agent, type, timestamp, reasoning,
    CASE success_kind WHEN 'true' THEN 1 WHEN 'false' THEN 2 ELSE 0 END AS success,
    {_RESULT} AS result, {_UNUSABLE} AS unusable
  FROM raw
)
SELECT json_group_array(json_array(
  row_id, {sql.name("agent")}, success, result, unusable, {sql.epoch_ms("timestamp")},
  CASE WHEN success THEN {sql.name(sql.text("type"))} END,
  CASE WHEN success THEN {sql.ratio(_CONFIDENCE, _CONFIDENCE_KIND)} END))
FROM clean WHERE :pending OR success OR result IS NOT NULL OR unusable
"""

# The rows of which something may be known: that nothing is known of most is seen with one look at their JSON.
PERHAPS_KNOWN = f"""
SELECT * FROM ({{source}}) WHERE CASE {sql.json_kind("outcome")}
  WHEN 'object' THEN json_extract(outcome, '$.success', '$.actualResult') <> '[null,null]'
  ELSE outcome IS NOT NULL END
"""

# The byte of a row: whether it was added, the first known success and the one seen last (2 bits each, as in
# OUTCOMES), whether a numeric result was counted, whether an unusable outcome was.
_ADDED, _RESULT_COUNTED, _MALFORMED_COUNTED = 1, 32, 64
_FIRST_SHIFT, _LAST_SHIFT, _SUCCESS_BITS = 1, 3, 3
_PENDING = bytes(state & 0b111 == _ADDED for state in range(256))
"""For each state whether the row was added and its outcome is not known."""


class _Outcome(NamedTuple):
    """A row as OUTCOMES gives it. `confidence` is in 1e-9; what follows `ms` is given with a success only."""

    row_id: int
    agent: str | None
    success: int
    result: float | None
    unusable: int
    ms: int | None
    kind: str | None
    confidence: int | None


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A decision with a confidence and an outcome."""

    moment: Moment
    confidence: float
    succeeded: bool


@dataclass(frozen=True, slots=True)
class _Result:
    """A decision's newest numeric result; None where it was taken back."""

    moment: Moment
    value: float | None


class Outcomes:
    """The outcomes of the decisions that were added."""

    def __init__(self, labels: LabelBounds, window: int) -> None:
        self._labels = labels
        self._states: defaultdict[int, bytearray] = defaultdict(lambda: bytearray(BLOCK))
        self._pending: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._all_pending: Counter[str] = Counter()
        self._by_type: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._revisions: Counter[str] = Counter()
        self._results: Counter[str] = Counter()
        self._recent_results: defaultdict[str, Window[_Result]] = defaultdict(lambda: Window(window))
        self._resolved: Counter[tuple[str, int]] = Counter()
        self._resolved_succeeded: Counter[tuple[str, int]] = Counter()
        self._recent_resolved: defaultdict[str, Window[_Resolved]] = defaultdict(lambda: Window(window))

    def add(self, rows: Iterable[Sequence[Any]]) -> int:
        """Takes rows that are new; how many unusable values their outcomes have."""
        malformed = 0
        for row in rows:
            outcome = _Outcome(*row)
            block, place = divmod(outcome.row_id, BLOCK)
            self._states[block][place] = _ADDED
            self._count_pending(block, self._labels.known_agent(outcome.agent), 1)
            malformed += self._see(outcome)
        return malformed

    def look(self, rows: Iterable[Sequence[Any]]) -> int:
        """Takes rows again; how many unusable values they have that had none before."""
        return sum(self._see(_Outcome(*row)) for row in rows)

    def recount(self, block: int, rows: Iterable[Sequence[Any]]) -> int:
        """Takes all rows that a block still has; as `look`."""
        outcomes = [_Outcome(*row) for row in rows]
        malformed = sum(self._see(outcome) for outcome in outcomes)
        states = self._states[block]
        self._all_pending.subtract(self._pending.pop(block, Counter()))
        for outcome in outcomes:
            if _PENDING[states[outcome.row_id % BLOCK]]:
                self._count_pending(block, self._labels.known_agent(outcome.agent), 1)
        return malformed

    def newest_pending(self) -> list[int]:
        """The row numbers of the newest decisions whose outcome is not known."""
        found: list[int] = []
        for block in sorted(self._pending, reverse=True):
            if self._pending[block].total():
                row_ids = range(block * BLOCK, block * BLOCK + BLOCK)
                found += reversed([*compress(row_ids, self._states[block].translate(_PENDING))])
            if len(found) >= NEWEST_PENDING:
                break
        return found[:NEWEST_PENDING]

    def blocks(self) -> list[int]:
        """All blocks that rows were added to."""
        return list(self._states)

    def _see(self, outcome: _Outcome) -> int:
        block, place = divmod(outcome.row_id, BLOCK)
        states = self._states.get(block)
        if states is None or not states[place]:
            return 0
        state = states[place]
        agent = self._labels.known_agent(outcome.agent)
        first = state >> _FIRST_SHIFT & _SUCCESS_BITS
        if first and state >> _LAST_SHIFT & _SUCCESS_BITS != outcome.success:
            self._revisions[agent] += 1
        elif outcome.success and not first:
            self._count_pending(block, agent, -1)
            self._resolve(agent, outcome)
            first = outcome.success
        if outcome.result is not None or state & _RESULT_COUNTED:
            self._results[agent] += not state & _RESULT_COUNTED
            state |= _RESULT_COUNTED
            self._recent_results[agent].merge([_Result(moment(outcome.ms, outcome.row_id), outcome.result)])
        newly_unusable = 0 if state & _MALFORMED_COUNTED else outcome.unusable
        states[place] = (
            (state & (_ADDED | _RESULT_COUNTED | _MALFORMED_COUNTED))
            | first << _FIRST_SHIFT
            | outcome.success << _LAST_SHIFT
            | (_MALFORMED_COUNTED if outcome.unusable else 0)
        )
        return newly_unusable

    def _count_pending(self, block: int, agent: str, rows: int) -> None:
        self._pending[block][agent] += rows
        self._all_pending[agent] += rows

    def _resolve(self, agent: str, outcome: _Outcome) -> None:
        succeeded = outcome.success == 1
        pair = self._labels.known_type(outcome.agent, outcome.kind)
        self._by_type[pair][0 if succeeded else 1] += 1
        if outcome.confidence is None:
            return
        band = agent, min(outcome.confidence * BANDS // NANO, BANDS - 1)
        self._resolved[band] += 1
        self._resolved_succeeded[band] += succeeded
        resolved = _Resolved(moment(outcome.ms, outcome.row_id), outcome.confidence / NANO, succeeded)
        self._recent_resolved[agent].merge([resolved])

    def by_type(self, agent: str, kind: str) -> tuple[int, int]:
        """How many succeeded and how many failed."""
        succeeded, failed = self._by_type.get((agent, kind), (0, 0))
        return succeeded, failed

    def samples(self, out: Samples, agent: str, recent: set[Moment]) -> None:
        """An agent's outcomes; `recent` are the moments of its newest decisions."""
        results = [row.value for row in self._recent_results[agent].rows if row.moment in recent]
        errors = [(row.confidence - row.succeeded) ** 2 for row in self._recent_resolved[agent].rows]
        out.add(c.DECISIONS_PENDING, self._all_pending[agent], agent)
        out.add(c.DECISION_REVISIONS, self._revisions[agent], agent)
        out.add(c.DECISION_RESULTS, self._results[agent], agent)
        out.add(c.RECENT_ACTUAL_RESULT, mean(results), agent)
        out.add(c.DECISION_BRIER, mean(errors), agent)
        for band in range(BANDS):
            label = f"0.{band}"
            out.add(c.DECISION_RESOLVED, self._resolved[agent, band], agent, label)
            out.add(c.DECISION_RESOLVED_SUCCEEDED, self._resolved_succeeded[agent, band], agent, label)
