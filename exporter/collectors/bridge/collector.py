"""What the collectors of sources 2, 4 and 5 have in common: each makes its families from a part of the document."""

from collections.abc import Hashable
from functools import partial
from typing import Any

from prometheus_client.core import Metric

from exporter.collectors.base import CollectorError, Diagnosis
from exporter.collectors.bridge.client import BotState, BridgeClient
from exporter.collectors.bridge.counters import Counters
from exporter.collectors.bridge.document import DocumentReader
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
from exporter.metrics.labels import OTHER, LabelBounds
from exporter.metrics.samples import HistogramValue, Samples

DIAGNOSE_SECONDS = 10.0


class DocumentSamples:
    """The values of one document; None is no value. Gauges have no `other`, which would be several agents."""

    def __init__(self, counters: Counters) -> None:
        self._gauges: dict[tuple[Family, tuple[str, ...]], float] = {}
        self.counters = counters
        counters.begin()

    def gauge(self, family: Family, value: float | None, *labels: str) -> None:
        """Of two agents with one spelling, the first one's."""
        if value is not None and OTHER not in labels:
            self._gauges.setdefault((family, labels), value)

    def counter(self, family: Family, value: float | None, origin: Hashable, *labels: str) -> None:
        """`origin` is who counts, in the bot's own spelling."""
        if value is not None:
            self.counters.add(family, labels, origin, (value,))

    def histogram(self, family: Family, value: HistogramValue | None, origin: Hashable, *labels: str) -> None:
        """As a counter."""
        if value is not None:
            self.counters.add(family, labels, origin, (*value.counts, value.total))

    def metrics(self) -> list[Metric]:
        """All families that got a value."""
        samples = Samples()
        for (family, labels), value in self._gauges.items():
            samples.add(family, value, *labels)
        for family, shown, labels in self.counters.shown():
            samples.add(family, shown, *labels)
        return samples.metrics()


class BridgeCollector:
    """A collector that reads a part of the document. Subclasses say which, and what becomes of it."""

    name: str
    part: str
    """Its key in the document."""
    part_type: type[object]
    missing_detail: str
    """What it means that the part is missing, for `check`."""

    def __init__(self, bridge: BridgeClient, config: Config) -> None:
        self.bridge = bridge
        self.reader = DocumentReader()
        self._config = config
        self.earlier_overflow = 0
        """What did not overflow these labels: those of an earlier process, and what the bridge left out."""
        self._begin(None)

    def fold(self, document: dict[str, Any], page: DocumentSamples) -> None:
        """The values of the document."""
        raise NotImplementedError

    def _begin(self, run: object) -> None:
        """A new process of the bot counts from 0, and may have other agents."""
        self._run = run
        self._counters = Counters()
        limits = self._config.limits
        self.labels = LabelBounds(self._config.agents.aliases, limits.agents, limits.label_pairs)

    async def start(self) -> None:
        """Nothing goes on between scrapes."""

    async def close(self) -> None:
        await self.bridge.close()

    async def collect(self, timeout: float) -> list[Metric]:
        state = await self.bridge.state(timeout)
        return await self.bridge.run_in_thread(partial(self.families, state))

    def families(self, state: BotState) -> list[Metric]:
        """The families; CollectorError if the part cannot be used at all."""
        self._check(state)
        if state.runs != self._run:
            self.earlier_overflow += self.labels.overflow
            self._begin(state.runs)
        page = DocumentSamples(self._counters)
        self.fold(state.document, page)
        return page.metrics()

    def _check(self, state: BotState) -> None:
        found = state.document.get(self.part)
        if found is not None and not isinstance(found, self.part_type):
            raise CollectorError(f"{self.part} in the document of {self.bridge.url} is of the wrong type")

    def _agents(self, entries: list[Any]) -> tuple[str, ...]:
        """As they are spelled on the page."""
        ids = [entry.get("id", entry.get("agent")) for entry in entries if isinstance(entry, dict)]
        labels = [self.labels.bound_agent(name, 0) for name in ids if isinstance(name, str)]
        return tuple(dict.fromkeys(labels))

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        overflow = self.earlier_overflow + self.labels.overflow
        samples.add(c.LABEL_OVERFLOW, overflow, self.name)
        samples.add(c.BRIDGE_MALFORMED, self.reader.malformed, self.name)
        return samples.metrics()

    def readiness(self) -> list[str]:
        return []

    async def diagnose(self) -> list[Diagnosis]:
        try:
            state = await self.bridge.state(DIAGNOSE_SECONDS)
        except CollectorError as error:
            return [Diagnosis("bridge", "error", str(error))]
        self._check(state)
        found = state.document.get(self.part)
        if found is None:
            return [Diagnosis(self.part, "missing", self.missing_detail)]
        if not isinstance(found, list):
            return [Diagnosis(self.part, "ok", "found")]
        return [Diagnosis(self.part, "ok", f"{len(found)} agents", self._agents(found))]
