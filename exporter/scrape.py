"""One scrape: the sources side by side under one deadline; each isolated, timed and reported.

A source's running collection is shared by all scrapes that want it meanwhile; nothing of it is kept but the
state that the landing page shows.
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

from exporter import __version__, catalogue
from exporter.samples import Samples
from exporter.sources import Source, SourceError

log = structlog.get_logger(__name__)

DEFAULT_TIMEOUT_SECONDS = 10.0
# A source is told its limit and cut off a little later, so that it can say itself what kept it.
GRACE_SECONDS = 0.1
CLOSE_SECONDS = 0.3
_SECONDS = re.compile(r" *([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}) *")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a source delivered. `error` is the message if it failed, `bug` the cause if it should not have."""

    metrics: Sequence[Metric]
    seconds: float
    error: str = ""
    bug: BaseException | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How a source did at its last collection: `at` is a Unix time, None before the first."""

    name: str
    at: float | None
    seconds: float
    error: str
    pending: Sequence[str]


def scrape_timeout(header: str | None) -> float:
    """Seconds for a scrape, from Prometheus's header: half a second less, but at least half of it.

    A header that makes no sense counts as none.
    """
    if header is None or not _SECONDS.fullmatch(header) or not (seconds := float(header)):
        return DEFAULT_TIMEOUT_SECONDS
    return max(seconds - 0.5, seconds / 2)


class Scraper:
    """Runs the sources. `limits` are seconds by source name; `clock` measures durations."""

    def __init__(
        self,
        sources: Iterable[Source],
        limits: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or {}
        self._collectors = {
            source.name: _Collector(source, limits.get(source.name, math.inf), clock) for source in sources
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The configured sources' names, in order."""
        return tuple(self._collectors)

    async def start(self) -> None:
        """Starts the sources' background work; one that fails to start is logged and still scraped."""
        for collector in self._collectors.values():
            await collector.start()

    async def close(self) -> None:
        """Cuts off what is running and closes every source, within a bounded time."""
        await asyncio.gather(*(collector.close() for collector in self._collectors.values()))

    async def scrape(
        self, names: Collection[str] | None = None, seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> list[Metric]:
        """All families of the sources in `names` (None is all) and about them; never fails for a source."""
        chosen = [each for name, each in self._collectors.items() if names is None or name in names]
        outcomes = await asyncio.gather(*(collector.collect(seconds) for collector in chosen))
        about = Samples()
        about.add(catalogue.BUILD_INFO, 1.0, __version__, platform.python_version())
        metrics: list[Metric] = []
        for collector, outcome in zip(chosen, outcomes, strict=True):
            about.add(catalogue.COLLECTOR_SUCCESS, 0.0 if outcome.error else 1.0, collector.name)
            about.add(catalogue.COLLECTOR_DURATION, outcome.seconds, collector.name)
            metrics += outcome.metrics
            metrics += collector.about()
        return merge([*metrics, *about.metrics()])

    def states(self) -> list[State]:
        """How each source did last, without asking it."""
        return [collector.state() for collector in self._collectors.values()]

    def pending(self) -> list[str]:
        """What is still to be done before the exporter is ready, by source; empty when it is."""
        return [f"{state.name}: {what}" for state in self.states() for what in state.pending]


def merge(metrics: Iterable[Metric]) -> list[Metric]:
    """One family of each name: several sources may add series to one, but a page has it once."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(metric.name, []).append(metric)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in families.values()]


def _joined(parts: list[Metric]) -> Metric:
    first = parts[0]
    joined = Metric(first.name, first.documentation, first.type, first.unit)
    series = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample
        for part in reversed(parts)
        for sample in reversed(part.samples)
        if part.type == first.type
    }
    joined.samples = list(reversed(series.values()))
    if len(joined.samples) < sum(len(part.samples) for part in parts):
        log.error("series left out, as two sources have the same: a bug", family=first.name)
    return joined


class _Collector:
    """One source, its running collection if there is one, and how it did last."""

    def __init__(self, source: Source, limit: float, clock: Callable[[], float]) -> None:
        self.name = source.name
        self._source = source
        self._limit = limit
        self._clock = clock
        self._task: asyncio.Task[Outcome] | None = None
        self._deadline = 0.0
        self._last_at: float | None = None
        self._last_seconds = 0.0
        # What was logged last, by part of the source: told again only when it changes.
        self._told: dict[str, str] = {}

    async def start(self) -> None:
        try:
            await self._source.start()
        except Exception as error:  # noqa: BLE001 (isolates the source, whatever its fault)
            self._tell("start", _message(error), error)

    async def collect(self, seconds: float) -> Outcome:
        """Joins the running collection or starts one; waits `seconds` (and the grace) at most."""
        begun = self._clock()
        seconds = min(seconds, self._limit)
        task = self._task or self._begin(seconds)
        left = max(0.0, self._deadline - asyncio.get_running_loop().time())
        # Waiting, unlike awaiting, leaves the task to the others when this scrape is cancelled.
        await asyncio.wait({task}, timeout=min(seconds + GRACE_SECONDS, left))
        if task.done() and not task.cancelled():
            outcome = task.result()
        else:
            outcome = Outcome((), self._clock() - begun, f"did not deliver within {seconds:g} seconds")
        self._note(outcome)
        return outcome

    def _begin(self, seconds: float) -> asyncio.Task[Outcome]:
        """A task that is told to stop at the deadline; while one does not, no other is begun."""
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._run(seconds), name=f"collect {self.name}")
        self._task, self._deadline = task, loop.time() + seconds + GRACE_SECONDS
        stop = loop.call_at(self._deadline, task.cancel)

        def ended(_: asyncio.Task[Outcome]) -> None:
            stop.cancel()
            self._task = None

        task.add_done_callback(ended)
        return task

    def about(self) -> list[Metric]:
        """The source's families about its own work; none, and a log line, if it fails to give them."""
        try:
            metrics = self._source.about()
        except Exception as error:  # noqa: BLE001 (as above)
            self._tell("about", _message(error), error)
            return []
        self._tell("about", "")
        return metrics

    def state(self) -> State:
        try:
            pending = self._source.pending()
        except Exception as error:  # noqa: BLE001 (as above)
            self._tell("pending", _message(error), error)
            pending = [_message(error)]
        return State(self.name, self._last_at, self._last_seconds, self._told.get("collect", ""), pending)

    async def close(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._source.close()
        except Exception as error:  # noqa: BLE001 (as above: the other sources are to be closed too)
            self._tell("close", _message(error), error)

    async def _run(self, seconds: float) -> Outcome:
        begun = self._clock()
        try:
            metrics = await self._source.collect(seconds)
        except SourceError as error:
            return Outcome((), self._clock() - begun, str(error) or "failed without a message")
        except Exception as error:  # noqa: BLE001 (as above)
            return Outcome((), self._clock() - begun, _message(error), error)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            # Nobody cancelled this task: it is something of the source's own that was.
            return Outcome((), self._clock() - begun, _message(error), error)
        return Outcome(metrics, self._clock() - begun)

    def _note(self, outcome: Outcome) -> None:
        self._last_at, self._last_seconds = time.time(), outcome.seconds
        self._tell("collect", outcome.error, outcome.bug)

    def _tell(self, part: str, message: str, bug: BaseException | None = None) -> None:
        """Logs a change of state, once; an empty message is the good state."""
        before = self._told.get(part, "")
        if message == before:
            return
        self._told[part] = message
        if not message:
            log.info("collector works again", collector=self.name, part=part)
        elif bug is None:
            log.warning("collector failed", collector=self.name, part=part, error=message)
        else:
            log.error("collector failed: a bug", collector=self.name, part=part, error=message, exc_info=bug)


def _message(error: BaseException) -> str:
    """What failed and where; the same for the same bug, as the text of an exception may not be."""
    if isinstance(error, SourceError):
        return str(error)
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}; the log has the details"
