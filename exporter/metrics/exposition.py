"""From metric families to pages in the formats of Prometheus; what did not change is not written again."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from threading import Lock
from typing import NamedTuple

from prometheus_client import exposition as text_format
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import Family
from exporter.metrics.coding import Coding, Gzip, Identity, Piece
from exporter.metrics.fallback import encode_by_client
from exporter.metrics.lines import FamilyLines, lines_of
from exporter.metrics.samples import FamilySnapshot, Row

KEPT_SECONDS = 300.0
"""So long is kept what no page has shown. Nobody scrapes less often: Prometheus holds a series for gone by then."""
# A changed series costs its chunk to be written and compressed: 10 KiB or so. Smaller ones compress badly.
CHUNK_LINES = 100


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write the page. Formats with the same writer differ only in the version they announce."""

    media_type: str
    version: str
    write: Callable[[Collector], bytes]
    """prometheus-client's encoder."""
    end: bytes = b""
    """What stands after the last family."""

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; version={self.version}; charset=utf-8"


def _write_text(registry: Collector) -> bytes:
    return text_format.generate_latest(registry)


def _write_openmetrics(registry: Collector) -> bytes:
    # Our names need no escaping, so the scheme makes no difference to the page; this one takes half the time.
    page: bytes = openmetrics.generate_latest(registry, openmetrics.ALLOWUTF8)  # type: ignore[no-untyped-call]
    return page


TEXT = Format("text/plain", "0.0.4", _write_text)
OPENMETRICS = Format("application/openmetrics-text", "1.0.0", _write_openmetrics, b"# EOF\n")
# 1.0.0 made no change to what we write: Prometheus before 2.43 asks for this version by name.
OPENMETRICS_DRAFT = Format("application/openmetrics-text", "0.0.1", _write_openmetrics, b"# EOF\n")


class _Chunk(NamedTuple):
    """Some rows of a family, as they were written."""

    rows: tuple[Row, ...]
    piece: Piece


@dataclass(slots=True)
class _Kept:
    """A family as it was last written in one format and coding; `used` is when, by the clock."""

    snapshot: FamilySnapshot
    chunks: Sequence[_Chunk]
    used: float


class Pages:
    """Writes pages, and keeps each family's bytes for the next one, in the formats and codings that are asked for.

    A snapshot that is the same object costs a look-up; of one that differs, only the chunks with other rows are
    written. Threads may share it: a second page at the same time waits, and finds everything written.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[tuple[Family, bytes, str], _Kept] = {}

    def write(self, metrics: Iterable[Metric], chosen: Format, gzip: bool = False) -> bytes:
        """The page. A family that cannot be written costs only itself, and is logged as the error it is."""
        coding = Gzip() if gzip else Identity()
        with self._lock:
            now = self._clock()
            pieces = [piece for metric in metrics for piece in self._pieces(metric, chosen, coding, now)]
            self._forget(now - KEPT_SECONDS)
        return coding.page([*pieces, coding.piece(chosen.end)])

    def _pieces(self, metric: Metric, chosen: Format, coding: Coding, now: float) -> Iterable[Piece]:
        if not isinstance(metric, FamilySnapshot):
            return (coding.piece(_by_client(metric, chosen)),)
        key = (metric.family, chosen.end, coding.name)
        kept = self._kept.get(key)
        if kept is None or kept.snapshot is not metric:
            before = kept.chunks if kept else ()
            kept = self._kept[key] = _Kept(metric, _written(metric, chosen, coding, before), now)
        kept.used = now
        return [chunk.piece for chunk in kept.chunks]

    def _forget(self, since: float) -> None:
        for key in [key for key, kept in self._kept.items() if kept.used < since]:
            del self._kept[key]


def encode(metrics: Iterable[Metric], chosen: Format) -> bytes:
    """A page of which nothing is kept."""
    return Pages().write(metrics, chosen)


def _written(
    snapshot: FamilySnapshot, chosen: Format, coding: Coding, before: Sequence[_Chunk]
) -> Sequence[_Chunk]:
    """The family, with what is still right of `before`."""
    try:
        return [*_chunks(snapshot, lines_of(snapshot.family, bool(chosen.end)), coding, before)]
    except Exception:  # noqa: BLE001 (unusual, or not to be written at all: prometheus-client decides)
        return [_Chunk(snapshot.rows, coding.piece(_by_client(snapshot, chosen)))]


def _chunks(
    snapshot: FamilySnapshot, lines: FamilyLines, coding: Coding, before: Sequence[_Chunk]
) -> Iterator[_Chunk]:
    size = max(1, CHUNK_LINES // lines.per_row)
    starts = range(0, max(1, len(snapshot.rows)), size)
    for start, old in zip_longest(starts, before[: len(starts)]):
        rows = snapshot.rows[start : start + size]
        if old is not None and old.rows == rows:
            # With the new rows, so that the old ones can go.
            yield _Chunk(rows, old.piece)
        else:
            head = "" if start else lines.head
            yield _Chunk(rows, coding.piece((head + lines.rows(rows)).encode()))


def _by_client(metric: Metric, chosen: Format) -> bytes:
    return encode_by_client(metric, chosen.write).removesuffix(chosen.end)
