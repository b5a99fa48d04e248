"""The families of source 1 as a scrape would have shown them, at one moment after the other."""

import time
from pathlib import Path

from prometheus_client.core import Metric

from exporter.backfill.ahead import Ahead
from exporter.backfill.tables import REPLAYED, Balances
from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.collector import configured
from exporter.collectors.sqlite.connection import Reader, ReplacedError
from exporter.collectors.sqlite.database import Database, RestartError
from exporter.collectors.sqlite.progress import LiveProgress
from exporter.collectors.sqlite.schema import Shape
from exporter.collectors.sqlite.table import GrowingTable
from exporter.collectors.sqlite.tables.decisions import Decisions
from exporter.collectors.sqlite.tables.portfolio import Portfolio
from exporter.config import Config

PATIENCE = 30.0
"""Seconds that a locked file is waited for."""


class _PastDatabase(Database):
    """The tables of the file, as they were at the moment that `moment` says, in seconds since 1970."""

    def __init__(self, reader: Reader, config: Config, now: float) -> None:
        super().__init__(reader, config, lambda: self.moment)
        self.moment = 0.0
        self.now = now
        self.tables_ahead: list[Ahead] = []
        self._balances: Ahead | None = None

    def _begin(self, kind: type[GrowingTable], shape: Shape) -> Ahead:
        table = REPLAYED.get(kind, kind)(self._config)
        self.tables_ahead.append(begun := Ahead(self._reader, shape, table, self.now))
        return begun

    def begin_portfolio(self) -> None:
        """Where there are both tables, snapshots say what the portfolio was."""
        history = self.growing.get(Balances.name)
        if history is not None and Portfolio.name in self.live:
            self._balances = Ahead(self._reader, history.shape, Balances(self._config), self.now)
            self._balances.newest, self._balances.oldest = history.newest, history.oldest

    async def reach(self, moment: float) -> None:
        """Adds all rows up to a moment."""
        self.moment = moment
        until = int(moment * 1000)
        grown = {ahead.table.name for ahead in self.tables_ahead if await ahead.reach(until)}
        if Decisions.name in grown:
            has_price = self._price(before=Decisions.name) is not None
            await self.growing[Decisions.name].follow(has_price)
        if self._balances is not None and await self._balances.reach(until):
            self._set_portfolio(self.live[Portfolio.name], self._balances.table)

    def _set_portfolio(self, live: LiveProgress, balances: GrowingTable) -> None:
        assert isinstance(live.table, Portfolio)
        assert isinstance(balances, Balances)
        live.table.look([balances.portfolio_row], self.now)
        live.caught_up = live.shown.changed = True


class Replay:
    """Replays the file at a path; `now` is in seconds since 1970. Raises CollectorError, whatever is wrong with it."""

    def __init__(self, path: Path, config: Config, now: float) -> None:
        self._reader = Reader(path)
        self._config = config
        self._database = _PastDatabase(self._reader, config, now)

    async def close(self) -> None:
        await self._reader.close()

    async def open(self) -> float | None:
        """Looks at the tables; the moment of the first row that has one, in seconds since 1970."""
        self._reader.deadline = time.monotonic() + PATIENCE
        await self._database.survey()
        if self._database.faults:
            raise CollectorError(f"{self._reader.path}: {'; '.join(self._database.faults)}")
        self._database.begin_portfolio()
        moments = [await ahead.first_moment() for ahead in self._database.tables_ahead]
        first = min((ms for ms in moments if ms is not None), default=None)
        return None if first is None else first / 1000

    async def at(self, moment: float, *, is_now: bool = False) -> list[Metric]:
        """The families at a moment, which is not before that of the last time.

        With `is_now` also what tells of now only: the tables whose rows are changed in place.
        """
        self._reader.deadline = time.monotonic() + PATIENCE
        try:
            if is_now:
                await self._database.survey()
            await self._database.reach(moment)
            if is_now:
                await self._database.read_live()
        except (ReplacedError, RestartError):
            raise CollectorError(
                f"{self._reader.path} was replaced while it was read: its history is another one, start anew"
            ) from None
        return [*configured(self._config), *self._database.metrics()]
