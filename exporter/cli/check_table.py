"""What `check` prints: a table of what each collector found at its target."""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from exporter.cli.errors import refusal
from exporter.cli.terminal import printable
from exporter.collectors.base import Collector, CollectorError, Diagnosis

DIAGNOSE_SECONDS = 30.0
_COLOURS = {"ok": "green", "missing": "yellow", "error": "red"}
_EXIT_CODES = {"ok": 0, "missing": 1, "error": 2}

Row = tuple[str, Diagnosis]


async def diagnose(collectors: Sequence[Collector], stream: TextIO | None = None) -> list[Row]:
    """The findings of each collector, with its name; that one fails or takes too long is a finding too.

    An error that several of them meet, such as a bridge that does not answer, is one row. On a terminal, a bar shows
    how many collectors have answered until all have.
    """
    rows = []
    try:
        for each in _with_a_bar(collectors, stream or sys.stdout):
            rows += [(each.name, found) for found in await _diagnose(each)]
    finally:
        # Not one by one: several of them share a bridge.
        for each in collectors:
            await each.close()
    return list(_joined(rows))


def _with_a_bar(collectors: Sequence[Collector], out: TextIO) -> Iterable[Collector]:
    if not out.isatty():
        return collectors
    return track(collectors, "Looking for the bot", console=Console(file=out), transient=True)


def _joined(rows: Sequence[Row]) -> Iterator[Row]:
    failing: dict[Diagnosis, list[str]] = {}
    for name, finding in rows:
        if finding.state == "error":
            failing.setdefault(finding, []).append(name)
    for name, finding in rows:
        if finding.state != "error":
            yield name, finding
        elif names := failing.pop(finding, None):
            yield ", ".join(names), finding


async def _diagnose(collector: Collector) -> list[Diagnosis]:
    try:
        async with asyncio.timeout(DIAGNOSE_SECONDS):
            return await collector.diagnose()
    except CollectorError as error:
        return [Diagnosis("collector", "error", str(error))]
    except TimeoutError:
        return [Diagnosis("collector", "error", f"did not answer within {DIAGNOSE_SECONDS:g} seconds")]
    except OSError as error:
        return [Diagnosis("collector", "error", refusal(error))]


def exit_code(rows: Iterable[Row]) -> int:
    """0: all is there; 1: something is missing; 2: a target cannot be used."""
    return max((_EXIT_CODES[finding.state] for _, finding in rows), default=0)


def show(rows: list[Row], stream: TextIO | None = None) -> None:
    """Prints the table: in colour on a terminal, plain columns elsewhere."""
    out = stream or sys.stdout
    if out.isatty():
        _show_rich(rows, out)
        return
    lines = [("SOURCE", "SUBJECT", "STATE", "DETAIL"), *map(_columns, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for line in lines:
        first = "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=False))
        print(f"{first}  {line[3]}".rstrip(), file=out)


def _show_rich(rows: list[Row], out: TextIO) -> None:
    table = Table("source", "subject", "state", "detail")
    for row in rows:
        name, subject, state, detail = _columns(row)
        # Text, as a string would be read as rich's markup.
        table.add_row(Text(name), Text(subject), Text(state, _COLOURS[state]), Text(detail))
    Console(file=out).print(table)


def _columns(row: Row) -> tuple[str, str, str, str]:
    name, finding = row
    return name, printable(finding.subject), finding.state, printable(finding.detail)
