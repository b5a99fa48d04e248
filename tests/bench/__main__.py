"""Measures what the exporter costs, as ratios in one run.

A large and a small file are generated and then, some times over, read by fresh processes of the exporter.
The two are scraped in turn, so that a busy machine is the same for both. Times are CPU times, except one.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from . import command_line, plain
from .figures import Figures
from .generate import Writer, generate
from .subject import FORMATS, CatchUp, Subject

WINDOW = 50
SMALL = 10_000
"""Executions, and as many decisions, of the small file."""
MEGABYTE = 1e6

EXECUTIONS = "100 executions"
BOTH = "90 executions, 10 decisions"
NOTHING_PENDING = "100 executions, no decision pending"
NEW_ROWS = {EXECUTIONS: (100, 0), BOTH: (90, 10), NOTHING_PENDING: (100, 0)}

TARGETS = {
    "page with nothing new, large / small file": 1.1,
    "page with nothing new / its encoding, text": 1.3,
    "page with nothing new / its encoding, openmetrics": 1.3,
    **{f"added by {mix}": 2.0 for mix in NEW_ROWS},
    "first catch-up / sqlite3 with windows": 1.2,
    "memory, large file": 80,
    "memory, small file": 80,
    "memory, large / small file": 1.1,
}


def main() -> int:
    """The command; 1 if a target was missed in a full run."""
    options = _options()
    figures = Figures({} if options.smoke else TARGETS)
    with _directory(options.directory) as directory:
        large, small, bare = (directory / f"{name}.db" for name in ("large", "small", "bare"))
        _make(large, options.executions, options.decisions)
        _make(small, min(SMALL, options.executions), min(SMALL, options.decisions))
        _make(bare, min(SMALL, options.executions), 0)
        for repetition in range(options.repetitions):
            print(f"repetition {repetition + 1} of {options.repetitions}", file=sys.stderr, flush=True)
            _repetition(figures, large, small, options.rounds)
            with Subject(bare) as subject:
                subject.catch_up()
                _report_added(figures, NOTHING_PENDING, subject, bare, options.rounds)
    print(figures.table())
    if options.json:
        options.json.write_text(json.dumps(figures.document(), indent=2) + "\n")
    return 1 if figures.missed() else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--executions", type=int, default=10_000_000, help="of the large file")
    parser.add_argument("--decisions", type=int, default=500_000, help="of the large file")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15, help="of scrapes in a repetition")
    parser.add_argument(
        "--directory", type=Path, help="where to make and keep the files; else they are removed"
    )
    parser.add_argument("--json", type=Path, help="a file to write all values to")
    parser.add_argument("--smoke", action="store_true", help="tiny files, one repetition, no targets")
    options = parser.parse_args()
    if options.smoke:
        options.executions, options.decisions, options.repetitions, options.rounds = 20_000, 2_000, 1, 2
    return options


@contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def _make(path: Path, executions: int, decisions: int) -> None:
    if path.exists():
        return
    print(f"making {path.name}: {executions} executions, {decisions} decisions", file=sys.stderr, flush=True)
    generate(path, executions, decisions)


def _repetition(figures: Figures, large: Path, small: Path, rounds: int) -> None:
    command = command_line.cost(large, WINDOW) if command_line.available() else None
    with Subject(large) as of_large, Subject(small) as of_small:
        caught_up = of_large.catch_up()
        _report_catch_up(figures, caught_up, of_small.catch_up(), command)
        _compare_pages(figures, of_large, of_small, rounds)
        for mix in (EXECUTIONS, BOTH):
            _report_added(figures, mix, of_large, large, rounds)
        page = of_large.scrape("text", 10)
    plain_page = plain.cost(large)
    figures.add("page of a plain collector", plain_page, "s")
    figures.add("page of a plain collector / the exporter's", plain_page / page)


def _report_catch_up(figures: Figures, large: CatchUp, small: CatchUp, command: float | None) -> None:
    figures.add("first catch-up", large.cpu, "s")
    figures.add("first catch-up, wall time", large.wall, "s")
    if command is not None:
        figures.add("sqlite3 with windows", command, "s")
        figures.add("first catch-up / sqlite3 with windows", large.cpu / command)
    figures.add("memory, large file", large.resident / MEGABYTE, "MB")
    figures.add("memory, small file", small.resident / MEGABYTE, "MB")
    figures.add("memory, large / small file", large.resident / small.resident)
    figures.add("samples of the page", large.samples)


def _compare_pages(figures: Figures, large: Subject, small: Subject, rounds: int) -> None:
    for form in FORMATS:
        pages, others, encodings = [], [], []
        for _ in range(rounds):
            pages.append(large.scrape(form, 20))
            others.append(small.scrape(form, 20))
            encodings.append(large.encode(form, 20))
        figures.add(f"page with nothing new, {form}", 1000 * median(pages), "ms")
        ratios = [page / encoding for page, encoding in zip(pages, encodings, strict=True)]
        figures.add(f"page with nothing new / its encoding, {form}", median(ratios))
        if form == "text":
            ratios = [page / other for page, other in zip(pages, others, strict=True)]
            figures.add("page with nothing new, large / small file", median(ratios))


def _report_added(figures: Figures, mix: str, subject: Subject, path: Path, rounds: int) -> None:
    """What new rows add to the cost of a page, with all that a changed file brings along."""
    writer = Writer(path)
    added = []
    for _ in range(rounds):
        nothing_new = subject.scrape("text")
        writer.append(*NEW_ROWS[mix])
        added.append(subject.scrape("text") - nothing_new)
    writer.close()
    figures.add(f"added by {mix}", 1000 * median(added), "ms")


if __name__ == "__main__":
    sys.exit(main())
