"""The ledger: a file of its own that nothing half-done, foreign or hostile gets into."""

import asyncio
import hashlib
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE
from exporter.optimizer.ledger import file as ledgerfile
from exporter.optimizer.ledger import writes
from exporter.optimizer.ledger.alerts import MAX_OCCURRENCES, OCCURRENCES_KEPT_SECONDS
from exporter.optimizer.ledger.entries import Entry, TrackRecord, TriageResult
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.schema import APPLICATION_ID, VERSION
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import (
    Action,
    ActionResult,
    Alert,
    Change,
    Impact,
    Measurement,
    Strategy,
    Subject,
)
from exporter.optimizer.strategies import make
from optimizer.fakes import HUNTER, NOON, SLOW, alert, config

SINCE = NOON - 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "optimizer.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger.open(path) as opened:
        yield opened


def triaged(*alerts: Alert) -> TriageResult:
    return TriageResult(new={each.subject: each for each in alerts}, noted=list(alerts))


async def entry(ledger: Ledger, optimization_id: int = 1) -> Entry:
    found = await ledger.optimization(optimization_id)
    assert found is not None
    return found


def made(subject: Subject) -> Strategy:
    actions = (Action("execute_adaptation", subject.agent, ("STRATEGY_ADJUSTMENT",)),)
    return make(subject, Impact("high", 0.4), 2.0, actions, config())


async def acted(ledger: Ledger, subject: Subject = SLOW) -> Entry:
    """Planned and being carried out: two actions, none sent yet."""
    await ledger.record(triaged(alert(subject)), NOON)
    newest = (await ledger.optimizations(limit=1))[0].id
    await ledger.plan(newest, made(subject), TrackRecord(0, 0, None))
    actions = [Action("execute_adaptation", subject.agent, ("STRATEGY_ADJUSTMENT",)), Action("pause")]
    before = {"response_time": Measurement(NOON - 3600, NOON, 2.8, 60)}
    await ledger.act(newest, actions, before, SINCE, NOON)
    return await entry(ledger, newest)


def digest(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.is_file()
    }


class TestFile:
    async def test_how_it_is_made(self, path: Path) -> None:
        old = os.umask(0)
        try:
            async with Ledger.open(path) as ledger:
                await ledger.record(triaged(alert()), NOON)
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        finally:
            os.umask(old)
        assert set(modes.values()) == {0o600}
        assert modes.keys() >= {"optimizer.db", "optimizer.db.lock"}
        with closing(sqlite3.connect(path)) as database:
            pragmas = ("application_id", "user_version", "journal_mode")
            found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
            tables = {
                name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            }
        assert found == [APPLICATION_ID, VERSION, "wal"]
        assert tables == {
            *("optimizations", "actions", "performance_history", "endings", "alerts"),
            *("identity", "suspensions"),
        }

    async def test_what_was_written_is_there_the_next_time(self, path: Path) -> None:
        async with Ledger.open(path) as ledger:
            before = await acted(ledger)
        async with Ledger.open(path) as ledger:
            assert await entry(ledger) == before

    @pytest.mark.parametrize("journal", ["DELETE", "WAL"])
    async def test_the_bots_database_is_refused_and_untouched(self, path: Path, journal: str) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA journal_mode = {journal}")
            database.executescript("CREATE TABLE trades (id INTEGER); INSERT INTO trades VALUES (1);")
        before = digest(path.parent)
        for way in (Ledger.open, Ledger.read):
            with pytest.raises(
                LedgerError, match=r"another program's SQLite file and was left as it is: set opti"
            ):
                async with way(path):
                    pass
        assert digest(path.parent) == before

    async def test_the_bots_database_in_use_with_a_hot_journal_is_untouched_too(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as bot:
            bot.execute("CREATE TABLE trades (id INTEGER, note TEXT)")
            bot.execute("PRAGMA cache_size = 1")
            bot.execute("BEGIN IMMEDIATE")
            bot.executemany("INSERT INTO trades VALUES (?, ?)", ((n, "x" * 500) for n in range(500)))
            before = digest(path.parent)
            with pytest.raises(LedgerError, match="another program's"):
                async with Ledger.open(path):
                    pass
            assert digest(path.parent) == before
            bot.execute("COMMIT")
            assert bot.execute("SELECT count(*) FROM trades").fetchone() == (500,)

    @pytest.mark.parametrize(
        "content", [b"not a database", b"x" * 10_000, b"SQLite format 3\0" + b"\xff" * 200]
    )
    async def test_something_else_is_refused_and_untouched(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(LedgerError, match=str(path)):
            async with Ledger.open(path):
                pass
        assert digest(path.parent) == {path.name: hashlib.sha256(content).hexdigest()}

    async def test_a_directory_and_a_missing_one(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerError, match=r"is not a file; check optimizer\.ledger"):
            async with Ledger.open(tmp_path):
                pass
        with pytest.raises(LedgerError, match=r"no such file or directory; check optimizer\.ledger"):
            async with Ledger.open(tmp_path / "missing" / "optimizer.db"):
                pass

    async def test_an_empty_file_is_as_good_as_none(self, path: Path) -> None:
        path.touch()
        async with Ledger.open(path) as ledger:
            assert await ledger.optimizations() == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    async def test_what_a_kill_while_it_was_made_left_is_cleared_away(self, path: Path) -> None:
        path.with_name("optimizer.db.new").write_bytes(b"half")
        path.with_name("optimizer.db.new-journal").write_bytes(b"half")
        async with Ledger.open(path) as ledger:
            await ledger.record(triaged(alert()), NOON)
        assert {file.name for file in path.parent.iterdir()} == {"optimizer.db", "optimizer.db.lock"}

    async def test_a_newer_one_is_refused(self, path: Path) -> None:
        async with Ledger.open(path):
            pass
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA user_version = {VERSION + 1}")
        for way in (Ledger.open, Ledger.read):
            with pytest.raises(
                LedgerError, match=f"has version {VERSION + 1}, this release knows version {VERSION}: use the"
            ):
                async with way(path):
                    pass

    async def test_a_damaged_one_is_refused(self, path: Path) -> None:
        async with Ledger.open(path) as ledger:
            await acted(ledger)
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(8 * 4096))
        with pytest.raises(LedgerError, match="is damaged: restore a copy of it"):
            async with Ledger.open(path):
                pass

    async def test_a_second_optimizer_is_refused_and_the_first_goes_on(self, path: Path) -> None:
        async with Ledger.open(path) as first:
            with pytest.raises(LedgerError, match="is in use by another optimizer: stop that one"):
                async with Ledger.open(path):
                    pass
            await first.record(triaged(alert()), NOON)
            assert len(await first.optimizations()) == 1
        async with Ledger.open(path):
            pass

    async def test_a_second_process_is_refused(self, path: Path) -> None:
        program = (
            "import asyncio, sys\nfrom pathlib import Path\n"
            "from exporter.optimizer.ledger.errors import LedgerError\n"
            "from exporter.optimizer.ledger.store import Ledger\n"
            "async def main():\n"
            "    async with Ledger.open(Path(sys.argv[1])): pass\n"
            "try: asyncio.run(main())\n"
            "except LedgerError as error: print(error)\n"
        )
        async with Ledger.open(path):
            run = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", program, str(path)], capture_output=True, timeout=60
            )
        assert b"is in use by another optimizer" in run.stdout

    async def test_a_directory_that_cannot_be_written(self, path: Path) -> None:
        async with Ledger.open(path):
            pass
        path.parent.chmod(0o500)
        program = (
            "import asyncio, os, sys\nfrom pathlib import Path\n"
            "from exporter.optimizer.ledger.errors import LedgerError\n"
            "from exporter.optimizer.ledger.store import Ledger\n"
            "async def main():\n"
            "    async with Ledger.open(Path('other.db')): pass\n"
            # The folder's own path may lead through folders that this user may not enter.
            "os.chdir(sys.argv[1])\n"
            "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "try: asyncio.run(main())\n"
            "except LedgerError as error: print(error)\n"
        )
        try:
            run = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", program, str(path.parent)],
                capture_output=True,
                timeout=60,
            )
        finally:
            path.parent.chmod(0o700)
        assert b"cannot be used: permission denied; check optimizer.ledger" in run.stdout, run.stderr

    async def test_a_full_disk_costs_the_write_and_nothing_else(self, path: Path, ledger: Ledger) -> None:
        await acted(ledger)
        database = ledger._database.connection
        await database.execute_fetchall("PRAGMA max_page_count = 1")
        flood = [alert(fingerprint=f"{n}" * 50) for n in range(2000)]
        with pytest.raises(LedgerError, match="the disk is full: make room"):
            await ledger.record(TriageResult(noted=flood), NOON)
        assert (await entry(ledger)).state == "acting"
        await database.execute_fetchall("PRAGMA max_page_count = 100000")
        await ledger.record(TriageResult(noted=flood), NOON)

    async def test_one_that_stays_locked(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledgerfile, "PATIENCE", 0.05)
        async with Ledger.open(path) as ledger:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(LedgerError, match="stayed locked: look for a program"):
                    await ledger.record(triaged(alert()), NOON)
            await ledger.record(triaged(alert()), NOON)


class TestReading:
    async def test_beside_a_running_optimizer(self, path: Path, ledger: Ledger) -> None:
        first = await acted(ledger)
        async with Ledger.read(path) as reader:
            assert await reader.optimizations() == [first]
            await ledger.close(1, "over", "it was over", NOON + 1)
            assert (await entry(reader)).outcome == "over"

    async def test_it_cannot_write(self, path: Path) -> None:
        async with Ledger.open(path):
            pass
        async with Ledger.read(path) as reader:
            with pytest.raises(LedgerError, match="cannot be written"):
                await reader.record(triaged(alert()), NOON)

    async def test_without_a_ledger(self, path: Path) -> None:
        with pytest.raises(LedgerError, match="does not exist: start the optimizer"):
            async with Ledger.read(path):
                pass
        assert list(path.parent.iterdir()) == []

    async def test_newest_first_by_state_and_limited(self, ledger: Ledger) -> None:
        subjects = [Subject(AGENT_RESPONSE_TIME, name) for name in "abcd"]
        await ledger.record(
            triaged(*(alert(subject, fingerprint=subject.agent) for subject in subjects)), NOON
        )
        await ledger.close(2, "over", "gone", NOON)
        assert [found.id for found in await ledger.optimizations(limit=3)] == [4, 3, 2]
        assert [found.id for found in await ledger.optimizations("waiting", 10)] == [4, 3, 1]
        assert [found.id for found in await ledger.optimizations("closed", 10)] == [2]
        assert await ledger.optimization(99) is None


class TestWriting:
    async def test_an_entry_comes_back_as_it_was_written(self, ledger: Ledger) -> None:
        found = await acted(ledger)
        assert found.strategy == made(SLOW)
        assert found.before == Measurement(NOON - 3600, NOON, 2.8, 60)
        assert [(action.action, action.status, action.bot_start) for action in found.actions] == [
            (Action("execute_adaptation", HUNTER, ("STRATEGY_ADJUSTMENT",)), "planned", SINCE),
            (Action("pause"), "planned", SINCE),
        ]

    async def test_action_ids_are_the_bridges_and_no_other_ledger_s(self, path: Path) -> None:
        ids = []
        for name in ("a.db", "b.db"):
            async with Ledger.open(path.with_name(name)) as ledger:
                ids += [action.id for action in (await acted(ledger)).actions]
        assert len(set(ids)) == 4
        assert all(re.fullmatch(r"1-[12]-[0-9a-f]{16}", found) for found in ids)

    async def test_a_ledger_put_back_from_a_copy_uses_other_ids_than_before(self, path: Path) -> None:
        """The bridge would answer with what it did under the same id, and do nothing."""
        async with Ledger.open(path):
            pass
        ids = []
        for name in ("first.db", "second.db"):
            shutil.copy(path, path.with_name(name))
            async with Ledger.open(path.with_name(name)) as ledger:
                ids += [action.id for action in (await acted(ledger)).actions]
        assert len(set(ids)) == 4

    async def test_hostile_text_is_only_text(self, ledger: Ledger) -> None:
        hostile = "'; DROP TABLE optimizations; -- \" {0} %s \\ \N{SNOWMAN} ../../x"
        subject = Subject(AGENT_RESPONSE_TIME, hostile)
        found = await acted(ledger, subject)
        changes = (Change(hostile, hostile, {"a": [hostile, None, 1.5]}, "\ud800\0"),)
        await ledger.send(found.actions[0].id, SINCE, NOON)
        await ledger.finish(
            found.actions[0].id, ActionResult("failed", changes, f"\0\n{hostile}\ud800" + "x" * 999), NOON
        )
        await ledger.close(found.id, "action_failed", hostile, NOON)
        found = await entry(ledger)
        assert (found.subject, found.reason) == (subject, hostile)
        assert found.actions[0].changes == changes
        assert found.actions[0].error.startswith(hostile)
        assert len(found.actions[0].error) <= 300
        view = await ledger.view([alert(subject, fingerprint=hostile)], 0, 0, "act")
        assert view.cooling == {subject: "high"}

    async def test_half_of_a_change_of_state_is_never_written(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ledger.record(triaged(alert()), NOON)
        planned = writes.planned

        async def cut_off(*arguments: object) -> None:
            await planned(*arguments)  # type: ignore[arg-type]
            raise asyncio.CancelledError

        monkeypatch.setattr(writes, "planned", cut_off)
        before = {"response_time": Measurement(0, 1, 1.0, 1)}
        with pytest.raises(asyncio.CancelledError):
            await ledger.act(1, [Action("pause")], before, SINCE, NOON)
        found = await entry(ledger)
        assert (found.state, found.before, found.actions) == ("waiting", None, ())

    async def test_cancelled_anywhere_it_goes_on(self, ledger: Ledger) -> None:
        for delay in range(60):
            task = asyncio.create_task(ledger.record(triaged(alert(fingerprint=f"{delay}")), NOON))
            await asyncio.sleep(delay / 20_000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for open_one in await ledger.optimizations("waiting"):
                await ledger.close(open_one.id, "over", "gone", NOON)
        assert await ledger.optimizations("waiting") == []

    async def test_many_at_a_time_do_not_mix(self, ledger: Ledger) -> None:
        subjects = [Subject(AGENT_RESPONSE_TIME, f"a{n}") for n in range(40)]
        await asyncio.gather(
            *(ledger.record(triaged(alert(each, fingerprint=each.agent)), NOON) for each in subjects),
            *(ledger.optimizations() for _ in subjects),
            *(ledger.tally() for _ in subjects),
        )
        assert {found.subject for found in await ledger.optimizations()} == set(subjects)

    async def test_two_open_ones_for_a_subject_cannot_be(self, ledger: Ledger) -> None:
        await ledger.record(triaged(alert()), NOON)
        with pytest.raises(LedgerError, match="UNIQUE"):
            await ledger.record(triaged(alert(fingerprint="f2")), NOON)

    async def test_occurrences_are_kept_for_a_while_and_so_many(self, ledger: Ledger) -> None:
        old, young = alert(fingerprint="old", firing=False), alert(fingerprint="young", firing=False)
        await ledger.record(TriageResult(noted=[old]), NOON)
        await ledger.record(TriageResult(noted=[young]), NOON + OCCURRENCES_KEPT_SECONDS)
        both = await ledger.view([old, young], 0, 0, "act")
        assert len(both.occurrences) == 2
        await ledger.record(TriageResult(noted=[young]), NOON + OCCURRENCES_KEPT_SECONDS + 1)
        assert (await ledger.view([old, young], 0, 0, "act")).occurrences.keys() == {
            ("young", young.starts_at)
        }
        flood = [replace(young, fingerprint=f"{n}") for n in range(MAX_OCCURRENCES)]
        await ledger.record(TriageResult(noted=flood), NOON + OCCURRENCES_KEPT_SECONDS + 2)
        assert not (await ledger.view([young], 0, 0, "act")).occurrences
        assert len((await ledger.view(flood, 0, 0, "act")).occurrences) == MAX_OCCURRENCES


async def test_the_tally(ledger: Ledger) -> None:
    """Counted by hand: one acted on and harmful, one over, one waiting."""
    first = await acted(ledger)
    adapt, pause = first.actions
    await ledger.send(adapt.id, SINCE, NOON + 1)
    await ledger.finish(adapt.id, ActionResult("done", (Change(HUNTER, "x", 1, 2),)), NOON + 2)
    await ledger.send(pause.id, SINCE, NOON + 3)
    await ledger.restore(1, "action_failed", "no answer", NOON + 4, [adapt])
    restore = (await entry(ledger)).actions[2]
    await ledger.send(restore.id, SINCE, NOON + 5)
    await ledger.finish(restore.id, ActionResult("refused", (), "changed since"), NOON + 6)
    await ledger.close(1, "rollback_failed", "changed since", NOON + 7)
    over, waiting = Subject(AGENT_SUCCESS_RATE, HUNTER), Subject(SYSTEM_PERFORMANCE, "")
    await ledger.record(triaged(alert(over, fingerprint="o"), alert(waiting, fingerprint="w")), NOON)
    await ledger.close(2, "over", "gone", NOON)
    tally = await ledger.tally()
    assert tally.closed == {
        ("agent_response_time", "rollback_failed"): 1,
        ("agent_success_rate", "over"): 1,
    }
    assert tally.open == {("system_performance", "waiting"): 1}
    assert tally.improvements == {}
    assert tally.actions == {(HUNTER, "execute_adaptation"): 1, ("", "pause"): 1, (HUNTER, "restore"): 1}
    assert tally.failed_actions == {
        (HUNTER, "execute_adaptation"): 0,
        ("", "pause"): 1,
        (HUNTER, "restore"): 1,
    }
    assert tally.last_action_at == {
        (HUNTER, "execute_adaptation"): NOON + 1,
        ("", "pause"): NOON + 3,
        (HUNTER, "restore"): NOON + 5,
    }
    assert await ledger.actions_since(NOON) == 2
    assert await ledger.actions_since(NOON + 1) == 1
