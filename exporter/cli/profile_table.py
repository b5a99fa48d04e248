"""Profiles on a terminal: a table each, reasons beneath; tab-separated lines where nobody watches."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.cli.terminal import printable
from exporter.profile.rows import GROUPS
from exporter.profile.snapshot import Profile, Value

WIDE = 72
"""From so many columns on, source and age have columns of their own."""
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_AGES = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def show(profiles: Iterable[Profile], stream: TextIO | None = None) -> None:
    """Prints the profiles."""
    out = stream or sys.stdout
    if not out.isatty():
        for line in plain(profiles):
            print(line, file=out)
        return
    console = Console(file=out)
    for profile in profiles:
        print_table(profile, console)


def plain(profiles: Iterable[Profile]) -> Iterator[str]:
    """A line for each value, in base units, for other programs."""
    yield "AGENT\tGROUP\tMETRIC\tVALUE\tUNIT\tSOURCE\tAGE\tREASON"
    for profile in profiles:
        for group, values in {"score": [profile.score], **profile.groups}.items():
            for value in values:
                number = "-" if value.value is None else f"{value.value:.15g}"
                age = profile.age(value)
                shown_age = "-" if age is None else f"{age:.0f}"
                about = (profile.agent, group, value.key, number, value.unit, value.source, shown_age)
                yield "\t".join((*about, printable(value.reason))).rstrip("\t")


def print_table(profile: Profile, console: Console) -> None:
    """What is absent is a dash with a number, under which the reason stands beneath the table."""
    wide = console.width >= WIDE
    reasons: dict[str, int] = {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("value", justify="right" if wide else "left")
    if wide:
        table.add_column("source", style="dim", no_wrap=True)
        table.add_column("age", style="dim", justify="right", no_wrap=True)
    for group, values in profile.groups.items():
        table.add_row(Text(GROUPS.get(group, group), "bold"))
        for value in values:
            table.add_row(*_cells(profile, value, wide, reasons))
    console.print(_title(profile, reasons), table, *_footnotes(reasons), "", sep="\n")


def _title(profile: Profile, reasons: dict[str, int]) -> Text:
    parts = f"  of {len(profile.scored)} parts" if profile.score.value is not None else ""
    score = _shown(profile.score, reasons)
    return Text.assemble((printable(profile.agent), "bold"), "  score ", score, (parts, "dim"))


def _cells(profile: Profile, value: Value, wide: bool, reasons: dict[str, int]) -> Iterator[Text]:
    yield Text(f"  {value.title}")
    age = readable_age(profile.age(value))
    if wide:
        yield from (_shown(value, reasons), Text(value.source), Text(age))
    else:
        yield Text.assemble(_shown(value, reasons), (f" {value.source} {age}".rstrip(), "dim"))


def _shown(value: Value, reasons: dict[str, int]) -> Text:
    if value.value is None:
        return Text(f"– [{reasons.setdefault(value.reason, len(reasons) + 1)}]", "yellow")
    return Text(readable(value.value, value.unit))


def _footnotes(reasons: dict[str, int]) -> Iterator[Text]:
    for reason, number in reasons.items():
        yield Text(f"[{number}] {printable(reason)}", "yellow")


def readable(number: float, unit: str) -> str:
    """A value as people read it."""
    match unit:
        case "ratio":
            return f"{number * 100:.1f} %"
        case "seconds":
            return f"{number * 1000:.3g} ms" if 0 < number < 1 else f"{number:,.2f} s"
        case "bytes":
            return _bytes(number)
        case "flag":
            return "yes" if number else "no"
        case "timestamp":
            return _moment(number)
        case "count":
            return f"{number:,.0f}"
        case _:
            return f"{number:.3g}"


def _bytes(number: float) -> str:
    power = 0
    while number >= 1024 and power < len(_BYTE_UNITS) - 1:
        number, power = number / 1024, power + 1
    return f"{number:.3g} {_BYTE_UNITS[power]}" if number < 1000 else f"{number:.0f} {_BYTE_UNITS[power]}"


def _moment(number: float) -> str:
    try:
        return f"{datetime.fromtimestamp(number, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (ValueError, OverflowError, OSError):
        return f"{number:.15g}"


def readable_age(seconds: float | None) -> str:
    """The largest unit of which there are two."""
    if seconds is None:
        return ""
    for size, unit in _AGES:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return "now"
