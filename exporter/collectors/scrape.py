"""One scrape: the collectors run concurrently under one deadline; each is isolated, timed and reported.

A running collection is shared by all scrapes that want it meanwhile. Nothing of it is kept but the status that
the landing page shows.
"""

import asyncio
import math
import platform
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client.core import Metric

from exporter import __version__
from exporter.collectors.base import Collector, CollectorError, IncompleteError
from exporter.metrics import catalogue
from exporter.metrics.merging import merge
from exporter.metrics.samples import Samples

log = structlog.get_logger(__name__)

DEFAULT_TIMEOUT_SECONDS = 10.0
# A collector gets its limit and is cut off a little later, so that it can say itself what it was waiting for.
GRACE_SECONDS = 0.1
CLOSE_SECONDS = 0.3
_SECONDS = re.compile(r" *([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}) *")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a collector delivered. `error` is the message if it failed, `bug` the cause if it should not have."""

    metrics: Sequence[Metric]
    seconds: float
    error: str = ""
    bug: BaseException | None = None


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """How a collector did at its last collection: `at` is a Unix time, None before the first."""

    name: str
    at: float | None
    seconds: float
    error: str
    not_ready: Sequence[str]
    """What is still to be done before it is ready."""


def scrape_timeout(header: str | None) -> float:
    """Seconds for a scrape, from Prometheus's header: half a second less, but at least half of it.

    A header that makes no sense counts as none.
    """
    if header is None or not _SECONDS.fullmatch(header) or not (seconds := float(header)):
        return DEFAULT_TIMEOUT_SECONDS
    return max(seconds - 0.5, seconds / 2)


class Scraper:
    """Runs the collectors. `limits` are seconds by collector name; `clock` measures durations."""

    def __init__(
        self,
        collectors: Iterable[Collector],
        limits: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or {}
        self._runners = {
            each.name: _Runner(each, limits.get(each.name, math.inf), clock) for each in collectors
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The configured collectors' names, in order."""
        return tuple(self._runners)

    async def start(self) -> None:
        """Starts the collectors' background work; one that fails to start is logged and still scraped."""
        for runner in self._runners.values():
            await runner.start()

    async def close(self) -> None:
        """Cuts off what is running and closes every collector, within a bounded time."""
        await asyncio.gather(*(runner.close() for runner in self._runners.values()))

    async def scrape(
        self, names: Collection[str] | None = None, seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> list[Metric]:
        """All families of the collectors in `names` (None is all) and about them; never fails because one does."""
        chosen = [each for name, each in self._runners.items() if names is None or name in names]
        deliveries = await asyncio.gather(*(runner.collect(seconds) for runner in chosen))
        about = Samples()
        about.add(catalogue.BUILD_INFO, 1.0, __version__, platform.python_version())
        metrics: list[Metric] = []
        for runner, delivery in zip(chosen, deliveries, strict=True):
            about.add(catalogue.COLLECTOR_SUCCESS, 0.0 if delivery.error else 1.0, runner.name)
            about.add(catalogue.COLLECTOR_DURATION, delivery.seconds, runner.name)
            metrics += delivery.metrics
            metrics += runner.self_metrics()
        return merge([*metrics, *about.metrics()])

    def statuses(self) -> list[CollectorStatus]:
        """How each collector did last, without asking it."""
        return [runner.status() for runner in self._runners.values()]

    def readiness(self) -> list[str]:
        """What is still to be done before the exporter is ready, by collector; empty when it is."""
        return [f"{state.name}: {what}" for state in self.statuses() for what in state.not_ready]


class _Runner:
    """One collector, its running collection if there is one, and how it did last."""

    def __init__(self, collector: Collector, limit: float, clock: Callable[[], float]) -> None:
        self.name = collector.name
        self._collector = collector
        self._limit = limit
        self._clock = clock
        self._task: asyncio.Task[Delivery] | None = None
        self._deadline = 0.0
        self._last_at: float | None = None
        self._last_seconds = 0.0
        # What was logged last, by part of the collector: logged again only when it changes.
        self._logged: dict[str, str] = {}

    async def start(self) -> None:
        try:
            await self._collector.start()
        except Exception as error:  # noqa: BLE001 (isolates the collector, whatever its fault)
            self._log("start", _message(error), error)

    async def collect(self, seconds: float) -> Delivery:
        """Joins the running collection or starts one; waits `seconds` (and the grace) at most."""
        begun = self._clock()
        seconds = min(seconds, self._limit)
        task = self._task or self._begin(seconds)
        left = max(0.0, self._deadline - asyncio.get_running_loop().time())
        # Waiting, unlike awaiting, leaves the task to the others when this scrape is cancelled.
        await asyncio.wait({task}, timeout=min(seconds + GRACE_SECONDS, left))
        if task.done() and not task.cancelled():
            delivery = task.result()
        else:
            delivery = Delivery((), self._clock() - begun, f"did not deliver within {seconds:g} seconds")
        self._note(delivery)
        return delivery

    def _begin(self, seconds: float) -> asyncio.Task[Delivery]:
        """A task that is told to stop at the deadline; while one does not, no other is begun."""
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._run(seconds), name=f"collect {self.name}")
        self._task, self._deadline = task, loop.time() + seconds + GRACE_SECONDS
        stop = loop.call_at(self._deadline, task.cancel)

        def ended(_: asyncio.Task[Delivery]) -> None:
            stop.cancel()
            self._task = None

        task.add_done_callback(ended)
        return task

    def self_metrics(self) -> list[Metric]:
        """The collector's families about its own work; none, and a log line, if it fails to give them."""
        try:
            metrics = self._collector.self_metrics()
        except Exception as error:  # noqa: BLE001 (as above)
            self._log("self_metrics", _message(error), error)
            return []
        self._log("self_metrics", "")
        return metrics

    def status(self) -> CollectorStatus:
        try:
            not_ready = self._collector.readiness()
        except Exception as error:  # noqa: BLE001 (as above)
            self._log("readiness", _message(error), error)
            not_ready = [_message(error)]
        return CollectorStatus(
            self.name, self._last_at, self._last_seconds, self._logged.get("collect", ""), not_ready
        )

    async def close(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._collector.close()
        except TimeoutError:
            self._log("close", f"did not close within {CLOSE_SECONDS:g} seconds")
        except Exception as error:  # noqa: BLE001 (as above: the other collectors are to be closed too)
            self._log("close", _message(error), error)

    async def _run(self, seconds: float) -> Delivery:
        begun = self._clock()
        try:
            metrics = await self._collector.collect(seconds)
        except IncompleteError as error:
            return Delivery(error.metrics, self._clock() - begun, str(error))
        except CollectorError as error:
            return Delivery((), self._clock() - begun, str(error) or "failed without a message")
        except Exception as error:  # noqa: BLE001 (as above)
            return Delivery((), self._clock() - begun, _message(error), error)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            # Nobody cancelled this task: it is something of the collector's own that was.
            return Delivery((), self._clock() - begun, _message(error), error)
        return Delivery(metrics, self._clock() - begun)

    def _note(self, delivery: Delivery) -> None:
        self._last_at, self._last_seconds = time.time(), delivery.seconds
        self._log("collect", delivery.error, delivery.bug)

    def _log(self, part: str, message: str, bug: BaseException | None = None) -> None:
        """Logs a change of state, once; an empty message is the good state."""
        before = self._logged.get(part, "")
        if message == before:
            return
        self._logged[part] = message
        if not message:
            log.info("collector works again", collector=self.name, part=part)
        elif bug is None:
            log.warning("collector failed", collector=self.name, part=part, error=message)
        else:
            log.error("collector failed: a bug", collector=self.name, part=part, error=message, exc_info=bug)


def _message(error: BaseException) -> str:
    """What failed and where; the same for the same bug, as the text of an exception may not be."""
    if isinstance(error, CollectorError):
        return str(error)
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}; the log has the details"
