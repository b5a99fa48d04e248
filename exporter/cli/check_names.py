"""What `check` prints of the agents' names: those of the database beside those of the live bot, and aliases."""

import json
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import TextIO

from exporter.cli.terminal import printable
from exporter.collectors.base import Diagnosis

GENERIC = frozenset({"agent", "bot", "service", "the"})
"""Words that say nothing of which agent it is."""
LEAST_LIKENESS = 0.5
"""Of two names, the share of their words that both have."""
LIVE = ("agents", "selfReports")


def show(findings: Iterable[Diagnosis], stream: TextIO | None = None) -> None:
    """Prints nothing where one of the two sources named no agent."""
    stored: set[str] = set()
    live: set[str] = set()
    for finding in findings:
        (live if finding.subject in LIVE else stored).update(finding.agents)
    if stored and live:
        for line in lines(stored, live):
            print(printable(line), file=stream or sys.stdout)


def lines(stored: Collection[str], live: Collection[str]) -> Iterator[str]:
    """A table of all names, then the aliases that would join those of the database to live agents."""
    names = sorted({*stored, *live})
    width = max(map(len, ["AGENT", *names]))
    yield ""
    yield f"{'AGENT':{width}}  DATABASE  LIVE"
    for name in names:
        yield f"{name:{width}}  {_mark(name in stored):8}  {_mark(name in live)}"
    unmatched = sorted({*stored} - {*live})
    aliases = {name: found for name in unmatched if (found := likeliest(name, live)) is not None}
    if unmatched:
        yield from _advice(aliases, [name for name in unmatched if name not in aliases])


def likeliest(name: str, live: Iterable[str]) -> str | None:
    """The live agent whose name has most words in common; None where none or several have enough."""
    likeness = {other: _likeness(name, other) for other in live}
    most = max(likeness.values(), default=0.0)
    found = [other for other, value in likeness.items() if value == most >= LEAST_LIKENESS]
    return found[0] if len(found) == 1 else None


def _likeness(one: str, other: str) -> float:
    words = [{*name.split("-")} - GENERIC for name in (one, other)]
    return len(words[0] & words[1]) / max(1, len(words[0] | words[1]))


def _advice(aliases: dict[str, str], rest: list[str]) -> Iterator[str]:
    if aliases:
        yield ""
        yield "These agents of the database may be live agents by another name. For those that are, configure:"
        yield ""
        yield "agents:"
        yield "  aliases:"
        yield from (f"    {_quoted(name)}: {_quoted(other)}" for name, other in aliases.items())
    if rest:
        yield ""
        yield f"No live agent has a name like that of {', '.join(rest)}"


def _quoted(name: str) -> str:
    """A name such as 1e3 would be a number."""
    return json.dumps(name, ensure_ascii=False)


def _mark(is_there: bool) -> str:
    return "yes" if is_there else "-"
