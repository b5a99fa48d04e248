"""Source 5: what agents report of themselves."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from exporter.collectors.bridge.collector import BridgeCollector, DocumentSamples
from exporter.collectors.bridge.document import DocumentReader
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family

MOST_REPORTS = 1000
MOST_VALUES = 64
DEEPEST = 4

Read = Callable[[DocumentReader, dict[str, Any], str], float | None]


def _seconds(reader: DocumentReader, report: dict[str, Any], key: str) -> float | None:
    milliseconds = reader.positive(report, key)
    return None if milliseconds is None else milliseconds / 1000


KNOWN: dict[Family, tuple[tuple[str, ...], Read]] = {
    c.REPORTED_DECISIONS: (("totalDecisions", "decisionCount"), DocumentReader.positive),
    c.REPORTED_SOURCES: (("sourcesQueried",), DocumentReader.positive),
    c.REPORTED_SIGNALS: (("signalsGenerated",), DocumentReader.positive),
    c.REPORTED_API_CALLS: (("apiCallsUsed",), DocumentReader.positive),
    c.REPORTED_SUCCESS: (("successRate",), DocumentReader.ratio),
    c.REPORTED_CONFIDENCE: (("avgConfidence",), DocumentReader.ratio),
    c.REPORTED_RESPONSE_TIME: (("avgResponseTime",), _seconds),
    c.REPORTED_CACHE_HIT: (("cacheHitRate",), DocumentReader.ratio),
}
"""Which keys of a report are which family: the first one that is there."""


class SelfReportsCollector(BridgeCollector):
    """Collector `self_reports`. Labels and units stand in the catalogue."""

    name = "self_reports"
    part = "selfReports"
    part_type = list
    missing_detail = "no agent has answered a getPerformanceMetrics() yet"

    def fold(self, document: dict[str, Any], page: DocumentSamples) -> None:
        for entry in self.reader.entries(document, self.part, MOST_REPORTS):
            origin = self.reader.name(entry, "agent")
            report = self.reader.part(entry, "report")
            if origin is not None:
                label = self.labels.bound_agent(origin, 1)
                page.gauge(c.REPORTED_TIME, self.reader.positive(entry, "time"), label)
                self._report(dict(report), page, origin, label)
        left_out = self.reader.part(document, "leftOut")
        self.earlier_overflow += int(self.reader.count(left_out, "reportValues") or 0)

    def _report(self, report: dict[str, Any], page: DocumentSamples, origin: str, label: str) -> None:
        """Known names are taken out of the report; what is left is shown by its own name."""
        values: dict[Family, float | None] = {}
        for family, (keys, read) in KNOWN.items():
            key = next((key for key in keys if not isinstance(report.get(key), dict | None)), None)
            if key is not None:
                values[family] = value = read(self.reader, report, key)
                del report[key]
                if family.kind == "counter":
                    page.counter(family, value, origin, label)
                else:
                    page.gauge(family, value, label)
        page.gauge(c.RESOURCE_EFFICIENCY, _efficiency(values), label)
        for name, number in islice(self._flat(report), MOST_VALUES):
            page.gauge(c.REPORTED_VALUE, number, label, self.labels.bound_type(origin, name, 1)[1])

    def _flat(self, report: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, float]]:
        for key, value in report.items():
            name = prefix + key
            if self.reader.usable(name, name.isprintable()) is None:
                continue
            if isinstance(value, dict):
                if self.reader.usable(name, depth < DEEPEST) is not None:
                    yield from self._flat(value, f"{name}.", depth + 1)
            elif (number := self.reader.number(report, key)) is not None:
                yield name, number


def _efficiency(values: dict[Family, float | None]) -> float | None:
    """The cache hit ratio where it is reported; else signals per API call, at most 1."""
    if (hits := values.get(c.REPORTED_CACHE_HIT)) is not None:
        return hits
    signals, calls = values.get(c.REPORTED_SIGNALS), values.get(c.REPORTED_API_CALLS)
    return min(1.0, signals / calls) if signals is not None and calls else None
