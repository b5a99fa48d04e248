"""From the first row to the last: a page at each step, written in parts of a bounded size."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from exporter.backfill.replay import Replay
from exporter.backfill.sinks import BackfillError, Sink
from exporter.backfill.timeline import Timeline

PART_BYTES = 32 << 20
"""A part ends with the block in which it becomes larger."""
BLOCK_SECONDS = 7200
"""Of the smallest block of Prometheus: promtool reads a file once for each block that it has samples for."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which moments are replayed, in seconds since 1970: multiples of `step`."""

    start: float
    """0 for the first row's."""
    end: float
    step: int
    is_now: bool
    """Whether the end is now, so that what tells of now only belongs to the last step."""


@dataclass(slots=True)
class Written:
    """What was written, or would be; `first` and `last` are moments, in seconds since 1970."""

    first: int = 0
    last: int = 0
    parts: int = 0
    samples: int = 0
    size: int = 0
    """In bytes."""


async def backfill(
    replay: Replay, span: Span, timeline: Timeline, sink: Sink, report: Callable[[int, int], None]
) -> Written:
    """Replays a span; `report` is told how many steps were made, and of how many."""
    done_before = sink.resume()
    first_row = await replay.open()
    if first_row is None:
        raise BackfillError("no row has a timestamp that can be read: there is no history to replay")
    step = span.step
    moments = range(
        -int(-max(first_row, span.start, done_before) // step) * step, int(span.end // step) * step + 1, step
    )
    written = Written(moments[0], moments[-1]) if moments else Written()
    part_first = written.first
    for number, moment in enumerate(moments, start=1):
        is_last = number == len(moments)
        timeline.add(moment, await replay.at(moment, is_now=is_last and span.is_now))
        if is_last or (_ends_block(moment, step) and timeline.size >= PART_BYTES):
            written.parts += 1
            written.samples += timeline.samples
            written.size += timeline.size
            await sink.write(timeline.write(), part_first, moment + step)
            timeline.clear()
            part_first = moment + step
        report(number, len(moments))
        await asyncio.sleep(0)
    return written


def _ends_block(moment: int, step: int) -> bool:
    return moment // BLOCK_SECONDS != (moment + step) // BLOCK_SECONDS
