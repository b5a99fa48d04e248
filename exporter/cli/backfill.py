"""`backfill`: the history that Prometheus would have, had it scraped the exporter since the bot's first row."""

import argparse
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli import flags
from exporter.cli.command import Command, configure, require_bot
from exporter.cli.errors import CommandError
from exporter.config import Config, ConfigError
from exporter.metrics.catalogue import FAMILIES
from exporter.runtime import signals

if TYPE_CHECKING:
    from exporter.backfill.run import Span, Written
    from exporter.backfill.sinks import Sink

STEP = 60
LONGEST_STEP = 300
"""Seconds. Prometheus takes a series for gone after five minutes without a sample."""
NEEDED_LABELS = ("job", "instance")
_DURATION = re.compile(r"(\d{1,6})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_OURS = {"le", *(label for family in FAMILIES for label in family.labels)}


def add_flags(parser: argparse.ArgumentParser) -> None:
    _add_history_flags(parser)
    group = parser.add_argument_group("the bot")
    flags.add_config_file(group)
    flags.add(group, "database.path", "FILE", "the bot's SQLite file", type=flags.path)
    flags.add_log_flags(parser)


def _add_history_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the history")
    to = group.add_mutually_exclusive_group(required=True)
    to.add_argument("--output", type=flags.path, metavar="DIR", help="write files for promtool here")
    about = "push to VictoriaMetrics, such as http://127.0.0.1:8428"
    to.add_argument("--url", type=flags.url, metavar="URL", help=about)
    about = "only say how many samples and bytes it would be"
    to.add_argument("--dry-run", action="store_true", help=about)
    about = "of the scrapes that follow: job and instance are needed; may be given several times"
    group.add_argument("--label", type=_label, action="append", default=[], metavar="NAME=VALUE", help=about)
    about = "from when on, such as 2026-08-30T00:00:00Z or in seconds since 1970 (default: the first row)"
    group.add_argument("--start", type=_moment, default=0.0, metavar="TIME", help=about)
    group.add_argument("--end", type=_moment, metavar="TIME", help="up to when (default: now)")
    about = f"between two samples, at most 5m (default {STEP}s)"
    group.add_argument("--step", type=_step, default=STEP, metavar="DURATION", help=about)


def run(parsed: argparse.Namespace) -> int:
    """Writes the history, or as much of it as is missing."""
    config = configure(parsed, {"log.level": "warn"})
    require_bot(config)
    if config.database.path is None:
        raise ConfigError("the history is in the bot's SQLite file: name it with --database.path")
    labels = dict(parsed.label)
    if missing := [name for name in NEEDED_LABELS if name not in labels]:
        raise ConfigError(
            f"no label {' and no label '.join(missing)} is given, without which no series would go on: give those that "
            "Prometheus adds, such as --label job=tweetbot --label instance=localhost:9464"
        )
    return signals.run(_backfill(parsed, config, config.database.path, labels))


async def _backfill(parsed: argparse.Namespace, config: Config, path: Path, labels: dict[str, str]) -> None:
    from exporter.backfill.replay import Replay  # rich and the collectors take their time to import
    from exporter.backfill.run import backfill
    from exporter.backfill.sinks import BackfillError
    from exporter.backfill.timeline import Timeline
    from exporter.cli.backfill_progress import progress
    from exporter.collectors.base import CollectorError

    now = time.time()
    span, sink = _span(parsed, now), _sink(parsed, path, labels)
    replay = Replay(path, config, now)
    try:
        with progress() as report:
            written = await backfill(replay, span, Timeline(labels), sink, report)
    except (BackfillError, CollectorError) as error:
        raise CommandError(str(error)) from None
    finally:
        await replay.close()
    print(_summary(parsed, written))


def _span(parsed: argparse.Namespace, now: float) -> "Span":
    from exporter.backfill.run import Span

    end = now if parsed.end is None else parsed.end
    if end > now:
        raise ConfigError("--end lies in the future")
    if parsed.start > end:
        raise ConfigError("--start lies after --end" if parsed.end else "--start lies in the future")
    return Span(parsed.start, end, parsed.step, is_now=parsed.end is None)


def _sink(parsed: argparse.Namespace, path: Path, labels: dict[str, str]) -> "Sink":
    from exporter.backfill.sinks import Directory, Import, Nowhere

    if parsed.output is not None:
        settings = {"database": str(path), "labels": labels, "step": parsed.step}
        return Directory(parsed.output, settings)
    return Import(parsed.url) if parsed.url is not None else Nowhere()


def _summary(parsed: argparse.Namespace, written: "Written") -> str:
    if not written.parts:
        return "There is nothing left to write."
    verb = "It would be" if parsed.dry_run else "Wrote" if parsed.output else "Pushed"
    files = f" in {written.parts} files" if parsed.output else ""
    return (
        f"{verb} {written.samples:,} samples, {written.size / 1e6:,.1f} MB{files}, "
        f"from {_shown(written.first)} to {_shown(written.last)}."
    )


def _shown(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> float:
    try:
        return float(text) if re.fullmatch(r"\d{1,10}(\.\d+)?", text) else _of_date(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "must be a moment such as 2026-08-30T00:00:00Z, or seconds since 1970"
        ) from None


def _of_date(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _step(text: str) -> int:
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= seconds <= LONGEST_STEP:
        raise argparse.ArgumentTypeError(
            "must be a duration from 1s to 5m: Prometheus takes a series for gone after five minutes"
        )
    return seconds


def _label(text: str) -> tuple[str, str]:
    name, given, value = text.partition("=")
    if not given or not value or not _LABEL.fullmatch(name):
        raise argparse.ArgumentTypeError("must be a label and its value, such as job=tweetbot")
    if name in _OURS:
        raise argparse.ArgumentTypeError(f"{name} is a label of the exporter's own")
    return name, value


COMMAND = Command("Give Prometheus the history that the bot's rows tell.", add_flags, run)
