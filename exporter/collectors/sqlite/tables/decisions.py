"""agent_decisions: what each agent decided, how sure it was, in which state, and what it said to others.

What became of a decision is in outcomes.py, since it is written later.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import ceil
from typing import Any

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import (
    Aggregate,
    Count,
    Gauge,
    Histogram,
    Needs,
    Newest,
    Recent,
    RowNames,
    Total,
    mean_of,
    newest_of,
)
from exporter.collectors.sqlite.batch import Batch, By, Cleaner, Group, Value
from exporter.collectors.sqlite.known_ids import KnownIds
from exporter.collectors.sqlite.table import Cells, GrowingTable, Rows
from exporter.collectors.sqlite.tables.decision_price import PriceSearch
from exporter.collectors.sqlite.tables.outcomes import BLOCK, Decision, Outcomes, outcome
from exporter.collectors.sqlite.values import NANO, UNUSABLE
from exporter.collectors.sqlite.window import mean
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.labels import OTHER, LabelBounds
from exporter.metrics.samples import Samples

RISKS = ("low", "medium", "high", OTHER)


def risk(value: Any) -> str | None:
    """A risk; what is none of the three is another one."""
    if value is None:
        return None
    lower = value.lower() if type(value) is str else OTHER
    return lower if lower in RISKS else OTHER


def target(entry: Any) -> str | None:
    """Whom a message was for; None where it does not say so."""
    found = entry.get("target") if type(entry) is dict else None
    return found if type(found) is str else None


ID = Value("id", values.name)
AT = Value("timestamp", values.moment)
AGENT_NAME = Value("agent", values.name)
TYPE = Value("type", values.name)
CONFIDENCE = Value("reasoning", values.ratio, "confidence")
RISK = Value("reasoning", risk, "riskAssessment")
ALTERNATIVES = Value("reasoning", values.length, "alternatives")
OUTCOME = Value("outcome", outcome)
AUTONOMY = Value("agent_state", values.ratio, "autonomyLevel")
PERFORMANCE = Value("agent_state", values.ratio, "performanceScore")
LEARNING_RATE = Value("agent_state", values.not_negative, "learningRate")
MESSAGES = Value("system", values.array, "interAgentCommunication")
ADJUSTMENTS = Value("feedback", values.length, "learningAdjustments")

PAIR = By(("agent", "type"))
AGENT = By(("agent",))
BY_RISK = By(("agent", "reasoning"))


class Messages(Aggregate):
    """Entries of what an agent said to others, by whom it said it to."""

    def __init__(self, labels: LabelBounds, malformed: Counter[str]) -> None:
        self._labels, self._malformed = labels, malformed
        self._totals: dict[tuple[str, str], int] = {}

    @property
    def needs(self) -> Needs:
        return {c.DECISION_MESSAGES: frozenset({AGENT_NAME.column, MESSAGES.column})}

    def fold(self, batch: Batch) -> None:
        for group, entries in zip(batch.groups[AGENT], batch.values[MESSAGES], strict=True):
            if entries and group is not None:
                for to_agent in map(target, entries):
                    self._add(group[0], to_agent)

    def _add(self, agent: str, to_agent: str | None) -> None:
        if to_agent is None:
            self._malformed[MESSAGES.column] += 1
            return
        pair = self._labels.recipient_of(agent, to_agent, 1)
        self._totals[pair] = self._totals.get(pair, 0) + 1

    def samples(self, out: Samples) -> None:
        for pair, entries in self._totals.items():
            out.add(c.DECISION_MESSAGES, entries, *pair)

    def dump(self) -> Any:
        return [[*pair, entries] for pair, entries in self._totals.items()]

    def load(self, found: Any) -> None:
        self._totals = {(agent, to_agent): entries for agent, to_agent, entries in found}


class Decisions(GrowingTable):
    """Totals per agent and decision type, each agent's newest rows, and the outcomes."""

    name = "agent_decisions"
    values = (
        ID, AT, AGENT_NAME, TYPE, CONFIDENCE, RISK, ALTERNATIVES, OUTCOME,
        AUTONOMY, PERFORMANCE, LEARNING_RATE, MESSAGES, ADJUSTMENTS,
    )  # fmt: skip
    agent = AGENT_NAME
    at = AT
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

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ids = KnownIds()
        self._looked_at = Cleaner((AT, AGENT_NAME, TYPE, CONFIDENCE, OUTCOME), AT)
        self._next_block = -1
        self._looks: frozenset[int] = frozenset()
        """Hashes of how the newest pending outcomes looked."""
        self._price_search: PriceSearch | None = None

    def declare(self) -> tuple[Aggregate, ...]:
        self._recent = Recent(
            AGENT,
            self.config.database.window,
            AT,
            (
                newest_of(c.DECISION_AUTONOMY, AUTONOMY, NANO),
                newest_of(c.DECISION_PERFORMANCE, PERFORMANCE, NANO),
                newest_of(c.DECISION_LEARNING_RATE, LEARNING_RATE),
                mean_of(c.RECENT_CONFIDENCE, CONFIDENCE, NANO),
                mean_of(c.RECENT_AUTONOMY, AUTONOMY, NANO),
                Gauge(c.RECENT_ADAPTATION, _share_of_some, ADJUSTMENTS),
            ),
        )
        self.outcomes = Outcomes(self.config.database.window, self._recent)
        return (
            Count(c.DECISIONS, PAIR),
            Count(c.DECISIONS_BY_RISK, BY_RISK),
            Histogram(c.DECISION_CONFIDENCE, AGENT, CONFIDENCE, NANO, RowNames("decision_id", ID)),
            Histogram(c.DECISION_ALTERNATIVES, AGENT, ALTERNATIVES),
            Total(c.LEARNING_ADJUSTMENTS, AGENT, ADJUSTMENTS),
            Messages(self.labels, self.malformed),
            Newest(c.DECISION_LAST, AGENT, AT),
            self._recent,
            self.outcomes,
        )

    def dump(self) -> dict[str, Any]:
        return super().dump() | {"ids": self._ids.dump()}

    def load(self, found: Mapping[str, Any]) -> None:
        super().load(found)
        self._ids.load(found["ids"])

    def fold(self, rows: Sequence[Cells], now: float) -> None:
        new, again = self._tell_apart(rows)
        if new:
            super().fold(new, now)
        if again:
            self._fold_again(again, now)

    def _tell_apart(self, rows: Sequence[Cells]) -> tuple[Sequence[Cells], dict[int, Cells]]:
        """The rows that are new; those of known decisions that were saved again, by the row that each was in before."""
        place = 1 + self.read_columns.index(ID.column)
        new: dict[int, Cells] = {}
        again: dict[int, Cells] = {}
        for row in rows:
            key = _name(row[place])
            before = None if key is None else self._ids.put(key, row[0])
            if before is None or new.pop(before, None) is not None:
                new[row[0]] = row
            elif before != row[0]:
                again[before] = row
        return (rows if len(new) == len(rows) else [*new.values()]), again

    def prepare(self, batch: Batch) -> Batch:
        pairs = self.label(batch.values[AGENT_NAME], batch.values[TYPE])
        self.malformed["outcome"] += self.outcomes.add(_decisions(batch, pairs))
        return _group(batch, pairs)

    def _fold_again(self, again: Mapping[int, Cells], now: float) -> None:
        """Of a decision that is known only the outcome is new, and its place among the newest."""
        batch = self._cleaner.clean([*again.values()], now)
        pairs = self.label(batch.values[AGENT_NAME], batch.values[TYPE])
        for before, decision in zip(again, _decisions(batch, pairs), strict=True):
            self.malformed["outcome"] += self.outcomes.move(before, decision)
        self._recent.drop([*again])
        self._recent.fold(_group(batch, pairs))

    async def follow(self, rows: Rows, now: float, has_price: bool) -> bool:
        """Looks at the newest decisions whose outcome is not known yet, and for a price where no table has one."""
        pending = self.outcomes.newest_pending()
        looks = await rows.looks(OUTCOME.column, pending)
        before, self._looks = self._looks, frozenset(map(hash, looks))
        if differing := [look for look in looks if hash(look) not in before]:
            await self._see(rows, now, await rows.chosen((OUTCOME.column,), _rows_of(differing, pending)))
        return await self._look_for_price(rows, now, has_price) or self.outcomes.has_changed()

    async def _look_for_price(self, rows: Rows, now: float, has_price: bool) -> bool:
        before = self.price()
        self._price_search = None if has_price else self._price_search or PriceSearch()
        if self._price_search is not None:
            await self._price_search.look(rows, now)
        return before != self.price()

    def price(self) -> float | None:
        return None if self._price_search is None else self._price_search.price

    async def revisit(self, rows: Rows, now: float, share: float) -> bool:
        """Looks at the next `share` of all decisions, whatever is known of them, a block of rows at a time."""
        blocks = self.outcomes.blocks()
        for _ in range(ceil(len(blocks) * share)):
            self._next_block = (self._next_block + 1) % len(blocks)
            await self._revisit_block(rows, now, blocks[self._next_block])
        if self._price_search is not None:
            await self._price_search.look(rows, now)
        return self.outcomes.has_changed()

    async def _revisit_block(self, rows: Rows, now: float, block: int) -> None:
        columns = (AGENT_NAME.column, OUTCOME.column)
        found, complete = await rows.between(columns, block * BLOCK, block * BLOCK + BLOCK - 1)
        await self._see(rows, now, [(row_id, cell) for row_id, _, cell in found])
        if complete:
            labels = ((row_id, self.labels.known_agent(_name(name))) for row_id, name, _ in found)
            self.outcomes.recount(block, labels)

    async def _see(self, rows: Rows, now: float, found: Iterable[Sequence[Any]]) -> None:
        """Takes outcomes; of those that may be other than before, all that belongs to them is read."""
        differing = [row_id for row_id, cell in found if self.outcomes.may_differ(row_id, outcome(cell))]
        again = await rows.chosen(self._looked_at.columns, differing)
        if again:
            batch = self._looked_at.clean(again, now)
            names = zip(batch.values[AGENT_NAME], batch.values[TYPE], strict=True)
            pairs = [self.labels.known_type(*pair) for pair in names]
            self.malformed["outcome"] += self.outcomes.look(_decisions(batch, pairs))


def _decisions(batch: Batch, pairs: Sequence[Group]) -> list[Decision]:
    columns = batch.values[CONFIDENCE], batch.values[OUTCOME]
    rows = zip(batch.row_ids, batch.moments, pairs, *columns, strict=True)
    return [Decision(row_id, ms, agent, kind, *rest) for row_id, ms, (agent, kind), *rest in rows]


def _group(batch: Batch, pairs: Sequence[Group]) -> Batch:
    agents = [pair[:1] for pair in pairs]
    risks = zip(agents, batch.values[RISK], strict=True)
    batch.group(PAIR, pairs)
    batch.group(AGENT, agents)
    batch.group(
        BY_RISK,
        [None if found is None else (*agent, found) for agent, found in risks],
        [(*agent, found) for agent, found in product(dict.fromkeys(agents), RISKS)],
    )
    return batch


def _rows_of(looks: Iterable[str], all_rows: Sequence[int]) -> Sequence[int]:
    """The numbers at the start of looks; all rows where one is only the end of a text with a NUL in it."""
    try:
        return [int(look.partition(" ")[0]) for look in looks]
    except ValueError:
        return all_rows


def _share_of_some(adjustments: list[int | None]) -> float | None:
    return mean(bool(found) for found in adjustments)


def _name(cell: Any) -> str | None:
    found = values.name(cell)
    return None if found is UNUSABLE else found
