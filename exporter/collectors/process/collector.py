"""Source 3: the bot's process, as the bridge in it and the operating system show it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from prometheus_client.core import Metric

from exporter.collectors.base import CollectorError, Diagnosis
from exporter.collectors.bridge.client import BotState, BridgeClient
from exporter.collectors.bridge.document import DocumentReader
from exporter.collectors.process.finder import CLOCKS_DIFFER, ProcessFinder, ProcessStats
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
from exporter.metrics.samples import Samples

K = TypeVar("K")

LONGEST_TEXT = 64
DIAGNOSE_SECONDS = 10.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Run:
    """One run of the bot's process. Seen by two views, it has one start, and CPU time that never falls."""

    start: float
    views: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The process id and the start, by the view it comes from: the bridge (inside) or the system (outside)."""
    cpu: dict[str, float] = field(default_factory=dict)

    def includes(self, view: str, pid: float, start: float) -> bool:
        known_pid, known_start = self.views.get(view, (pid, self.start))
        return known_pid == pid and abs(known_start - start) <= CLOCKS_DIFFER


class SystemCollector:
    """Collector `system`. Labels and units stand in the catalogue."""

    name = "system"

    def __init__(self, bridge: BridgeClient | None, config: Config) -> None:
        self._bridge = bridge
        self._finder = ProcessFinder(config.bot.pid_file, config.bot.command_pattern)
        self._reads_process = self._finder.is_configured or (bridge is not None and bridge.is_local)
        # One thread of its own: where /proc hangs, nobody else waits.
        self._executor = ThreadPoolExecutor(1, "system")
        self._reader = DocumentReader()
        self._run: _Run | None = None
        self._logged = ""

    async def start(self) -> None:
        """Nothing goes on between scrapes."""

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._bridge is not None:
            await self._bridge.close()

    async def collect(self, timeout: float) -> list[Metric]:
        state, bridge_error = await self._state(timeout)
        process = self._reader.part(state.document, "process") if state else {}
        stats = await self._stats(state)
        if not process and stats is None:
            raise CollectorError(self._why_nothing(bridge_error))
        self._log_change(bridge_error)
        return self.families(process, state, stats)

    async def _state(self, seconds: float) -> tuple[BotState | None, str]:
        """The bridge's state, or what is wrong with it."""
        if self._bridge is None:
            return None, ""
        try:
            return await self._bridge.state(seconds), ""
        except CollectorError as error:
            return None, str(error)

    async def _stats(self, state: BotState | None) -> ProcessStats | None:
        if not self._reads_process:
            return None
        loop = asyncio.get_running_loop()
        stats = await loop.run_in_executor(self._executor, self._read_process, state)
        start = state.run[1] if state else None
        # A process id file may be an old one, a pattern may match something else.
        is_other = stats is not None and start is not None and abs(stats.start - start) > CLOCKS_DIFFER
        return None if is_other else stats

    def _read_process(self, state: BotState | None) -> ProcessStats | None:
        pid, start = state.run if state else (None, None)
        if pid is not None and start is not None and self._bridge is not None and self._bridge.is_local:
            self._finder.adopt(int(pid), start)
        return self._finder.stats()

    def _why_nothing(self, bridge_error: str) -> str:
        if not self._finder.is_configured:
            return bridge_error or "the bridge's document has nothing on the process"
        return "; ".join(filter(None, (bridge_error, self._finder.missing())))

    def _log_change(self, bridge_error: str) -> None:
        if bridge_error and bridge_error != self._logged:
            log.warning("bot's process is seen from outside only", collector=self.name, error=bridge_error)
        elif self._logged and not bridge_error:
            log.info("bot's process is seen through the bridge again", collector=self.name)
        self._logged = bridge_error

    def families(
        self, process: dict[str, Any], state: BotState | None, stats: ProcessStats | None
    ) -> list[Metric]:
        """Each family once: what the bridge says, else what is seen from outside."""
        samples = Samples()
        run = self._current_run(state, stats)
        values = {**_outside(stats), **_known(_inside(process, self._reader))}
        if run is not None:
            samples.add(c.PROCESS_START, run.start)
        for family, value in values.items():
            samples.add(family, value)
        for mode, seconds in self._cpu(process, stats).items():
            if run is not None:
                seconds = run.cpu[mode] = max(seconds, run.cpu.get(mode, 0.0))
            samples.add(c.PROCESS_CPU, seconds, mode)
        version, platform = (self._reader.text(process, key, LONGEST_TEXT) for key in ("node", "platform"))
        if version is not None and platform is not None:
            samples.add(c.NODEJS_INFO, 1.0, version, platform)
        return samples.metrics()

    def _current_run(self, state: BotState | None, stats: ProcessStats | None) -> _Run | None:
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

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        if self._bridge is not None:
            samples.add(c.BRIDGE_MALFORMED, self._reader.malformed, self.name)
        return samples.metrics()

    def readiness(self) -> list[str]:
        return []

    async def diagnose(self) -> list[Diagnosis]:
        state, bridge_error = await self._state(DIAGNOSE_SECONDS)
        stats = await self._stats(state)
        findings = []
        if self._bridge is not None:
            findings.append(
                Diagnosis("bridge", "error" if bridge_error else "ok", bridge_error or self._bridge.url)
            )
        if stats is not None:
            findings.append(Diagnosis("process", "ok", f"process {stats.pid}"))
        elif self._reads_process and not bridge_error:
            findings.append(Diagnosis("process", "missing", self._finder.missing()))
        return findings


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
