"""What sources 2, 4 and 5 have in common: each makes its families of a part of the bridge's document."""

from collections.abc import Hashable
from functools import partial
from typing import Any

from prometheus_client.core import Metric

from exporter import catalogue as c
from exporter.catalogue import Family
from exporter.config import Config
from exporter.samples import HistogramValue, Samples
from exporter.sources import Finding, SourceError
from exporter.sources.bridge import Bridge, State
from exporter.sources.database.names import OTHER, Labels
from exporter.sources.totals import Totals
from exporter.sources.values import Reader

INSPECT_SECONDS = 10.0


class Page:
    """The values of one document; None is no value. Gauges have no `other`, which would be several agents."""

    def __init__(self, totals: Totals) -> None:
        self._gauges: dict[tuple[Family, tuple[str, ...]], float] = {}
        self.totals = totals
        totals.begin()

    def gauge(self, family: Family, value: float | None, *labels: str) -> None:
        """Of two agents with one spelling, the first one's."""
        if value is not None and OTHER not in labels:
            self._gauges.setdefault((family, labels), value)

    def counter(self, family: Family, value: float | None, origin: Hashable, *labels: str) -> None:
        """`origin` is who counts, in the bot's own spelling."""
        if value is not None:
            self.totals.add(family, labels, origin, (value,))

    def histogram(self, family: Family, value: HistogramValue | None, origin: Hashable, *labels: str) -> None:
        """As a counter."""
        if value is not None:
            self.totals.add(family, labels, origin, (*value.counts, value.total))

    def metrics(self) -> list[Metric]:
        """All families that got a value."""
        samples = Samples()
        for (family, labels), value in self._gauges.items():
            samples.add(family, value, *labels)
        for family, shown, labels in self.totals.shown():
            samples.add(family, shown, *labels)
        return samples.metrics()


class LiveSource:
    """A collector that reads a part of the document. Subclasses say which, and what becomes of it."""

    name: str
    part: str
    """Its key in the document."""
    kind: type[object]
    lacking: str
    """What it means that the part is missing."""

    def __init__(self, bridge: Bridge, config: Config) -> None:
        self.bridge = bridge
        self.reader = Reader()
        self._config = config
        self.overflow_elsewhere = 0
        """What did not overflow these labels: those of an earlier process, and what the bridge left out."""
        self._begin(None)

    def fold(self, document: dict[str, Any], page: Page) -> None:
        """The values of the document."""
        raise NotImplementedError

    def _begin(self, run: object) -> None:
        """A new process of the bot counts from 0, and may have other agents."""
        self._run = run
        self._totals = Totals()
        limits = self._config.limits
        self.labels = Labels(self._config.agents.aliases, limits.agents, limits.label_pairs)

    async def start(self) -> None:
        """Nothing goes on between scrapes."""

    async def close(self) -> None:
        await self.bridge.close()

    async def collect(self, timeout: float) -> list[Metric]:
        state = await self.bridge.state(timeout)
        return await self.bridge.aside(partial(self.made_of, state))

    def made_of(self, state: State) -> list[Metric]:
        """The families; SourceError if the part cannot be used at all."""
        self._check(state)
        if state.run != self._run:
            self.overflow_elsewhere += self.labels.overflow
            self._begin(state.run)
        page = Page(self._totals)
        self.fold(state.document, page)
        return page.metrics()

    def _check(self, state: State) -> None:
        found = state.document.get(self.part)
        if found is not None and not isinstance(found, self.kind):
            raise SourceError(f"{self.part} in the document of {self.bridge.url} is of the wrong type")

    def about(self) -> list[Metric]:
        samples = Samples()
        overflow = self.overflow_elsewhere + self.labels.overflow
        samples.add(c.LABEL_OVERFLOW, overflow, self.name)
        samples.add(c.BRIDGE_MALFORMED, self.reader.malformed, self.name)
        return samples.metrics()

    def pending(self) -> list[str]:
        return []

    async def inspect(self) -> list[Finding]:
        state = await self.bridge.state(INSPECT_SECONDS)
        self._check(state)
        found = state.document.get(self.part)
        if found is None:
            return [Finding(self.part, "missing", self.lacking)]
        detail = f"{len(found)} agents" if isinstance(found, list) else "found"
        return [Finding(self.part, "ok", detail)]
