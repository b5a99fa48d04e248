"""What can happen to a file: the exporter stays up, says what is the matter, and recovers by itself."""

import asyncio
import random
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from oracle.page import difference
from structlog.testing import capture_logs

from exporter.collectors.base import CollectorError, IncompleteError
from exporter.collectors.sqlite.session import _Connection

from .bots import SEED, UPSTREAM, append, decisions, execute, executions, program, trades, write_bot
from .harness import configured, differing_lines, expected_of, following, fresh_page, until

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


# Files that are none


async def test_a_file_that_appears_later(path: Path) -> None:
    async with following(path) as followed:
        assert (
            await followed.fails()
            == f"{path} cannot be read: No such file or directory; check --database.path"
        )
        assert followed.source.readiness()
        assert followed.self_metrics("database_size_bytes") is None
        write_bot(path, agent_executions=executions(3))
        await followed.recovered()
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 0


async def test_a_file_that_is_empty_at_first(path: Path) -> None:
    path.touch()
    async with following(path) as followed:
        why = "none of the bot's tables is there; check --database.path (tables found: none at all)"
        assert await followed.fails() == f"{path}: {why}"
        assert followed.source.readiness() == [why]
        write_bot(path, agent_executions=executions(3))
        await followed.recovered()
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 0


async def test_a_file_that_is_no_database_at_first(path: Path) -> None:
    path.write_bytes(b"this is no database " * 1000)
    async with following(path) as followed:
        assert await followed.fails() == f"{path} is not an SQLite database: check the path (SQLITE_NOTADB)"
        path.unlink()
        write_bot(path, agent_executions=executions(3))
        await followed.recovered()
        assert await followed.executions() == {"a": 3}


async def test_a_directory(path: Path) -> None:
    path.mkdir()
    async with following(path) as followed:
        assert await followed.fails() == f"{path} is not a file; check --database.path"
        path.rmdir()
        write_bot(path, agent_executions=executions(3))
        await followed.recovered()
        assert await followed.executions() == {"a": 3}


async def test_a_damaged_page_in_the_middle(path: Path) -> None:
    write_bot(path, agent_executions=executions(4000))
    whole = path.read_bytes()
    middle = len(whole) // 2 // 4096 * 4096
    path.write_bytes(whole[:middle] + b"\xff" * 4096 + whole[middle + 4096 :])
    async with following(path) as followed:
        await until(lambda: "is damaged" in str(followed.source.readiness()), "seen as damaged")
        assert (
            "stop the bot and check it with PRAGMA integrity_check (SQLITE_CORRUPT" in await followed.fails()
        )
        path.write_bytes(whole)
        await followed.recovered()
        assert difference(await followed.samples(), expected_of(path, configured())) == []
        assert followed.replacements == 0


async def test_errors_leave_no_threads(path: Path) -> None:
    before = threading.active_count()
    async with following(path) as followed:
        for content in (None, b"no database " * 100, b""):
            for _ in range(5):
                if content is not None:
                    path.write_bytes(content)
                with suppress(CollectorError):
                    await followed.source.collect(1.0)
        assert threading.active_count() <= before + 2


# Locks


async def test_a_file_that_another_program_locks_for_a_while(path: Path) -> None:
    write_bot(path, agent_executions=executions(3))
    async with following(path) as followed:
        await followed.caught_up()
        with program(path, "BEGIN EXCLUSIVE"):
            assert (
                await followed.fails()
                == f"{path} stayed locked: look for a program that holds a lock on it (SQLITE_BUSY)"
            )
        await followed.recovered()
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 0


async def test_a_short_lock_is_waited_for(path: Path) -> None:
    write_bot(path, agent_executions=executions(3))
    async with following(path) as followed:
        await followed.caught_up()
        with program(path, "BEGIN EXCLUSIVE") as other:
            asyncio.get_running_loop().call_later(0.3, other.kill)
            await followed.source.collect(5.0)


async def test_a_file_with_a_hot_journal(path: Path) -> None:
    write_bot(path, agent_executions=executions(3))
    insert = (
        "INSERT INTO agent_executions (agent_name, execution_type, output_data) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "SELECT 'b', 't', zeroblob(500) FROM n"
    )
    with program(path, "PRAGMA cache_size = 1", "BEGIN", insert):
        pass  # killed while it wrote
    assert path.with_name("bot.db-journal").stat().st_size > 0
    async with following(path) as followed:
        assert await followed.fails() == (
            f"{path} has a hot journal (the bot was killed while it wrote): start the bot, which rolls it back "
            "when it opens the file (SQLITE_READONLY_ROLLBACK)"
        )
        execute(path, "SELECT * FROM agent_executions")
        await followed.recovered()
        assert await followed.executions() == {"a": 3}


# Another file at the path


async def test_a_file_that_is_replaced_while_it_is_open(path: Path, tmp_path: Path) -> None:
    write_bot(path, agent_executions=executions(5))
    async with following(path) as followed:
        await followed.caught_up()
        write_bot(tmp_path / "new.db", agent_executions=executions(7, "b"))
        with capture_logs() as logs:
            (tmp_path / "new.db").rename(path)
            await followed.recovered()
            assert await followed.executions() == {"b": 7}
            await followed.recovered()
        assert followed.replacements == 1
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
            "database replaced, its totals start anew"
        ]


async def test_a_replaced_file_is_told_from_the_old_one_though_it_has_the_same_rows(
    path: Path, tmp_path: Path
) -> None:
    write_bot(path, agent_executions=executions(5))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM agent_executions WHERE id = 1")
        await followed.recovered()
        shutil.copyfile(path, tmp_path / "new.db")
        (tmp_path / "new.db").rename(path)
        await followed.recovered()
        assert await followed.executions() == {"a": 4}
        assert followed.replacements == 1


@pytest.mark.parametrize("between", [None, b"no database " * 100], ids=["missing", "no database"])
async def test_a_file_that_is_replaced_after_an_error(
    path: Path, tmp_path: Path, between: bytes | None
) -> None:
    write_bot(path, agent_executions=executions(5))
    async with following(path) as followed:
        await followed.caught_up()
        if between is None:
            path.unlink()
        else:
            path.write_bytes(between)
        await followed.fails()
        write_bot(tmp_path / "new.db", SEED, agent_executions=executions(7, "b"))
        (tmp_path / "new.db").rename(path)
        await followed.recovered()
        assert await followed.executions() == {"b": 7}
        assert followed.replacements == 1


async def test_a_file_that_is_copied_over(path: Path, tmp_path: Path) -> None:
    write_bot(path, agent_executions=executions(5))
    async with following(path) as followed:
        await followed.caught_up()
        write_bot(tmp_path / "new.db", agent_executions=executions(7, "b"))
        inode = path.stat().st_ino
        shutil.copyfile(tmp_path / "new.db", path)
        assert path.stat().st_ino == inode
        await followed.recovered()
        assert await followed.executions() == {"b": 7}
        assert followed.replacements == 1


async def test_a_copy_that_is_at_the_same_change(path: Path, tmp_path: Path) -> None:
    """SQLite tells by the change counter and the size whether what it knows of a file is out of date."""
    write_bot(path, agent_executions=executions(5))
    write_bot(tmp_path / "new.db", agent_executions=executions(5, "b"))
    assert path.read_bytes()[:100] == (tmp_path / "new.db").read_bytes()[:100]
    async with following(path) as followed:
        await followed.caught_up()
        shutil.copyfile(tmp_path / "new.db", path)
        await followed.recovered()
        assert await followed.executions() == {"b": 5}
        assert followed.replacements == 1


async def test_a_copy_with_other_tables_at_the_same_schema_version(path: Path, tmp_path: Path) -> None:
    write_bot(path, {name: UPSTREAM[name] for name in ("agent_executions", "trades")}, trades=trades(3))
    write_bot(tmp_path / "new.db", {name: UPSTREAM[name] for name in ("agent_executions", "market_data")})
    async with following(path) as followed:
        await followed.caught_up()
        shutil.copyfile(tmp_path / "new.db", path)
        append(path, "agent_executions", executions(2))
        await followed.recovered()
        assert await followed.executions() == {"a": 2}
        assert followed.self_metrics("database_rows_total", table="market_data") == 0
        assert followed.self_metrics("database_rows_total", table="trades") is None
        assert followed.replacements == 1


async def test_a_backup_is_a_replacement_though_its_rows_are_the_same(path: Path, tmp_path: Path) -> None:
    write_bot(path, agent_executions=executions(5))
    shutil.copyfile(path, tmp_path / "backup.db")
    append(path, "agent_executions", executions(5))
    async with following(path) as followed:
        await followed.caught_up()
        shutil.copyfile(tmp_path / "backup.db", path)
        await followed.recovered()
        assert await followed.executions() == {"a": 5}
        assert followed.replacements == 1


# Rows that go


KEYLESS = UPSTREAM | {"agent_executions": UPSTREAM["agent_executions"] | {"id": "INTEGER PRIMARY KEY"}}
DELETED = {"oldest": "id <= 4", "newest": "id > 6", "all": "1"}


@pytest.mark.parametrize(
    ("layout", "rows", "replacements", "total"),
    [
        (UPSTREAM, "oldest", 0, 12),
        (UPSTREAM, "newest", 0, 12),
        (UPSTREAM, "all", 0, 12),
        (KEYLESS, "oldest", 0, 12),
        # Nothing tells these from a file that had fewer rows.
        (KEYLESS, "newest", 1, 8),
        (KEYLESS, "all", 1, 2),
    ],
)
async def test_deleted_rows_lower_nothing(
    path: Path, layout: dict[str, dict[str, str]], rows: str, replacements: int, total: int
) -> None:
    write_bot(path, layout, agent_executions=executions(10))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, f"DELETE FROM agent_executions WHERE {DELETED[rows]}")
        await followed.recovered()
        append(path, "agent_executions", executions(2))
        await followed.recovered()
        assert await followed.executions() == {"a": total}
        assert followed.replacements == replacements


async def test_vacuum_after_deletes_with_an_integer_key(path: Path) -> None:
    write_bot(path, agent_executions=executions(10), trades=trades(10))
    async with following(path) as followed:
        await followed.caught_up()
        execute(
            path, "DELETE FROM agent_executions WHERE id < 4", "DELETE FROM trades WHERE id > 8", "VACUUM"
        )
        append(path, "agent_executions", executions(1))
        await followed.recovered()
        assert await followed.executions() == {"a": 11}
        assert await followed.value("trades_total", agent="a", side="buy") == 10
        assert followed.replacements == 0


async def test_vacuum_that_renumbers_costs_only_that_table(path: Path) -> None:
    write_bot(path, SEED, agent_executions=executions(10), agent_decisions=decisions(10), trades=trades(10))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM agent_executions WHERE id <= 4", "DELETE FROM trades WHERE rowid <= 4")
        await followed.recovered()
        execute(path, "VACUUM")
        await followed.recovered()
        assert await followed.value("trades_total", agent="a", side="buy") == 6
        assert await followed.executions() == {"a": 10}
        assert await followed.value("decisions_total", agent="a", decision_type="t") == 10
        assert followed.replacements == 1


# Write-ahead logs


async def test_rows_in_a_write_ahead_log_are_read(path: Path) -> None:
    write_bot(path, agent_executions=executions(3))
    insert = "INSERT INTO agent_executions (agent_name, execution_type) VALUES ('b', 't')"
    with program(path, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0", insert):
        async with following(path) as followed:
            await followed.caught_up()
            assert await followed.executions() == {"a": 3, "b": 1}
            assert (
                followed.self_metrics("database_wal_bytes") == path.with_name("bot.db-wal").stat().st_size > 0
            )


# Tables


async def test_a_table_that_appears_later(path: Path) -> None:
    write_bot(path, {"portfolio": UPSTREAM["portfolio"]})
    async with following(path) as followed:
        await followed.caught_up()
        write_bot(path, {"agent_executions": UPSTREAM["agent_executions"]}, agent_executions=executions(3))
        await followed.recovered()
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 0


async def test_a_table_that_gains_a_column_goes_on_counting(path: Path) -> None:
    columns = {name: kind for name, kind in UPSTREAM["trades"].items() if name != "fee_usd"}
    write_bot(path, UPSTREAM | {"trades": columns}, trades=trades(20), agent_executions=executions(3))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM trades WHERE id <= 10")
        await followed.recovered()
        execute(path, "ALTER TABLE trades ADD fee_usd DECIMAL(8,2)")
        append(path, "trades", [trades(1)[0] | {"fee_usd": 0.5}])
        await followed.recovered()
        assert await followed.value("trade_fees_usd_total", agent="a", side="buy") == 0.5
        assert await followed.value("trades_total", agent="a", side="buy") == 21
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 0


async def test_a_column_that_tells_rows_apart_may_be_added(path: Path) -> None:
    columns = {"id": UPSTREAM["system_alerts"]["id"], "level": "TEXT"}
    write_bot(path, {"system_alerts": columns}, system_alerts=[{"level": "info"}] * 3)
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "ALTER TABLE system_alerts ADD alert_type TEXT DEFAULT 'none'")
        await followed.recovered()
        assert await followed.value("system_alerts_total", level="info") == 3
        assert followed.replacements == 0


async def test_a_column_that_is_of_no_interest_changes_nothing(path: Path) -> None:
    write_bot(path, agent_executions=executions(3))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM agent_executions WHERE id = 1")
        await followed.recovered()
        execute(path, "ALTER TABLE agent_executions ADD model TEXT")
        await followed.recovered()
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 0


@pytest.mark.parametrize("change", ["ALTER TABLE trades RENAME fee_usd TO fee", "DROP TABLE trades"])
async def test_totals_never_fall_without_a_replacement(path: Path, change: str) -> None:
    write_bot(path, agent_executions=executions(3), trades=trades(3))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM trades WHERE id = 1")
        await followed.recovered()
        execute(path, change)
        await followed.recovered()
        assert await followed.value("trades_total", agent="a", side="buy") in (None, 2)
        assert await followed.executions() == {"a": 3}
        assert followed.replacements == 1


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE trades (id INTEGER PRIMARY KEY, trade_type TEXT, executed_by TEXT) WITHOUT ROWID",
        "CREATE TABLE kept (id INTEGER PRIMARY KEY, trade_type, executed_by)",
        "CREATE TABLE trades (rowid TEXT, trade_type TEXT, executed_by TEXT)",
        "CREATE TABLE trades (id INTEGER, kind TEXT, executed_by TEXT, trade_type TEXT AS (upper(kind)))",
    ],
    ids=["without rowid", "view", "column called rowid", "generated column"],
)
async def test_a_table_in_any_form_is_read(path: Path, made: str) -> None:
    write_bot(path, {name: UPSTREAM[name] for name in UPSTREAM if name != "trades"})
    execute(path, made)
    table, column = ("kept" if "kept" in made else "trades"), ("kind" if "kind" in made else "trade_type")
    if table == "kept":
        execute(path, "CREATE VIEW trades AS SELECT * FROM kept")
    async with following(path) as followed:
        for row in range(3):
            key = "rowid" if "rowid TEXT" in made else "id"
            execute(
                path, f"INSERT INTO {table} ({key}, {column}, executed_by) VALUES ({row + 1}, 'BUY', 'a')"
            )
            await followed.recovered()
            assert await followed.value("trades_total", agent="a", side="buy") == row + 1
        assert followed.replacements == 0


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (
            "CREATE TABLE trades (id TEXT PRIMARY KEY, trade_type TEXT) WITHOUT ROWID",
            "has no row numbers (it is WITHOUT ROWID or a view, and has no whole numbers as id)",
        ),
        ("CREATE VIEW trades AS SELECT * FROM gone", "cannot be read by SQLite: no such table: main.gone"),
    ],
    ids=["text key", "broken view"],
)
async def test_a_table_that_cannot_be_read_is_no_success(path: Path, made: str, why: str) -> None:
    write_bot(path, {name: UPSTREAM[name] for name in UPSTREAM if name != "trades"})
    append(path, "agent_executions", executions(3))
    execute(path, made)
    if "TABLE" in made:
        execute(path, "INSERT INTO trades VALUES ('x', 'BUY')")
    async with following(path) as followed:
        await until(lambda: f"table trades {why}" in followed.source.readiness(), "seen")
        await until(lambda: len(followed.source.readiness()) == 1, "the rest caught up")
        with pytest.raises(IncompleteError, match="table trades") as caught:
            await followed.source.collect(1.0)
        assert "tweetbot_executions" in [metric.name for metric in caught.value.metrics]
        found = [(line.state, line.detail) for line in await followed.source.diagnose()]
        assert ("error", f"table trades {why}") in found
        execute(
            path, f"DROP {made.split()[1]} trades", "CREATE TABLE trades (id INTEGER PRIMARY KEY, trade_type)"
        )
        await followed.recovered()
        assert followed.source.readiness() == []


async def test_a_file_of_another_program_is_no_success(path: Path) -> None:
    execute(path, "CREATE TABLE moz_places (id INTEGER PRIMARY KEY)", "CREATE TABLE moz_hosts (id)")
    async with following(path) as followed:
        assert "tables found: moz_hosts, moz_places" in await followed.fails()
        assert "none of the bot's tables is there" in followed.source.readiness()[0]


# Reads that are cut off


async def test_a_scrape_that_is_cut_off_counts_nothing_twice(path: Path) -> None:
    write_bot(path, agent_executions=executions(5), agent_decisions=decisions(5))
    chance = random.Random(1)
    async with following(path) as followed:
        for number in range(60):
            append(path, "agent_executions", executions(3))
            append(path, "agent_decisions", [decisions(1)[0] | {"id": f"new_{number}"}])
            with suppress(TimeoutError):
                await asyncio.wait_for(followed.source.collect(5.0), chance.random() * 0.05)
        await followed.recovered()
        assert differing_lines(await followed.page(), await fresh_page(path)) == []
        assert followed.replacements == 0


async def test_an_opening_that_fails_leaves_no_connection_without_limits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bot(path, agent_executions=executions(5))
    prepare = _Connection.prepare

    def cut_off(self: _Connection) -> None:
        raise MemoryError

    async with following(path) as followed:
        monkeypatch.setattr(_Connection, "prepare", cut_off)
        with pytest.raises(MemoryError):
            await followed.source.collect(1.0)
        monkeypatch.setattr(_Connection, "prepare", prepare)
        async with followed.source._lock:
            assert await followed.source._reader.row("PRAGMA query_only", {}) == (1,)
