"""Any file, edited in any way between scrapes: the page is what the oracle says of all that ever was in it.

`WHOLE_DATABASES=1000 pytest -n 0 -k many_whole tests/collectors/sqlite` tries as many files, each
from a seed of its own (the first one is WHOLE_DATABASES_FROM); a failure names its seed. Without it hypothesis makes
a few, and shrinks what fails.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.anyfile import AnyFile
from oracle.expected import LIVE, READ, expected_of, readable
from oracle.ledger import Ledger
from oracle.page import FAMILIES, difference, samples_of
from oracle.table import Key, Settings, Table, read_tables

from exporter.collectors.base import IncompleteError
from exporter.collectors.sqlite import connection
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.collectors.sqlite.seqlock import Stamp
from exporter.config import Config, load

from .harness import PATIENCE
from .test_pages import moderate

FAST_DISK = Path("/dev/shm")
MOST_STEPS = 400
"""More than any of these files needs."""
EDITS = (
    AnyFile.append,
    AnyFile.append,
    AnyFile.insert_at_any_number,
    AnyFile.delete_some,
    AnyFile.prune,
    AnyFile.save_decisions_again,
    AnyFile.change_live_rows,
    AnyFile.add_column,
    AnyFile.add_table,
    AnyFile.rewrite_in_the_middle,
    AnyFile.vacuum,
    AnyFile.other_file,
)
REWRITES = "tweetbot_database_rewrites_total"
MANY = 100
"""Labels that no file needs."""
T = TypeVar("T")


class Inline:
    """A worker without a thread."""

    def __init__(self, name: str) -> None:
        pass

    async def run(self, call: Callable[[], T], seconds: float) -> T:
        return call()

    def end(self) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def without_waiting() -> Iterator[None]:
    """Nobody else writes to these files, so that nothing has to be waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "Worker", Inline)
        patch.setattr(time, "sleep", lambda seconds: None)
        patch.setattr(Stamp, "may_be_repeated", lambda self, began: False)
        yield


class Followed:
    """A file, an exporter that follows it, and what that has to say."""

    def __init__(self, directory: Path, chance: Random) -> None:
        self._chance = chance
        self._path = directory / "bot" / "bot.db"
        for beside in (self._path.parent, directory / "totals"):
            beside.mkdir()
        self.now = 1760531400.0 + chance.randrange(4) * 86400
        self._config = _drawn_config(chance, directory / "totals")
        self.file = AnyFile(self._path, chance)
        self._ledger = Ledger()
        self._live_changed = False
        self._rewrites: dict[str, float] = {}
        self.done: list[str] = ["made"]
        self._source = self._begun()

    def _begun(self) -> DatabaseCollector:
        return DatabaseCollector(self._path, self._config, lambda: self.now)

    async def follow(self) -> None:
        try:
            await self.compare()
            for _ in range(self._chance.randrange(5)):
                if not self._chance.randrange(5):
                    await self._restart()
                self.now += self._chance.choice((0, 15, 3600, 86400 * 8))
                edit = self._chance.choice(EDITS)
                self.done.append(edit.__name__)
                moves = self.file.moves
                edit(self.file)
                self.file.touch()
                # An exporter that has just started knows a file by its rows only.
                if self.file.moves > moves and self.done[-2] != "restart":
                    self._ledger.forget()
                self._live_changed = True
                await self.compare()
        finally:
            await self._source.close()
            self.file.close()

    async def _restart(self) -> None:
        self.done.append("restart")
        await self._source.close()
        self._source = self._begun()
        self._source._database.load(await self._source._saved.load())

    async def compare(self) -> None:
        found, has_failed = await self._page()
        tables = read_tables(str(self._path), READ)
        unreadable = [name for name, table in tables.items() if name not in LIVE and not table.is_numbered]
        assert has_failed == (bool(unreadable) or not tables), (unreadable, [*tables])
        expected = self._expected(tables, found)
        self._compare_rewrites(found)
        # Which of the odd statuses have their place is of all that there were.
        is_bounded = self._config.limits.agents < MANY
        differing = difference(
            found, expected, FAMILIES - {"tweetbot_system_commands"} if is_bounded else FAMILIES
        )
        assert not differing, differing

    def _compare_rewrites(self, found: Mapping[Key, float]) -> None:
        """Rows that took the place of others are noticed, and no others are."""
        before, self._rewrites = (
            self._rewrites,
            {dict(labels)["table"]: value for (name, labels), value in found.items() if name == REWRITES},
        )
        noticed = {name for name, value in self._rewrites.items() if value > before.get(name, 0)}
        there = self._ledger.new_others()
        assert noticed <= there, (noticed, there)
        if self.done[-1] == "rewrite_in_the_middle":
            # What tells its rows apart is not all read.
            assert there - {"system_alerts"} <= noticed, (noticed, there)

    async def _page(self) -> tuple[dict[Key, float], bool]:
        source = self._source
        for _ in range(MOST_STEPS):
            if source._database.caught_up:
                break
            await source._guarded(source._step, time.monotonic() + PATIENCE)
        assert source._database.caught_up, source.readiness()
        for _ in range(2):
            has_failed = False
            try:
                metrics = await source.collect(PATIENCE)
            except IncompleteError as error:
                metrics, has_failed = [*error.metrics], True
            if not source._database.caught_up:
                return await self._page()
            await source._database.revisit(1.0)
            await source._database.look_for_rewrites(1.0)
        return samples_of([*metrics, *source.self_metrics()]), has_failed

    def _expected(self, tables: Mapping[str, Table], found: Mapping[Key, float]) -> dict[Key, float]:
        counted = self._ledger.look(readable(tables), self._sequences(), self.now)
        settings = Settings(
            window=self._config.database.window,
            starting_value_usd=10000.0,
            goal_value_usd=10500.0,
            aliases=self._config.agents.aliases,
            now=self.now,
            max_agents=self._config.limits.agents,
            max_pairs=self._config.limits.label_pairs,
        )
        expected = expected_of(counted, settings)
        if self._live_changed:
            for key, value in expected.items():
                if _is_counted_of_live(key) and found.get(key, 0) > value:
                    expected[key] = found[key]
        return expected

    def _sequences(self) -> dict[str, int]:
        known = self.file.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone()
        found = self.file.execute("SELECT name, seq FROM sqlite_sequence").fetchall() if known else []
        return {name.lower(): sequence for name, sequence in found}


def _is_counted_of_live(key: Key) -> bool:
    """Of rows that are changed in place, what was unusable before stays counted."""
    name, labels = key
    return dict(labels).get("table") in LIVE or name == "tweetbot_label_overflow_total"


def _drawn_config(chance: Random, totals: Path) -> Config:
    return load(
        None,
        {
            "storage.path": totals,
            "database.window": chance.choice((1, 3, 50)),
            "limits.agents": chance.choice((1, 4, 100, 100)),
            "limits.label_pairs": chance.choice((1, 3, 500, 500)),
            "agents.aliases": chance.choice(
                ({}, {}, {"Market Hunter": "hunter", "über-agent": "market-hunter"})
            ),
        },
    )


def follow(chance: Random) -> list[str]:
    """What was done to the file."""
    with TemporaryDirectory(dir=FAST_DISK if FAST_DISK.is_dir() else None) as directory:
        followed = Followed(Path(directory), chance)
        try:
            asyncio.run(followed.follow())
        except BaseException as error:
            error.add_note(f"after {', '.join(followed.done)}: {followed.file.forms}")
            raise
        return followed.done


def test_whole_databases() -> None:
    @given(st.randoms(use_true_random=False))
    @settings(moderate, max_examples=10)
    def check(chance: Random) -> None:
        follow(chance)

    check()


@pytest.mark.timeout(0)
def test_many_whole_databases() -> None:
    count = int(os.environ.get("WHOLE_DATABASES", "10"))
    first = int(os.environ.get("WHOLE_DATABASES_FROM", "0"))
    for seed in range(first, first + count):
        try:
            follow(Random(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
