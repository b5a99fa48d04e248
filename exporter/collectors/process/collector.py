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
from exporter.collectors.process.finder import CLOCKS_DIFFER, Finder, Vitals
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
    """One run of the bot's process. Seen in two ways, it shows one start, and CPU time that never falls."""

    start: float
    ways: dict[str, tuple[float, float]] = field(default_factory=dict)
    """The process id and the start, by the way in which it is seen."""
    cpu: dict[str, float] = field(default_factory=dict)

    def includes(self, way: str, pid: float, start: float) -> bool:
        known_pid, known_start = self.ways.get(way, (pid, self.start))
        return known_pid == pid and abs(known_start - start) <= CLOCKS_DIFFER


class SystemCollector:
    """Collector `system`. Labels and units stand in the catalogue."""

    name = "system"

    def __init__(self, bridge: BridgeClient | None, config: Config) -> None:
        self._bridge = bridge
        self._finder = Finder(config.bot.pid_file, config.bot.command_pattern)
        self._looks = self._finder.knows_where or (bridge is not None and bridge.is_local)
        # One thread of its own: where /proc hangs, nobody else waits.
        self._executor = ThreadPoolExecutor(1, "system")
        self._reader = DocumentReader()
        self._run: _Run | None = None
        self._told = ""

    async def start(self) -> None:
        """Nothing goes on between scrapes."""

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._bridge is not None:
            await self._bridge.close()

    async def collect(self, timeout: float) -> list[Metric]:
        state, trouble = await self._state(timeout)
        process = self._reader.part(state.document, "process") if state else {}
        vitals = await self._vitals(state)
        if not process and vitals is None:
            raise CollectorError(self._nothing(trouble))
        self._tell(trouble)
        return self.shown(process, state, vitals)

    async def _state(self, seconds: float) -> tuple[BotState | None, str]:
        """The bridge's state, or what is wrong with it."""
        if self._bridge is None:
            return None, ""
        try:
            return await self._bridge.state(seconds), ""
        except CollectorError as error:
            return None, str(error)

    async def _vitals(self, state: BotState | None) -> Vitals | None:
        if not self._looks:
            return None
        loop = asyncio.get_running_loop()
        vitals = await loop.run_in_executor(self._executor, self._look, state)
        start = state.run[1] if state else None
        # A process id file may be an old one, a pattern may match something else.
        is_other = vitals is not None and start is not None and abs(vitals.start - start) > CLOCKS_DIFFER
        return None if is_other else vitals

    def _look(self, state: BotState | None) -> Vitals | None:
        pid, start = state.run if state else (None, None)
        if pid is not None and start is not None and self._bridge is not None and self._bridge.is_local:
            self._finder.meet(int(pid), start)
        return self._finder.vitals()

    def _nothing(self, trouble: str) -> str:
        if not self._finder.knows_where:
            return trouble or "the bridge's document has nothing on the process"
        return "; ".join(filter(None, (trouble, self._finder.missing())))

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._told:
            log.warning("bot's process is seen from outside only", collector=self.name, error=trouble)
        elif self._told and not trouble:
            log.info("bot's process is seen through the bridge again", collector=self.name)
        self._told = trouble

    def shown(self, process: dict[str, Any], state: BotState | None, vitals: Vitals | None) -> list[Metric]:
        """Each family once: what the bridge says, else what is seen from outside."""
        samples = Samples()
        run = self._current_run(state, vitals)
        values = {**_outside(vitals), **_known(_inside(process, self._reader))}
        if run is not None:
            samples.add(c.PROCESS_START, run.start)
        for family, value in values.items():
            samples.add(family, value)
        for mode, seconds in self._cpu(process, vitals).items():
            if run is not None:
                seconds = run.cpu[mode] = max(seconds, run.cpu.get(mode, 0.0))
            samples.add(c.PROCESS_CPU, seconds, mode)
        version, platform = (self._reader.text(process, key, LONGEST_TEXT) for key in ("node", "platform"))
        if version is not None and platform is not None:
            samples.add(c.NODEJS_INFO, 1.0, version, platform)
        return samples.metrics()

    def _current_run(self, state: BotState | None, vitals: Vitals | None) -> _Run | None:
        pid, start = state.run if state else (None, None)
        if start is not None:
            self._see("inside", pid or 0.0, start)
        if vitals is not None:
            self._see("outside", vitals.pid, vitals.start)
        return self._run if start is not None or vitals is not None else None

    def _see(self, way: str, pid: float, start: float) -> None:
        if self._run is None or not self._run.includes(way, pid, start):
            self._run = _Run(start)
        self._run.ways[way] = (pid, start)

    def _cpu(self, process: dict[str, Any], vitals: Vitals | None) -> dict[str, float]:
        cpu = self._reader.part(process, "cpu")
        seconds = {mode: self._reader.positive(cpu, mode) for mode in ("user", "system")}
        outside = {"user": vitals.user, "system": vitals.system} if vitals else {}
        return _known({**outside, **_known(seconds)})

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        if self._bridge is not None:
            samples.add(c.BRIDGE_MALFORMED, self._reader.malformed, self.name)
        return samples.metrics()

    def readiness(self) -> list[str]:
        return []

    async def diagnose(self) -> list[Diagnosis]:
        state, trouble = await self._state(DIAGNOSE_SECONDS)
        vitals = await self._vitals(state)
        findings = []
        if self._bridge is not None:
            findings.append(Diagnosis("bridge", "error" if trouble else "ok", trouble or self._bridge.url))
        if vitals is not None:
            findings.append(Diagnosis("process", "ok", f"process {vitals.pid}"))
        elif self._looks and not trouble:
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


def _outside(vitals: Vitals | None) -> dict[Family, float]:
    if vitals is None:
        return {}
    seen = {c.PROCESS_RESIDENT: vitals.resident, c.PROCESS_FDS: vitals.fds, c.PROCESS_THREADS: vitals.threads}
    return _known(seen)


def _known(values: dict[K, float | None]) -> dict[K, float]:
    return {key: value for key, value in values.items() if value is not None}
