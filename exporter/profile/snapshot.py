"""What one scrape delivered, looked up by agent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from prometheus_client.core import Metric

from exporter.collectors.scrape import CollectorStatus
from exporter.metrics.catalogue import FAMILIES, Family
from exporter.metrics.labels import OTHER
from exporter.profile.rows import GROUPS, LEAST_SCORED, NO_VALUE_REASONS, ROWS, SCORED, Row

AGENT_LABELS = ("agent", "from_agent")
LIVE = ("agents", "communication", "self_reports")

_NOT_CONFIGURED = {
    "database": "no database is configured (--database.path)",
    "system": "neither a bridge nor a process is configured (--bridge.url, --bot.pid-file)",
} | dict.fromkeys(LIVE, "no bridge is configured (--bridge.url)")
_UNKNOWN_AGENT = {
    "database": "the database has nothing of this agent",
    "agents": "the orchestrator has no agent of this name",
    "communication": "it has neither sent a message nor negotiated",
    "self_reports": "it does not report of itself",
}
_NO_VALUE = {
    "database": "none of its rows has it",
    "agents": "the live agent does not have it",
    "communication": "the bridge does not have it",
    "self_reports": "it does not report it",
    "system": "it cannot be seen of the process",
}

Series = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Value:
    """A row's value; None with the reason why there is none. `at` is when it was true, a Unix time."""

    key: str
    title: str
    unit: str
    source: str
    family: str
    value: float | None
    at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """One agent. `time` is when the scrape was."""

    agent: str
    time: float
    score: Value
    groups: Mapping[str, Sequence[Value]]
    scored: Sequence[str] = ()
    """Keys of the values that the score is the mean of."""

    def document(self) -> dict[str, Any]:
        """As JSON: ages in seconds, absent values as null with the reason."""
        groups = {
            name: {value.key: self._shown(value) for value in values} for name, values in self.groups.items()
        }
        score = {**self._shown(self.score), "parts": [*self.scored]}
        return {"agent": self.agent, "time": self.time, "score": score, **groups}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Profile":
        """The profile that `document` shows; whatever error if it shows none."""
        time = float(document["time"])
        titles = {row.key: row.title for row in ROWS} | {"score": "Profile score"}

        def value(key: str, shown: Mapping[str, Any]) -> Value:
            about = (key, titles.get(key, key), str(shown["unit"]), str(shown["source"]))
            family = str(shown.get("family", ""))
            if shown["value"] is None:
                return Value(*about, family, None, None, str(shown["reason"]))
            age = shown["ageSeconds"]
            return Value(*about, family, float(shown["value"]), None if age is None else time - float(age))

        groups = {
            name: [value(key, shown) for key, shown in group.items()]
            for name, group in document.items()
            if name in GROUPS
        }
        scored = [str(key) for key in document["score"].get("parts", ())]
        return cls(str(document["agent"]), time, value("score", document["score"]), groups, scored)

    def age(self, value: Value) -> float | None:
        """Seconds; a clock that is a little ahead makes nothing younger than just now."""
        return None if value.at is None else max(0.0, self.time - value.at)

    def _shown(self, value: Value) -> dict[str, Any]:
        shown: dict[str, Any] = {"value": value.value, "unit": value.unit, "source": value.source}
        if value.family:
            shown["family"] = value.family
        if value.value is None:
            return {**shown, "reason": value.reason}
        return {**shown, "ageSeconds": self.age(value)}


class Snapshot:
    """The families of one scrape at `time`, and how the collectors did at it."""

    def __init__(self, metrics: Iterable[Metric], states: Iterable[CollectorStatus], time: float) -> None:
        self.time = time
        self._states = {state.name: state for state in states}
        self._samples: dict[str, list[Series]] = {}
        for metric in metrics:
            for sample in metric.samples:
                self._samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    @cached_property
    def agents(self) -> dict[str, list[str]]:
        """The agents that there are, each with the sources that know it."""
        found: dict[str, dict[str, None]] = {}
        for family in FAMILIES:
            label = next((name for name in AGENT_LABELS if name in family.labels), None)
            for labels, _ in self._series(family) if label is not None else ():
                found.setdefault(labels[label or ""], {})[family.collector] = None
        return {agent: list(found[agent]) for agent in sorted(found) if agent != OTHER}

    def profile(self, agent: str) -> Profile:
        """What is known of the agent."""
        values = [(row, self._value(row, agent)) for row in ROWS]
        groups = {
            group: [value for _, value in of_group]
            for group, of_group in groupby(values, key=lambda pair: pair[0].group)
        }
        scored = [value for _, value in values if value.key in SCORED and value.value is not None]
        return Profile(agent, self.time, self._score(scored), groups, [value.key for value in scored])

    def _score(self, parts: Sequence[Value]) -> Value:
        about = ("score", "Profile score", "ratio", "profile", "")
        numbers = [part.value for part in parts if part.value is not None]
        if len(numbers) < LEAST_SCORED:
            return Value(*about, None, None, f"fewer than {LEAST_SCORED} of {', '.join(SCORED)} are known")
        moments = [part.at for part in parts if part.at is not None]
        return Value(*about, sum(numbers) / len(numbers), min(moments, default=None))

    def _value(self, row: Row, agent: str) -> Value:
        about = (row.key, row.title, row.unit, row.family.collector, row.family.name)
        number = self._number(row, agent)
        if number is None:
            return Value(*about, None, None, self._reason(row, agent))
        at = self.time if row.moment is None else self._moment(row.moment, agent)
        return Value(*about, number, at)

    def _number(self, row: Row, agent: str) -> float | None:
        """The value of the agent's series; of several, as of its messages, what the row makes of them."""
        label = row.agent_label
        where = {**row.where, **({label: agent} if label else {})}
        if row.family.kind != "histogram":
            found = self._matching(row.family.name, where)
            return row.combine(found) if found else None
        total = sum(self._matching(f"{row.family.name}_sum", where))
        count = sum(self._matching(f"{row.family.name}_count", where))
        return total / count if count else None

    def _moment(self, family: Family, agent: str) -> float | None:
        where = {"agent": agent} if "agent" in family.labels else {}
        return max(self._matching(family.name, where), default=None)

    def _matching(self, name: str, where: Mapping[str, str]) -> list[float]:
        return [value for labels, value in self._samples.get(name, ()) if where.items() <= labels.items()]

    def _series(self, family: Family) -> Sequence[Series]:
        name = f"{family.name}_count" if family.kind == "histogram" else family.name
        return self._samples.get(name, ())

    def _reason(self, row: Row, agent: str) -> str:
        collector = row.family.collector
        state = self._states.get(collector)
        if state is None:
            return _NOT_CONFIGURED[collector]
        if state.error:
            return state.error
        if state.not_ready:
            return f"not read yet: {state.not_ready[0]}"
        if row.agent_label is not None and collector not in self.agents.get(agent, ()):
            return _UNKNOWN_AGENT[collector]
        return NO_VALUE_REASONS.get(row.family, _NO_VALUE[collector])
