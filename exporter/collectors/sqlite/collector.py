"""Source 1: the bot's SQLite file, read a little at a time and never again.

The first catch-up goes on in the background; a scrape reads what came since. `database` knows the file's tables,
`connection` is the only code that touches it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.collectors.base import CollectorError, Diagnosis, IncompleteError
from exporter.collectors.sqlite.catch_up import CatchUpProgress
from exporter.collectors.sqlite.connection import Reader, ReplacedError, Version
from exporter.collectors.sqlite.database import Database, RestartError
from exporter.collectors.sqlite.saved_totals import SavedTotals
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.samples import HistogramValue, Samples

PATIENCE = 1.0
"""Seconds that the background work waits for a locked file at a time, and between two tries after an error."""
SURVEY_INTERVAL = 1.0
"""Seconds between two looks at how much there is, while catching up."""
REVISIT_INTERVAL = 10.0
REVISIT_ALL_WITHIN = 2700.0
"""Seconds: older rows are looked at again a few at a time, each well within an hour."""

log = structlog.get_logger()


def configured(config: Config) -> list[Metric]:
    """The families that the configuration alone tells."""
    samples = Samples()
    samples.add(c.PORTFOLIO_START_VALUE, config.portfolio.starting_value_usd)
    samples.add(c.PORTFOLIO_GOAL_VALUE, config.portfolio.goal_value_usd)
    return samples.metrics()


class DatabaseCollector:
    """Collector `database`. Labels and units stand in the catalogue."""

    name = "database"

    def __init__(self, path: Path, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._reader = Reader(path)
        self._config = config
        self._clock = clock
        self._database = Database(self._reader, config, clock)
        self._saved = SavedTotals(path, config)
        self._is_verified = False
        """Whether saved totals were compared with the file."""
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._seen: Version | None = None
        self._replacements = 0
        self._surveyed = 0.0
        self._trouble: str | None = None
        self._stuck = False
        self._changes = 0
        self._revisited = (0, 0.0)
        self._share_left = 0.0
        self._progress = CatchUpProgress()

    async def start(self) -> None:
        self._database.load(await self._saved.load())
        self._task = asyncio.create_task(self._work(), name="database catch-up")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._save()
        await self._reader.close()

    async def _save(self) -> None:
        await self._saved.save(self._database.dump())

    async def collect(self, timeout: float) -> list[Metric]:
        async with self._lock:
            deadline = time.monotonic() + timeout * 0.8
            await self._guarded(self._refresh, deadline)
            if self._stuck:
                await self._guarded(self._step, deadline)
            metrics = [*configured(self._config), *self._database.metrics()]
            if faults := self._database.faults:
                raise IncompleteError(f"{self._reader.path}: {'; '.join(faults)}", metrics)
            return metrics

    async def _guarded(self, action: Callable[[float], Awaitable[None]], deadline: float) -> None:
        """Runs an action on the file. A file that turns out to be another one starts new totals."""
        self._reader.deadline = deadline
        try:
            await action(deadline)
        except ReplacedError:
            await self._reader.close()
            self._database = Database(self._reader, self._config, self._clock)
            self._restart("another file is at its path")
        except RestartError as error:
            self._restart(str(error))
        except CollectorError as error:
            self._database.forget_schema()
            self._seen, self._trouble = None, str(error)
            raise
        except BaseException:
            self._seen = None
            raise
        else:
            self._trouble = None
            self._is_verified = self._is_verified or self._database.surveyed

    def _restart(self, why: str) -> None:
        self._database.forget_schema()
        self._seen, self._trouble = None, None
        if not self._is_verified:
            self._is_verified = True
            log.warning("saved totals do not fit the database: it is read from the start", why=why)
            return
        self._replacements += 1
        log.warning("database replaced, its totals start anew", why=why, path=str(self._reader.path))

    async def _refresh(self, deadline: float) -> None:
        """Reads what is new of the tables that have caught up."""
        if not await self._has_changed() and not self._database.behind:
            return
        await self._database.survey()
        await self._read_new(deadline)
        await self._database.follow()
        await self._read_new(deadline)

    async def _read_new(self, deadline: float) -> None:
        for progress in list(self._database.growing.values()):
            while progress.caught_up and progress.unread and time.monotonic() < deadline:
                await progress.advance()

    async def _has_changed(self) -> bool:
        """Whether the file was written to since the last time."""
        before, self._seen = self._seen, await self._reader.version()
        changed = self._seen != before
        self._changes += changed
        return changed

    async def _work(self) -> None:
        """The first catch-up, of every file and table that appears, and the second looks at old decisions."""
        while True:
            try:
                async with self._lock:
                    await self._guarded(self._step, time.monotonic() + PATIENCE)
                    self._stuck = False
                self._progress.note(sum(each.unread for each in self._database.growing.values()))
                if self._saved.is_due:
                    await self._save()
            except CollectorError:
                # The next scrape tries the same, and says so.
                self._stuck = True
                await asyncio.sleep(PATIENCE)
            except Exception as error:
                self._trouble = f"fault in the exporter, please report it: {error!r}"
                log.exception("catch-up failed")
                await asyncio.sleep(PATIENCE)
            if self._database.caught_up:
                await asyncio.sleep(PATIENCE)

    async def _step(self, _deadline: float) -> None:
        database, now = self._database, time.monotonic()
        if database.caught_up:
            await self._revisit(now)
            if self._share_left > 0:
                await database.look_for_rewrites(PATIENCE / REVISIT_ALL_WITHIN)
            return
        if now - self._surveyed > SURVEY_INTERVAL or not database.surveyed:
            await self._reader.version()
            await database.survey()
            self._surveyed = now
        progress = database.next_to_catch_up()
        if not database.live_is_read:
            await database.read_live()
        elif progress is not None and not await progress.advance():
            log.info("table caught up", table=progress.table.name, rows=progress.table.rows)
            # What is looked at again in it is looked at by the next scrape, whether or not the file changes.
            self._seen = None
            if database.caught_up:
                await self._save()

    async def _revisit(self, now: float) -> None:
        """Only while there were changes since all decisions were last looked at."""
        last_change, began = self._revisited
        if now - began < REVISIT_INTERVAL:
            return
        self._revisited = (last_change, now)
        if self._changes != last_change or self._share_left > 0:
            if self._changes != last_change:
                self._share_left, self._revisited = 1.0, (self._changes, now)
            await self._database.revisit(REVISIT_INTERVAL / REVISIT_ALL_WITHIN)
            self._share_left -= REVISIT_INTERVAL / REVISIT_ALL_WITHIN

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        overflow = 0
        for table in self._database.tables:
            table.self_metrics(samples)
            overflow += 0 if table.shows_nothing else table.labels.overflow
        for name, progress in self._database.growing.items():
            samples.add(c.DATABASE_UNREAD, progress.unread, name)
            samples.add(c.DATABASE_REWRITES, progress.rewrites.found, name)
        samples.add(c.LABEL_OVERFLOW, overflow, self.name)
        samples.add(c.DATABASE_REPLACEMENTS, self._replacements)
        if (sizes := self._reader.sizes()) is not None:
            samples.add(c.DATABASE_SIZE, sizes[0])
            samples.add(c.DATABASE_WAL, sizes[1])
        holds = list(accumulate(self._reader.holds))
        samples.add(c.DATABASE_READ_DURATION, HistogramValue(holds, self._reader.hold_total))
        return samples.metrics()

    def readiness(self) -> list[str]:
        if self._trouble is not None or not self._database.surveyed:
            return [self._trouble or "the database has not been looked at yet"]
        left = [
            f"table {name}: {progress.unread} rows left, {_extent(progress.newest)}"
            for name, progress in self._database.growing.items()
            if not progress.caught_up
        ]
        unread = [
            f"table {name} has not been read"
            for name, live in self._database.live.items()
            if not live.caught_up
        ]
        return [*self._database.faults, *left, *unread]

    async def diagnose(self) -> list[Diagnosis]:
        self._reader.deadline = time.monotonic() + self._config.database.timeout_seconds
        try:
            if not await self._reader.exists():
                return [Diagnosis("database", "missing", f"{self._reader.path} does not exist yet")]
            how = await self._reader.describe()
            with suppress(ReplacedError):
                await self._database.survey()
            agents = {name: await each.newest_agents() for name, each in self._database.growing.items()}
        except CollectorError as error:
            return [Diagnosis("database", "error", str(error))]
        size, _ = self._reader.sizes() or (0, 0)
        tables = [
            *(
                Diagnosis(f"table {name}", "ok", _extent(progress.newest), tuple(agents[name]))
                for name, progress in self._database.growing.items()
            ),
            *(Diagnosis(f"table {name}", "ok", "found") for name in self._database.live),
        ]
        return [
            Diagnosis("database", "ok", f"{self._reader.path}, {size} bytes, {how}"),
            *(Diagnosis("database", "error", fault) for fault in self._database.faults),
            *tables,
            *(Diagnosis(what, "missing", "its families are absent") for what in self._database.missing),
        ]


def _extent(newest: int | None) -> str:
    return "no rows yet" if newest is None else f"up to row {newest}"
