"""Source 4: messages and negotiations between agents."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from exporter.collectors.bridge.client import BridgeClient
from exporter.collectors.bridge.collector import BridgeCollector, DocumentSamples
from exporter.config import Config
from exporter.metrics import catalogue as c

MOST_PAIRS = 1001


class CommunicationCollector(BridgeCollector):
    """Collector `communication`. Labels and units stand in the catalogue."""

    name = "communication"
    part = "communication"
    part_type = dict
    missing_detail = "the bridge has seen no channel with a sendMessage yet"

    def __init__(self, bridge: BridgeClient, config: Config) -> None:
        super().__init__(bridge, config)
        self._lumped = 0.0

    def fold(self, document: dict[str, Any], page: DocumentSamples) -> None:
        part = self.reader.part(document, self.part)
        pairs = self._pairs(part, page)
        self._latencies(part, page)
        negotiators = self._negotiations(part, page)
        _coordination(page, pairs, negotiators)
        page.gauge(c.MESSAGES_QUEUED, self.reader.count(part, "queued"))
        self._count_lumped(self.reader.part(document, "leftOut"))

    def _pairs(self, part: dict[str, Any], page: DocumentSamples) -> set[tuple[str, str]]:
        """Returns the labels."""
        pairs = set()
        for pair in self.reader.entries(part, "pairs", MOST_PAIRS):
            sender, receiver = self.reader.name(pair, "from"), self.reader.name(pair, "to")
            sent, failed = self.reader.count(pair, "sent"), self.reader.count(pair, "failed")
            if sender is not None and receiver is not None:
                self.labels.bound_agent(sender, 1)
                labels = self.labels.bound_recipient(sender, receiver, 1)
                page.counter(c.MESSAGES, sent, (sender, receiver), *labels)
                page.counter(c.MESSAGES_FAILED, failed, (sender, receiver), *labels)
                pairs.add(labels)
        return pairs

    def _latencies(self, part: dict[str, Any], page: DocumentSamples) -> None:
        for latency in self.reader.entries(part, "latency", MOST_PAIRS):
            sender = self.reader.name(latency, "from")
            histogram = self.reader.histogram(latency, c.MESSAGE_LATENCY)
            if sender is not None:
                page.histogram(c.MESSAGE_LATENCY, histogram, sender, self.labels.bound_agent(sender, 1))

    def _negotiations(self, part: dict[str, Any], page: DocumentSamples) -> set[str]:
        """Returns the labels."""
        agents = set()
        for entry in self.reader.entries(part, "negotiations", MOST_PAIRS):
            agent = self.reader.name(entry, "agent")
            total, succeeded = self.reader.count(entry, "total"), self.reader.count(entry, "succeeded")
            if agent is not None:
                label = self.labels.bound_agent(agent, 1)
                page.counter(c.NEGOTIATIONS, total, agent, label)
                page.counter(c.NEGOTIATIONS_SUCCEEDED, succeeded, agent, label)
                agents.add(label)
        return agents

    def _count_lumped(self, left_out: dict[str, Any]) -> None:
        """Messages that the bridge itself counted under `other`; its count restarts with the bot."""
        lumped = self.reader.count(left_out, "messages") or 0.0
        self.earlier_overflow += int(lumped - self._lumped if lumped >= self._lumped else lumped)
        self._lumped = lumped


def _coordination(
    page: DocumentSamples, pairs: Iterable[tuple[str, str]], negotiators: Iterable[str]
) -> None:
    """Of an agent that negotiated, its negotiations; else its messages."""
    for agent in sorted(negotiators):
        total = page.counters.total(c.NEGOTIATIONS, agent)
        succeeded = page.counters.total(c.NEGOTIATIONS_SUCCEEDED, agent)
        if total and succeeded is not None:
            page.gauge(c.AGENT_COORDINATION, min(1.0, succeeded / total), agent)
    sent, failed = defaultdict[str, float](float), defaultdict[str, float](float)
    for labels in pairs:
        all_of_pair = page.counters.total(c.MESSAGES, *labels)
        failed_of_pair = page.counters.total(c.MESSAGES_FAILED, *labels)
        if all_of_pair is not None and failed_of_pair is not None:
            sent[labels[0]] += all_of_pair
            failed[labels[0]] += failed_of_pair
    for agent, number in sent.items():
        if number:
            page.gauge(c.AGENT_COORDINATION, max(0.0, (number - failed[agent]) / number), agent)
