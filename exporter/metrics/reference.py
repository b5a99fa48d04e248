"""Writes the metric reference from the catalogue: `python -m exporter.metrics.reference > docs/metrics.md`."""

from collections.abc import Iterator
from itertools import groupby

from exporter.metrics.catalogue import FAMILIES, Family

_TITLES = {
    "database": "Source 1: the SQLite database (collector `database`)",
    "agents": "Source 2: live agents and the orchestrator (collector `agents`)",
    "system": "Source 3: the bot's process (collector `system`)",
    "communication": "Source 4: messages between agents (collector `communication`)",
    "self_reports": "Source 5: what agents report of themselves (collector `self_reports`)",
    "exporter": "About the exporter itself",
    "optimizer": "About the optimizer (a process of its own, with its own /metrics)",
}

_PREFACE = """# Metric reference

Made from `exporter/metrics/catalogue` by `python -m exporter.metrics.reference`; do not edit.

Absent data is an absent series: a value that the bot does not have is never shown as 0. Ratios are 0 to 1,
durations are seconds, sizes are bytes, moments are seconds since 1970, money keeps its currency. Counters start
at 0 for every label set that is known to exist."""


def reference() -> str:
    """The reference as Markdown."""
    return "\n".join([_PREFACE, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    for collector, families in groupby(FAMILIES, key=lambda family: family.collector):
        yield f"\n## {_TITLES[collector]}\n"
        yield "| family | type | labels | what it is |"
        yield "| --- | --- | --- | --- |"
        yield from map(_row, families)


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
    buckets = f" Buckets: {' '.join(f'{bound:g}' for bound in family.buckets)}." if family.buckets else ""
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help}{buckets} |"


if __name__ == "__main__":
    print(reference(), end="")
