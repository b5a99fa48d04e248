"""What became of each decision: written when it is logged, or by an UPDATE much later, twice, or never.

A byte for each row says what is known of it, in blocks of BLOCK row numbers. So an outcome is counted when it
is first seen, whenever that is, and a later change of it only as a revision. What is still pending is counted
for each block, so that a second look at a block also finds which of its rows were deleted.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import compress
from typing import Any, NamedTuple

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Needs, Recent
from exporter.collectors.sqlite.batch import Batch
from exporter.collectors.sqlite.values import NANO, UNUSABLE
from exporter.collectors.sqlite.window import Row, Window, mean
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
from exporter.metrics.samples import Samples

BLOCK = 1024
NEWEST_PENDING = 1000
BANDS = 10

# The byte of a row: whether it was added, the first known success and the one seen last (2 bits each: unknown,
# true, false), whether a numeric result was counted, whether an unusable outcome was, and whether the row is gone: it
# may have been saved again in another one.
_ADDED, _RESULT_COUNTED, _MALFORMED_COUNTED, _GONE = 1, 32, 64, 128
_FIRST_SHIFT, _LAST_SHIFT, _SUCCESS_BITS = 1, 3, 3
_CODES = {None: 0, True: 1, False: 2}
_PENDING = bytes(state & (_GONE | 0b111) == _ADDED for state in range(256))
"""For each state whether the row was added and its outcome is not known."""


def _is_there(state: int) -> bool:
    return bool(state & _ADDED) and not state & _GONE


_BY_AGENT = frozenset({"agent", "outcome"})
_OUTCOME = frozenset({"agent", "type", "outcome"})
_CALIBRATED = frozenset({"agent", "outcome", "reasoning"})


_members = values.json_object("success", "actualResult")


class Outcome(NamedTuple):
    """What a decision's outcome says; `unusable` is how many of its values are."""

    success: bool | None = None
    result: float | None = None
    unusable: int = 0


_UNKNOWN = Outcome()


def outcome(cell: Any) -> Outcome:
    """Reads the column. An actualResult that is no number is normal; one that no float holds is unusable."""
    found = _members(cell)
    if found is None:
        return _UNKNOWN
    if found is UNUSABLE:
        return Outcome(unusable=1)
    success, result = values.boolean(found.success), None
    if type(found.actualResult) in (int, float):
        result = values.finite(found.actualResult)
    unusable = (success is UNUSABLE) + (result is UNUSABLE)
    return Outcome(
        None if success is UNUSABLE else success,
        None if result is None or result is UNUSABLE else float(result),
        unusable,
    )


class Decision(NamedTuple):
    """A row as it is now. `confidence` is in 1e-9."""

    row_id: int
    ms: int
    agent: str
    kind: str
    confidence: int | None
    outcome: Outcome


class Outcomes(Aggregate):
    """The outcomes of the decisions that were added."""

    def __init__(self, window: int, recent: Recent) -> None:
        self._window, self._recent = window, recent
        self._states: defaultdict[int, bytearray] = defaultdict(lambda: bytearray(BLOCK))
        self._pending: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._all_pending: Counter[str] = Counter()
        self._by_type: dict[tuple[str, str], list[int]] = {}
        self._revisions: Counter[str] = Counter()
        self._results: Counter[str] = Counter()
        self._recent_results: defaultdict[str, Window] = defaultdict(lambda: Window(window))
        self._resolved: dict[str, list[list[int]]] = {}
        self._recent_resolved: defaultdict[str, Window] = defaultdict(lambda: Window(window))
        self._changed = False
        self._late: dict[str, tuple[list[Row], list[Row]]] = {}

    @property
    def needs(self) -> Needs:
        return {
            c.DECISIONS_SUCCEEDED: _OUTCOME,
            c.DECISIONS_FAILED: _OUTCOME,
            c.DECISION_REVISIONS: _BY_AGENT,
            c.DECISIONS_PENDING: _BY_AGENT,
            c.DECISION_RESULTS: _BY_AGENT,
            c.RECENT_ACTUAL_RESULT: _BY_AGENT | {"timestamp"},
            c.DECISION_RESOLVED: _CALIBRATED,
            c.DECISION_RESOLVED_SUCCEEDED: _CALIBRATED,
            c.DECISION_BRIER: _CALIBRATED | {"timestamp"},
        }

    def fold(self, batch: Batch) -> None:
        """Nothing by itself: `add` takes the outcomes of a batch."""

    def add(self, decisions: Iterable[Decision]) -> int:
        """Takes rows that are new; how many unusable values their outcomes have."""
        malformed = 0
        for decision in decisions:
            block, place = divmod(decision.row_id, BLOCK)
            self._states[block][place] = _ADDED
            self._start(decision)
            self._count_pending(block, decision.agent, 1)
            malformed += self._see(decision)
        self._merge()
        return malformed

    def move(self, from_row: int, decision: Decision) -> int:
        """Takes a decision that was saved again in another row; as `look`."""
        old_block, old_place = divmod(from_row, BLOCK)
        block, place = divmod(decision.row_id, BLOCK)
        state = self._states[old_block][old_place]
        self._states[old_block][old_place] = 0
        self._states[block][place] = state & ~_GONE
        if _PENDING[state]:
            self._count_pending(old_block, decision.agent, -1)
        if _PENDING[state & ~_GONE]:
            self._count_pending(block, decision.agent, 1)
        for window in (self._recent_results[decision.agent], self._recent_resolved[decision.agent]):
            moved = [row for row in window.rows if row[1] == from_row]
            window.drop([from_row])
            window.merge((decision.ms, decision.row_id, *row[2:]) for row in moved)
        malformed = self._see(decision)
        self._merge()
        return malformed

    def look(self, decisions: Iterable[Decision]) -> int:
        """Takes rows again; how many unusable values they have that had none before."""
        # Those that were ahead of the clock when they were added stay the oldest.
        recent = {row[1]: row[0] for window in self._recent.windows.values() for row in window.rows}
        malformed = sum(
            self._see(decision._replace(ms=recent.get(decision.row_id, decision.ms)))
            for decision in decisions
        )
        for results, _ in self._late.values():
            results[:] = [row for row in results if row[1] in recent]
        self._merge()
        return malformed

    def may_differ(self, row_id: int, found: Outcome) -> bool:
        """Whether an outcome may be other than when the row was last seen."""
        block, place = divmod(row_id, BLOCK)
        states = self._states.get(block)
        if states is None or not _is_there(states[place]):
            return False
        state = states[place]
        return (
            state >> _LAST_SHIFT & _SUCCESS_BITS != _CODES[found.success]
            or bool(state & _MALFORMED_COUNTED) != bool(found.unusable)
            or found.result is not None
            or bool(state & _RESULT_COUNTED)
        )

    def recount(self, block: int, rows: Iterable[tuple[int, str]]) -> None:
        """Takes (row number, agent) of all rows that a block still has: pending ones may be gone."""
        states, before = self._states[block], self._pending.pop(block, Counter())
        self._all_pending.subtract(before)
        left = {row_id % BLOCK: agent for row_id, agent in rows}
        for place in compress(range(BLOCK), states.translate(_PENDING)):
            if place in left:
                self._count_pending(block, left[place], 1)
            else:
                states[place] |= _GONE
        self._changed = self._changed or before.total() != self._pending[block].total()

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

    def _see(self, decision: Decision) -> int:
        (block, place), found = divmod(decision.row_id, BLOCK), decision.outcome
        states = self._states.get(block)
        if states is None or not _is_there(states[place]):
            return 0
        before = state = states[place]
        success = _CODES[found.success]
        first = state >> _FIRST_SHIFT & _SUCCESS_BITS
        if first and state >> _LAST_SHIFT & _SUCCESS_BITS != success:
            self._revisions[decision.agent] += 1
        elif success and not first:
            self._count_pending(block, decision.agent, -1)
            self._resolve(decision)
            first = success
        if found.result is not None or state & _RESULT_COUNTED:
            self._results[decision.agent] += not state & _RESULT_COUNTED
            state |= _RESULT_COUNTED
            self._late_rows(decision.agent)[0].append((decision.ms, decision.row_id, found.result))
        states[place] = (
            (state & (_ADDED | _RESULT_COUNTED | _MALFORMED_COUNTED))
            | first << _FIRST_SHIFT
            | success << _LAST_SHIFT
            | (_MALFORMED_COUNTED if found.unusable else 0)
        )
        self._changed = self._changed or states[place] != before
        return 0 if before & _MALFORMED_COUNTED else found.unusable

    def _count_pending(self, block: int, agent: str, rows: int) -> None:
        self._pending[block][agent] += rows
        self._all_pending[agent] += rows

    def _start(self, decision: Decision) -> None:
        self._by_type.setdefault((decision.agent, decision.kind), [0, 0])
        self._resolved.setdefault(decision.agent, [[0, 0] for _ in range(BANDS)])

    def _resolve(self, decision: Decision) -> None:
        # A row that was changed may be of another agent than when it was added.
        self._start(decision)
        succeeded = bool(decision.outcome.success)
        self._by_type[decision.agent, decision.kind][0 if succeeded else 1] += 1
        if decision.confidence is None:
            return
        band = self._resolved[decision.agent][min(decision.confidence * BANDS // NANO, BANDS - 1)]
        band[0] += 1
        band[1] += succeeded
        resolved = (decision.ms, decision.row_id, decision.confidence, int(succeeded))
        self._late_rows(decision.agent)[1].append(resolved)

    def _late_rows(self, agent: str) -> tuple[list[Row], list[Row]]:
        return self._late.setdefault(agent, ([], []))

    def _merge(self) -> None:
        """Windows take a batch's rows at once: a merge for each row would be half of the cost."""
        for agent, (results, resolved) in self._late.items():
            known = self._recent_results[agent].rows
            self._recent_results[agent].drop({row[1] for row in results})
            self._recent_results[agent].merge(results)
            self._recent_resolved[agent].merge(resolved)
            self._changed = self._changed or known != self._recent_results[agent].rows
        self._late.clear()

    def has_changed(self) -> bool:
        """Whether anything became known since this was last asked."""
        changed, self._changed = self._changed, False
        return changed

    def samples(self, out: Samples) -> None:
        for (agent, kind), (succeeded, failed) in self._by_type.items():
            out.add(c.DECISIONS_SUCCEEDED, succeeded, agent, kind)
            out.add(c.DECISIONS_FAILED, failed, agent, kind)
        for agent, bands in self._resolved.items():
            out.add(c.DECISIONS_PENDING, self._all_pending[agent], agent)
            out.add(c.DECISION_REVISIONS, self._revisions[agent], agent)
            out.add(c.DECISION_RESULTS, self._results[agent], agent)
            for band, (resolved, succeeded) in enumerate(bands):
                out.add(c.DECISION_RESOLVED, resolved, agent, f"0.{band}")
                out.add(c.DECISION_RESOLVED_SUCCEEDED, succeeded, agent, f"0.{band}")
            self._recent_samples(out, agent)

    def _recent_samples(self, out: Samples, agent: str) -> None:
        """The results of the newest decisions, and the score of the newest that have an outcome."""
        window = self._recent.windows.get((agent,))
        recent = {row[1] for row in window.rows} if window else set()
        results = [row[2] for row in self._recent_results[agent].rows if row[1] in recent]
        out.add(c.RECENT_ACTUAL_RESULT, mean(results), agent)
        resolved = self._recent_resolved[agent].rows
        errors = [(confidence / NANO - success) ** 2 for *_, confidence, success in resolved]
        out.add(c.DECISION_BRIER, mean(errors), agent)

    def of_newest(self) -> Collection[Family]:
        return (c.RECENT_ACTUAL_RESULT, c.DECISION_BRIER)

    def only_full(self) -> None:
        for agent in [agent for agent, window in self._recent_resolved.items() if not window.is_full]:
            del self._recent_resolved[agent]

    def dump(self) -> Any:
        return {
            "states": [[block, bytes(states)] for block, states in self._states.items()],
            "pending": [[block, dict(agents)] for block, agents in self._pending.items()],
            "by_type": [[*pair, *counts] for pair, counts in self._by_type.items()],
            "revisions": dict(self._revisions),
            "results": dict(self._results),
            "resolved": self._resolved,
            "recent_results": [[agent, window.rows] for agent, window in self._recent_results.items()],
            "recent_resolved": [[agent, window.rows] for agent, window in self._recent_resolved.items()],
        }

    def load(self, found: Any) -> None:
        self._states.update((block, bytearray(states)) for block, states in found["states"])
        for block, agents in found["pending"]:
            for agent, rows in agents.items():
                self._count_pending(block, agent, rows)
        self._by_type = {(agent, kind): counts for agent, kind, *counts in found["by_type"]}
        self._revisions, self._results = Counter(found["revisions"]), Counter(found["results"])
        self._resolved = dict(found["resolved"])
        self._recent_results.update(self._windows(found["recent_results"]))
        self._recent_resolved.update(self._windows(found["recent_resolved"]))

    def _windows(self, found: Any) -> Iterator[tuple[str, Window]]:
        return ((agent, Window(self._window, map(tuple, rows))) for agent, rows in found)
