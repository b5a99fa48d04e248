"""The bridges in the bot's processes: their state documents, fetched once for all who want them at a time."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog

from exporter.collectors.base import CollectorError
from exporter.collectors.bridge.endpoint import VERSION as VERSION
from exporter.collectors.bridge.endpoint import Endpoint, ProcessState, headers
from exporter.collectors.bridge.merging import has_orchestrator, merged
from exporter.config import Bridge as Settings
from exporter.http.client import UNIX
from exporter.metrics.labels import UNKNOWN

T = TypeVar("T")

SHARE = 0.8
"""Of a collector's time: the rest is for what it does with the document."""
MOST_SOCKETS = 32
LOCAL_HOSTS = ("localhost", "::1")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BotState:
    """What the bot's processes say: one document, and each process, the one with the orchestrator first."""

    document: dict[str, Any]
    time: float
    processes: tuple[ProcessState, ...]
    failures: dict[str, str]
    """By process: why it has no part in this."""

    @property
    def run(self) -> tuple[float | None, float | None]:
        """Process id and start of the process with the orchestrator."""
        return self.processes[0].run

    @property
    def runs(self) -> tuple[tuple[float | None, float | None], ...]:
        """The same while all processes are."""
        return tuple(process.run for process in self.processes)


class BridgeClient:
    """Fetches the documents. Callers that come while a fetch is under way share it.

    A process that does not answer, or is another bot's, costs only its own part, unless it is the only one.
    """

    def __init__(
        self, settings: Settings, database: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        if not settings.is_configured:
            raise ValueError("there is no bridge without an address")
        self.url = next(iter(settings.addresses), str(settings.socket_directory))
        """Of the first bridge, or where the sockets are."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self._names: dict[str, str] = {}
        self._logged: dict[str, str] = {}
        self.up: dict[str, bool] = {}
        """Which processes were read the last time."""
        self._task: asyncio.Task[BotState] | None = None
        # One thread: what is made of a document must not overlap with what is made of the next one.
        self._executor = ThreadPoolExecutor(1, "bridge")

    @property
    def newest(self) -> float | None:
        """The time of the oldest among the documents that each process was last read from, also of a stale one."""
        times = [endpoint.newest for endpoint in self._endpoints.values() if endpoint.newest is not None]
        return min(times, default=None)

    @property
    def is_local(self) -> bool:
        """Whether the bot runs on this machine: its process id means something here."""
        hosts = [urlsplit(address).hostname or "" for address in self._settings.addresses]
        return all(host in LOCAL_HOSTS or host.startswith("127.") for host in hosts)

    async def state(self, timeout: float) -> BotState:
        """The state as it is now; CollectorError if it cannot be had within `timeout` seconds."""
        if self._task is None:
            self._task = asyncio.create_task(self._fetch(timeout * SHARE), name="fetch the bot's state")
            self._task.add_done_callback(self._ended)
        task = self._task
        # Waiting, unlike awaiting, leaves the task to the other collectors when one is cancelled.
        await asyncio.wait({task}, timeout=timeout)
        if not task.done() or task.cancelled():
            raise CollectorError(f"{self.url} did not answer in time")
        return task.result()

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Does `work` in a thread: a large document would block the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _ended(self, task: "asyncio.Task[BotState]") -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn where all callers are gone

    async def _fetch(self, seconds: float) -> BotState:
        try:
            addresses = await asyncio.to_thread(self._addresses)
            sent = await asyncio.to_thread(headers, self._settings.token_file)
        except CollectorError:
            self.up = dict.fromkeys(self.up or (UNKNOWN,), False)
            raise
        limit = min(seconds, self._settings.timeout_seconds)
        self._endpoints = {address: self._endpoint(address) for address in addresses}
        answers = await asyncio.gather(
            *(self._ask(endpoint, sent, limit) for endpoint in self._endpoints.values())
        )
        found: dict[str, ProcessState] = {}
        failures: dict[str, str] = {}
        for address, answer in zip(addresses, answers, strict=True):
            if isinstance(answer, str):
                failures[self._names.get(address, _spoken(address))] = answer
            elif answer.name in found:
                failures[f"{answer.name} at {_spoken(address)}"] = _twice(answer, found[answer.name])
            else:
                self._names[address] = answer.name
                found[answer.name] = answer
        self.up = {name or UNKNOWN: True for name in found} | dict.fromkeys(failures, False)
        if not found:
            raise CollectorError("; ".join(failures.values()))
        self._log_changes(failures)
        processes = tuple(sorted(found.values(), key=lambda process: not has_orchestrator(process.document)))
        document = await self.run_in_thread(lambda: merged([process.document for process in processes]))
        return BotState(document, min(process.time for process in processes), processes, failures)

    async def _ask(self, endpoint: Endpoint, sent: dict[str, str], seconds: float) -> ProcessState | str:
        try:
            return await endpoint.state(sent, seconds)
        except CollectorError as error:
            return str(error)

    def _addresses(self) -> Sequence[str]:
        directory = self._settings.socket_directory
        if directory is None:
            return self._settings.addresses
        if not directory.is_dir():
            raise CollectorError(f"bridge.socket_directory {directory} is not a directory")
        sockets = [f"{UNIX}{path}:/state" for path in sorted(directory.glob("*.sock"))[:MOST_SOCKETS]]
        if not sockets and not self._settings.addresses:
            raise CollectorError(
                f"bridge.socket_directory {directory} has no socket of a bridge; "
                "start the bot's processes with TWEETBOT_BRIDGE_SOCKET_DIRECTORY set to it"
            )
        return [*self._settings.addresses, *sockets]

    def _endpoint(self, address: str) -> Endpoint:
        known = self._endpoints.get(address)
        return known or Endpoint(address, self._settings, self._database, self._clock)

    def _log_changes(self, failures: dict[str, str]) -> None:
        for name, error in failures.items():
            if self._logged.get(name) != error:
                log.warning("a process of the bot has no part in the page", process=name, error=error)
        for name in self._logged.keys() - failures.keys():
            log.info("a process of the bot is seen again", process=name)
        self._logged = failures


def _spoken(address: str) -> str:
    """Of a process whose name is not known yet: its socket's name, else its address."""
    return (
        Path(address.removesuffix(":/state")).stem if address.startswith(UNIX) else urlsplit(address).netloc
    )


def _twice(one: ProcessState, other: ProcessState) -> str:
    pids = " and ".join(f"{process.run[0]:g}" for process in (other, one) if process.run[0] is not None)
    return (
        f"processes {pids} both call themselves {one.name!r}; give one another TWEETBOT_BRIDGE_PROCESS_NAME"
    )
