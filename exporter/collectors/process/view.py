"""One of the bot's processes, as the bridge in it and the operating system show it."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from exporter.collectors.bridge.document import DocumentReader
from exporter.collectors.bridge.endpoint import ProcessState
from exporter.collectors.process.finder import CLOCKS_DIFFER, ProcessFinder, ProcessStats
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
from exporter.metrics.labels import UNKNOWN
from exporter.metrics.samples import Samples

K = TypeVar("K")

LONGEST_TEXT = 64


@dataclass(slots=True)
class _Run:
    """One run of a process. Seen by two views, it has one start, and CPU time that never falls."""

    start: float
    views: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The process id and the start, by the view it comes from: the bridge (inside) or the system (outside)."""
    cpu: dict[str, float] = field(default_factory=dict)

    def includes(self, view: str, pid: float, start: float) -> bool:
        known_pid, known_start = self.views.get(view, (pid, self.start))
        return known_pid == pid and abs(known_start - start) <= CLOCKS_DIFFER


class ProcessView:
    """One process over its runs."""

    def __init__(self, finder: ProcessFinder, reader: DocumentReader) -> None:
        self._finder = finder
        self._reader = reader
        self._run: _Run | None = None
        self._name = UNKNOWN

    def read(self, state: ProcessState | None, is_local: bool) -> ProcessStats | None:
        """What the operating system shows of it. Blocks. CollectorError where it cannot be decided which it is."""
        pid, start = state.run if state else (None, None)
        if pid is not None and start is not None and is_local:
            self._finder.adopt(int(pid), start)
        stats = self._finder.stats()
        # A process id file may be an old one, a pattern may match something else.
        is_other = stats is not None and start is not None and abs(stats.start - start) > CLOCKS_DIFFER
        return None if is_other else stats

    def add(self, samples: Samples, state: ProcessState | None, stats: ProcessStats | None) -> None:
        """Each family once: what the bridge says, else what is seen from outside."""
        process = self._reader.part(state.document, "process") if state else {}
        if state is not None:
            self._name = state.name or UNKNOWN
        run = self._current_run(state, stats)
        if run is not None:
            samples.add(c.PROCESS_START, run.start, self._name)
        for family, value in {**_outside(stats), **_known(_inside(process, self._reader))}.items():
            samples.add(family, value, self._name)
        for mode, seconds in self._cpu(process, stats).items():
            if run is not None:
                seconds = run.cpu[mode] = max(seconds, run.cpu.get(mode, 0.0))
            samples.add(c.PROCESS_CPU, seconds, self._name, mode)
        version, platform = (self._reader.text(process, key, LONGEST_TEXT) for key in ("node", "platform"))
        if version is not None and platform is not None:
            samples.add(c.NODEJS_INFO, 1.0, self._name, version, platform)

    def _current_run(self, state: ProcessState | None, stats: ProcessStats | None) -> _Run | None:
        pid, start = state.run if state else (None, None)
        if start is not None:
            self._see("inside", pid or 0.0, start)
        if stats is not None:
            self._see("outside", stats.pid, stats.start)
        return self._run if start is not None or stats is not None else None

    def _see(self, view: str, pid: float, start: float) -> None:
        if self._run is None or not self._run.includes(view, pid, start):
            self._run = _Run(start)
        self._run.views[view] = (pid, start)

    def _cpu(self, process: dict[str, Any], stats: ProcessStats | None) -> dict[str, float]:
        cpu = self._reader.part(process, "cpu")
        seconds = {mode: self._reader.positive(cpu, mode) for mode in ("user", "system")}
        outside = {"user": stats.user, "system": stats.system} if stats else {}
        return _known({**outside, **_known(seconds)})


def _inside(process: dict[str, Any], reader: DocumentReader) -> dict[Family, float | None]:
    memory, lag = reader.part(process, "memory"), reader.part(process, "eventLoopLag")
    return {
        c.PROCESS_RESIDENT: reader.count(memory, "rss"),
        c.PROCESS_HEAP_USED: reader.count(memory, "heapUsed"),
        c.PROCESS_HEAP_SIZE: reader.count(memory, "heapTotal"),
        c.PROCESS_HEAP_LIMIT: reader.count(memory, "heapLimit"),
        c.PROCESS_FDS: reader.count(process, "openFds"),
        c.PROCESS_THREADS: reader.count(process, "threads"),
        c.EVENTLOOP_P50: reader.positive(lag, "p50"),
        c.EVENTLOOP_P99: reader.positive(lag, "p99"),
        c.EVENTLOOP_MAX: reader.positive(lag, "max"),
    }


def _outside(stats: ProcessStats | None) -> dict[Family, float]:
    if stats is None:
        return {}
    seen = {c.PROCESS_RESIDENT: stats.resident, c.PROCESS_FDS: stats.fds, c.PROCESS_THREADS: stats.threads}
    return _known(seen)


def _known(values: dict[K, float | None]) -> dict[K, float]:
    return {key: value for key, value in values.items() if value is not None}
