"""Replaying a file, and reading what was written."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from oracle.table import Key
from prometheus_client.parser import text_string_to_metric_families

from exporter.backfill.replay import Replay
from exporter.backfill.run import Span, Written, backfill
from exporter.backfill.sinks import Directory
from exporter.backfill.timeline import Timeline
from exporter.config import Config

OF_THE_READING = ("tweetbot_database_", "tweetbot_label_overflow")
"""What an exporter says of its own reading is no history of the bot."""

History = Mapping[int, Mapping[Key, float]]
"""Samples by their moment, in seconds since 1970."""


async def write_history(
    path: Path, to: Path, end: float, *, step: int = 60, start: float = 0.0, now: float | None = None
) -> Written:
    """Replays a file into a directory. The end is now unless there is another `now`."""
    replay = Replay(path, Config(), end if now is None else now)
    span = Span(start, end, step, is_now=now is None)
    try:
        return await backfill(replay, span, Timeline({}), Directory(to, {"step": step}), lambda *_: None)
    finally:
        await replay.close()


def read_history(directory: Path, only: Collection[int] = ()) -> History:
    """Everything in the files, or `only` some moments."""
    history: defaultdict[int, dict[Key, float]] = defaultdict(dict)
    for path in sorted(directory.glob("*.om")):
        text = path.read_text("utf-8")
        assert text.endswith("# EOF\n")
        for moment, samples in parsed(_at(text, only) if only else text).items():
            assert not history[moment].keys() & samples.keys()
            history[moment].update(samples)
    return history


def _at(text: str, moments: Collection[int]) -> str:
    ends = tuple(f" {moment}" for moment in moments)
    return "".join(f"{line}\n" for line in text.splitlines() if line.endswith(ends))


def parsed(text: str) -> History:
    """By prometheus-client's parser of the text format: that of OpenMetrics drops the second point of a histogram."""
    history: defaultdict[int, dict[Key, float]] = defaultdict(dict)
    for metric in text_string_to_metric_families(text):
        for sample in metric.samples:
            labels = {name: _bound(name, value) for name, value in sample.labels.items()}
            key = (sample.name, tuple(sorted(labels.items())))
            assert sample.timestamp is not None
            # Seconds in OpenMetrics, which that parser takes for milliseconds.
            moment = round(float(sample.timestamp) * 1000)
            assert key not in history[moment]
            history[moment][key] = sample.value
    return history


def _bound(name: str, value: str) -> str:
    """Bounds from 1e6 on are written as Go does."""
    return str(float(value)) if name == "le" and value != "+Inf" else value


def of_source_1(page: Mapping[Key, float]) -> dict[Key, float]:
    """What a page says of the bot's rows."""
    return {key: value for key, value in page.items() if not key[0].startswith(OF_THE_READING)}
