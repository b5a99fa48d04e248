"""The `optimizations` command: prints the ledger."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.cli.optimizations_remote import OptimizationsError
from exporter.cli.terminal import printable
from exporter.optimizer import messages
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import Measurement, State
from exporter.optimizer.serialization import serialize

_STYLES = {
    "succeeded": "green",
    "improved": "green",
    "rolled_back": "yellow",
    "inconclusive": "yellow",
    "overridden": "yellow",
    "action_failed": "red",
    "rollback_failed": "red",
    "interrupted": "yellow",
}


def show(ledger: Path, state: State | None, limit: int, as_json: bool) -> None:
    """Prints the newest `limit` of the ledger; of those in one state, if `state` is given."""
    entries = asyncio.run(_read(ledger, state, limit))
    if as_json:
        print(json.dumps([serialize(entry) for entry in entries], indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _print_table(entries, sys.stdout)
    else:
        print("\n".join("\t".join(line) for line in _lines(entries)))


async def _read(ledger: Path, state: State | None, limit: int) -> list[Entry]:
    try:
        async with Ledger.read(ledger) as opened:
            return await opened.optimizations(state, limit)
    except LedgerError as error:
        raise OptimizationsError(str(error)) from None


def _lines(entries: Sequence[Entry]) -> Iterator[tuple[str, ...]]:
    """For other programs: tab-separated, in base units."""
    yield (
        *("ID", "CREATED", "BOTTLENECK", "AGENT", "SEVERITY", "STATE", "OUTCOME"),
        *("BEFORE", "AFTER", "IMPROVEMENT", "REASON"),
    )
    for entry in entries:
        values = (_value(entry.before), _value(entry.after), entry.improvement_ratio)
        yield (
            *(str(entry.id), _moment(entry.created_at), entry.subject.bottleneck.name),
            *(printable(entry.subject.agent) or "-", entry.severity, entry.state, entry.outcome or "-"),
            *("-" if value is None else f"{value:.15g}" for value in values),
            printable(entry.reason),
        )


def _print_table(entries: Sequence[Entry], out: TextIO) -> None:
    console = Console(file=out)
    if not entries:
        console.print("There is nothing of that kind in the ledger.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("since", no_wrap=True)
    for name in ("bottleneck", "agent", "severity", "state"):
        table.add_column(name)
    table.add_column("before → after", justify="right")
    table.add_column("better by", justify="right")
    table.add_column("reason", ratio=1)
    for entry in entries:
        table.add_row(*_cells(entry))
    console.print(table)


def _cells(entry: Entry) -> Iterator[Text]:
    # Text, as a string would be read as rich's markup.
    state = entry.outcome or entry.state
    improvement = entry.improvement_ratio
    yield Text(str(entry.id))
    yield Text(_moment(entry.created_at), "dim")
    yield Text(entry.subject.bottleneck.name)
    yield Text(printable(entry.subject.agent) or "–")
    yield Text(entry.severity)
    yield Text(state.replace("_", " "), _STYLES.get(state, ""))
    yield Text(" → ".join(_readable(entry, each) for each in (entry.before, entry.after) if each) or "–")
    yield Text("–" if improvement is None else messages.percent(improvement))
    yield Text(printable(entry.reason))


def _readable(entry: Entry, measurement: Measurement) -> str:
    value = measurement.value
    return "–" if value is None else messages.value(entry.subject.bottleneck.measure, value)


def _value(measurement: Measurement | None) -> float | None:
    return measurement.value if measurement else None


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
