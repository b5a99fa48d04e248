"""What is done to a file between two scrapes, each of which a page once did not survive."""

import shutil
from pathlib import Path

import pytest

from exporter.collectors.sqlite import collector
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import load

from .bots import SEED, UPSTREAM, append, decisions, execute, executions, trades, write_bot
from .harness import NOW, Followed, configured, following, until

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "bot").mkdir()
    return tmp_path / "bot" / "bot.db"


REPLACE = (
    "INSERT OR REPLACE INTO agent_decisions (id, timestamp, agent, type, outcome) "
    "SELECT id, timestamp, agent, type, {} FROM agent_decisions WHERE id = '{}'"
)
KNOWN = """'{"success":true,"actualResult":2}'"""


async def test_a_view_is_read_by_its_ids(path: Path) -> None:
    write_bot(path)
    execute(
        path,
        "ALTER TABLE trades RENAME TO all_trades",
        "CREATE TABLE old_trades AS SELECT * FROM all_trades",
        "CREATE VIEW trades AS SELECT * FROM all_trades UNION ALL SELECT * FROM old_trades",
    )
    append(path, "all_trades", trades(3))
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("trades_total", agent="a", side="buy") == 3
        append(path, "all_trades", trades(2))
        assert await followed.value("trades_total", agent="a", side="buy") == 5


async def test_a_view_in_which_ids_come_twice_is_no_success(path: Path) -> None:
    write_bot(path, trades=[])
    execute(
        path,
        "ALTER TABLE trades RENAME TO some_trades",
        "CREATE TABLE others AS SELECT * FROM some_trades",
        "CREATE VIEW trades AS SELECT * FROM some_trades UNION ALL SELECT * FROM others",
    )
    append(path, "some_trades", trades(3))
    append(path, "others", [row | {"id": 2} for row in trades(1)])
    async with following(path) as followed:
        await until(lambda: any("same id" in what for what in followed.source.readiness()), "noticed")
        assert "table trades has several rows with the same id" in await followed.fails()
        assert any("same id" in line.detail for line in await followed.source.diagnose())


async def test_an_id_that_is_no_number_makes_a_table_unreadable(path: Path) -> None:
    columns = {column: kind for column, kind in UPSTREAM["trades"].items() if column != "id"}
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    write_bot(path)
    execute(
        path,
        "DROP TABLE trades",
        f"CREATE TABLE trades (id INTEGER, {declared}, PRIMARY KEY (id)) WITHOUT ROWID",
    )
    append(path, "trades", [row | {"id": number} for number, row in enumerate(trades(2))])
    async with following(path) as followed:
        await followed.caught_up()
        append(path, "trades", [trades(1)[0] | {"id": "three"}])
        assert "table trades has no row numbers" in await followed.fails()


async def test_a_decision_saved_again_is_no_row_more_nor_malformed_again(path: Path) -> None:
    write_bot(path, SEED, agent_decisions=[decisions(1, "{")[0] | {"timestamp": "soon"}, *decisions(2)[1:]])
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, REPLACE.format("'{'", "dec_0"))
        assert await followed.value("database_rows_total", table="agent_decisions") == 2
        for column in ("timestamp", "outcome"):
            malformed = {"table": "agent_decisions", "column": column}
            assert await followed.value("database_malformed_values_total", **malformed) == 1


async def test_a_pending_decision_saved_again_just_before_a_second_look_is_pending_once(path: Path) -> None:
    write_bot(path, SEED, agent_decisions=decisions(2, '{"actualResult":1}'))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, REPLACE.format("""'{"actualResult":1}'""", "dec_0"))
        await followed.source._database.revisit(1.0)
        assert await followed.value("decisions_pending", agent="a") == 2
        assert await followed.value("decision_results_total", agent="a") == 2
        execute(path, REPLACE.format(KNOWN, "dec_0"))
        await followed.source._database.revisit(1.0)
        assert await followed.value("decisions_pending", agent="a") == 1


async def test_a_decision_stays_the_oldest_when_the_clock_has_come_to_its_moment(path: Path) -> None:
    ahead, undated = decisions(2)
    ahead |= {"timestamp": "2025-10-16T00:00:00.000Z", "outcome": '{"actualResult":5}'}
    undated |= {"timestamp": "soon", "outcome": '{"actualResult":7}'}
    write_bot(path, SEED, agent_decisions=[ahead, undated])
    clock = [NOW]
    source = DatabaseCollector(path, configured(window=1), lambda: clock[0])
    await source.start()
    try:
        followed = await Followed(source).caught_up()
        assert await followed.value("recent_actual_result", agent="a") == 7
        clock[0] += 86400
        append(path, "agent_executions", executions(1))
        assert await followed.value("recent_actual_result", agent="a") == 7
    finally:
        await source.close()


async def test_the_outcome_of_a_decision_that_became_another_agents_is_counted(path: Path) -> None:
    write_bot(path, SEED, agent_decisions=decisions(3))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, f"UPDATE agent_decisions SET agent = 'b', outcome = {KNOWN} WHERE id = 'dec_1'")
        assert await followed.value("decisions_succeeded_total", agent="other", decision_type="other") == 1
        assert await followed.value("decisions_total", agent="a", decision_type="t") == 3


# Columns that a table gains


async def test_a_column_that_tells_rows_apart_may_come_later(path: Path) -> None:
    """Rows that were read go on being recognised by the columns that they had."""
    columns = {column: kind for column, kind in UPSTREAM["trades"].items() if column != "timestamp"}
    given = [{name: row[name] for name in row if name != "timestamp"} for row in trades(20)]
    write_bot(path, UPSTREAM | {"trades": columns}, trades=given)
    async with following(path) as followed:
        await followed.caught_up()
        execute(
            path, "DELETE FROM trades WHERE id <= 10", "ALTER TABLE trades ADD COLUMN timestamp DEFAULT 'x'"
        )
        append(path, "trades", trades(1))
        assert await followed.value("trades_total", agent="a", side="buy") == 21
        execute(path, "UPDATE trades SET total_usd = 5 WHERE id = 11")
        await followed.collect()
        assert followed.replacements == 1


@pytest.mark.parametrize("default", ["", "DEFAULT 0.5"])
async def test_a_column_gained_while_the_exporter_was_down_costs_no_totals(
    path: Path, tmp_path: Path, default: str
) -> None:
    """What a default says of rows that were counted without the column is not data of theirs."""
    config = load(None, {"storage.path": tmp_path / "totals"})
    (tmp_path / "totals").mkdir()
    write_bot(path, SEED, trades=trades(20))
    async with following(path, config) as followed:
        await followed.caught_up()
    execute(path, "DELETE FROM trades WHERE rowid <= 10", f"ALTER TABLE trades ADD COLUMN fee_usd {default}")
    append(path, "trades", [trades(1)[0] | {"fee_usd": 2}])
    async with following(path, config) as followed:
        await followed.caught_up()
        assert await followed.value("trades_total", agent="a", side="buy") == 21
        assert await followed.value("trade_fees_usd_total", agent="a", side="buy") == 2
        assert followed.replacements == 0


async def test_saved_totals_of_a_table_that_is_gone_are_not_those_of_another_one(
    path: Path, tmp_path: Path
) -> None:
    config = load(None, {"storage.path": tmp_path / "totals"})
    (tmp_path / "totals").mkdir()
    write_bot(path, SEED, trades=trades(20), agent_executions=executions(20))
    async with following(path, config) as followed:
        await followed.caught_up()
    execute(path, "DROP TABLE trades", "DELETE FROM agent_executions WHERE id <= 10")
    async with following(path, config) as followed:
        await followed.caught_up()
        write_bot(path, {"trades": SEED["trades"]}, trades=trades(3)[1:])
        await followed.recovered()
        assert await followed.value("trades_total", agent="a", side="buy") == 2
        assert await followed.executions() == {"a": 20}
        assert followed.replacements == 0


async def test_another_file_with_more_columns_is_another_file(path: Path, tmp_path: Path) -> None:
    """Copied over the file, with fewer columns in one table and more in another one."""
    seed = SEED | {"trades": {name: kind for name, kind in SEED["trades"].items() if name != "timestamp"}}
    fewer = {name: kind for name, kind in SEED["market_data"].items() if name != "price_usd"}
    write_bot(path, seed, trades=[{"trade_type": "BUY", "executed_by": "old"}] * 3)
    other = tmp_path / "other.db"
    write_bot(other, SEED | {"market_data": fewer}, trades=trades(3))
    async with following(path) as followed:
        await followed.caught_up()
        shutil.copyfile(other, path)
        await followed.recovered()
        assert await followed.value("trades_total", agent="a", side="buy") == 3
        assert await followed.value("trades_total", agent="old", side="buy") is None


async def test_a_file_with_other_tables_may_be_at_the_same_version(path: Path, tmp_path: Path) -> None:
    write_bot(path, {"trades": UPSTREAM["trades"]}, trades=trades(3))
    other = tmp_path / "other.db"
    write_bot(other, {"agent_executions": UPSTREAM["agent_executions"]}, agent_executions=executions(3))
    async with following(path) as followed:
        await followed.caught_up()
        shutil.copyfile(other, path)
        await followed.collect()
        await followed.caught_up()
        assert await followed.executions() == {"a": 3}


# Rows that are others now


async def noticed(followed: Followed, table: str = "agent_executions") -> float | None:
    """How many ranges were found to be others, once all rows have been looked at again."""
    await followed.collect()
    await followed.source._database.look_for_rewrites(1.0)
    return followed.self_metrics("database_rewrites_total", table=table)


async def test_rows_in_the_place_of_others_are_noticed(path: Path) -> None:
    write_bot(path, SEED, agent_executions=executions(3000))
    async with following(path) as followed:
        await followed.caught_up()
        assert await noticed(followed) == 0
        execute(
            path, "UPDATE agent_executions SET timestamp = '2024-01-01 00:00:00' WHERE id IN (5, 6, 2500)"
        )
        assert await noticed(followed) == 2
        assert await noticed(followed) == 2
        assert await followed.executions() == {"a": 3000}


async def test_a_number_that_is_used_again_in_the_middle_is_noticed(path: Path) -> None:
    write_bot(path, SEED, agent_executions=executions(20))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM agent_executions WHERE id = 7")
        assert await noticed(followed) == 0
        append(path, "agent_executions", [executions(1, "b")[0] | {"id": 7}])
        assert await noticed(followed) == 1


async def test_what_a_bot_usually_does_is_no_rewrite(path: Path) -> None:
    numbered = [row | {"id": number} for number, row in enumerate(executions(20), 5)]
    write_bot(path, SEED, agent_executions=numbered, agent_decisions=decisions(5))
    async with following(path) as followed:
        await followed.caught_up()
        for edit in (
            "UPDATE agent_decisions SET outcome = " + KNOWN,
            REPLACE.format(KNOWN, "dec_2"),
            "DELETE FROM agent_executions WHERE id BETWEEN 9 AND 12",
            "DELETE FROM agent_executions WHERE id < 7",
            "INSERT INTO agent_executions (id, agent_name) VALUES (-3, 'a'), (1, 'a'), (99, 'a')",
            "ALTER TABLE agent_executions ADD COLUMN note DEFAULT 'x'",
        ):
            execute(path, edit)
            # Also where the second look comes before the scrape.
            await followed.source._database.revisit(1.0)
            await followed.source._database.look_for_rewrites(1.0)
            assert await noticed(followed) == 0
            assert await noticed(followed, "agent_decisions") == 0


async def test_what_was_rewritten_while_the_exporter_was_down_is_noticed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "totals").mkdir()
    config = load(None, {"storage.path": tmp_path / "totals"})
    write_bot(path, SEED, agent_executions=executions(20))
    async with following(path, config) as followed:
        await followed.caught_up()
    execute(path, "UPDATE agent_executions SET execution_time_ms = 7 WHERE id = 9")
    async with following(path, config) as followed:
        await followed.caught_up()
        assert await noticed(followed) == 1


async def test_rows_are_looked_at_again_by_themselves(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "REVISIT_INTERVAL", 0.0)
    monkeypatch.setattr(collector, "REVISIT_ALL_WITHIN", 0.5)
    write_bot(path, SEED, agent_executions=executions(20))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "UPDATE agent_executions SET timestamp = '2024-01-01 00:00:00' WHERE id = 5")
        await followed.collect()
        await until(
            lambda: followed.self_metrics("database_rewrites_total", table="agent_executions") == 1, "noticed"
        )
