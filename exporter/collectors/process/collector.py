"""Source 3: the bot's processes, as the bridges in them and the operating system show them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from prometheus_client.core import Metric

from exporter.collectors.base import CollectorError, Diagnosis
from exporter.collectors.bridge.client import BotState, BridgeClient
from exporter.collectors.bridge.document import DocumentReader
from exporter.collectors.bridge.endpoint import ProcessState
from exporter.collectors.process.finder import ProcessFinder, ProcessStats
from exporter.collectors.process.view import ProcessView
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.samples import Samples

DIAGNOSE_SECONDS = 10.0

log = structlog.get_logger(__name__)

Seen = tuple[ProcessView, ProcessState | None, ProcessStats | None]


class SystemCollector:
    """Collector `system`. Labels and units stand in the catalogue."""

    name = "system"

    def __init__(self, bridge: BridgeClient | None, config: Config) -> None:
        self._bridge = bridge
        self._has_several = config.bridge.has_several
        self._finder = ProcessFinder(config.bot.pid_file, config.bot.command_pattern)
        self._is_local = bridge is not None and bridge.is_local
        self._reads_process = self._finder.is_configured or self._is_local
        # One thread of its own: where /proc hangs, nobody else waits.
        self._executor = ThreadPoolExecutor(1, "system")
        self._reader = DocumentReader()
        self._views: dict[str, ProcessView] = {}
        self._logged = ""

    async def start(self) -> None:
        """Nothing goes on between scrapes."""

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._bridge is not None:
            await self._bridge.close()

    async def collect(self, timeout: float) -> list[Metric]:
        state, bridge_error = await self._state(timeout)
        seen = await self._see(state)
        if not any(stats or (process and process.document.get("process")) for _, process, stats in seen):
            raise CollectorError(self._why_nothing(bridge_error))
        self._log_change(bridge_error)
        samples = Samples()
        for view, process, stats in seen:
            view.add(samples, process, stats)
        return samples.metrics()

    async def _state(self, seconds: float) -> tuple[BotState | None, str]:
        """The bridge's state, or what is wrong with it."""
        if self._bridge is None:
            return None, ""
        try:
            return await self._bridge.state(seconds), ""
        except CollectorError as error:
            return None, str(error)

    async def _see(self, state: BotState | None) -> list[Seen]:
        """Each process; without several bridges the one, whether its bridge answers or not."""
        processes = state.processes if state else ()
        if self._has_several:
            named: list[tuple[str, ProcessState | None]] = [(process.name, process) for process in processes]
        else:
            named = [("", processes[0] if processes else None)]
        pairs = [(self._view(name), process) for name, process in named]
        if not self._reads_process:
            return [(view, process, None) for view, process in pairs]
        loop = asyncio.get_running_loop()
        return [
            (view, process, await loop.run_in_executor(self._executor, view.read, process, self._is_local))
            for view, process in pairs
        ]

    def _view(self, name: str) -> ProcessView:
        if name not in self._views:
            finder = ProcessFinder(None, None) if self._has_several else self._finder
            self._views[name] = ProcessView(finder, self._reader)
        return self._views[name]

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

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        if self._bridge is not None:
            samples.add(c.BRIDGE_MALFORMED, self._reader.malformed, self.name)
        return samples.metrics()

    def readiness(self) -> list[str]:
        return []

    async def diagnose(self) -> list[Diagnosis]:
        state, bridge_error = await self._state(DIAGNOSE_SECONDS)
        findings = []
        if self._bridge is not None:
            findings.append(
                Diagnosis("bridge", "error" if bridge_error else "ok", bridge_error or self._bridge.url)
            )
        for name, error in (state.failures if state else {}).items():
            findings.append(Diagnosis(f"bridge {name}", "error", error))
        for _, process, stats in await self._see(state):
            if stats is not None:
                name = f" ({process.name})" if process and process.name else ""
                findings.append(Diagnosis("process", "ok", f"process {stats.pid}{name}"))
            elif self._reads_process and not bridge_error:
                findings.append(Diagnosis("process", "missing", self._finder.missing()))
        return findings
