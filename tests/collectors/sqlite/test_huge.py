"""Values that are too large to be read without blocking the bot, and names that are odd."""

import asyncio
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from oracle.page import parse

from exporter.metrics.catalogue import READ_BUCKETS
from exporter.metrics.exposition import OPENMETRICS, TEXT, encode

from .bots import UPSTREAM, append, decisions, execute, executions, write_bot
from .harness import Followed, following

HUGE = 20_000_000
LONGEST_HOLD = 0.25
"""Seconds. SQLite needs a while to get past a huge value, and cannot be cut off there."""
KNOWN = '{"success":true}'

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def holds_over(followed: Followed, seconds: float) -> float:
    """How many reads took longer."""
    assert seconds in READ_BUCKETS
    name = "database_read_duration_seconds"
    reads = followed.self_metrics(f"{name}_count")
    within = followed.self_metrics(f"{name}_bucket", le=str(seconds))
    assert reads is not None
    assert within is not None
    return reads - within


def huge_json(members: str = "") -> str:
    return '{"a":[' + '{"k":12345},' * (HUGE // 12) + f"0]{members}}}"


@pytest.mark.parametrize("column", ["output_data", "error_message", "input_data"])
async def test_a_huge_value_costs_only_itself(path: Path, column: str) -> None:
    rows = executions(300)
    rows[150] |= {column: huge_json(), "execution_time_ms": 400}
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.executions() == {"a": 300}
        assert await followed.value("execution_duration_seconds_sum", agent="a", execution_type="t") == 30.3
        assert followed.self_metrics("database_rows_total", table="agent_executions") == 300
        lost = followed.self_metrics(
            "database_malformed_values_total", table="agent_executions", column=column
        )
        assert lost == {"input_data": None, "error_message": 0}.get(column, 1)
        assert holds_over(followed, LONGEST_HOLD) == 0


@pytest.mark.parametrize("place", [0, 149, 299])
async def test_a_huge_name_does_not_end_the_page(path: Path, place: int) -> None:
    rows = executions(300)
    rows[place]["agent_name"] = "x" * 1_000_000
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert (await followed.executions())["a"] == 299
        append(path, "agent_executions", executions(5))
        assert (await followed.executions())["a"] == 304
        assert followed.replacements == 0
        execute(path, "DELETE FROM agent_executions WHERE length(agent_name) > 9")
        append(path, "agent_executions", executions(1))
        assert (await followed.executions())["a"] == 305
        assert followed.replacements == 0


@pytest.mark.parametrize(
    ("table", "column", "family"),
    [
        ("portfolio", "last_updated", "portfolio_balance_usd"),
        ("system_config", "value", "system_paused"),
        ("system_commands", "status", "system_commands"),
    ],
)
async def test_a_huge_value_in_a_row_that_changes_costs_only_its_table(
    path: Path, table: str, column: str, family: str
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "portfolio": [{"id": 1, "btc_balance": 0, "usd_balance": 5, "last_updated": "2025-10-10 15:00:00"}],
        "system_config": [{"key": "system_status", "value": "running"}],
        "system_commands": [{"command": "pause_system", "status": "pending"}],
    }
    (good,) = rows[table]
    write_bot(path, UPSTREAM, agent_executions=executions(3), **rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert any(family in name for name, _ in await followed.samples())
        execute(path, f"UPDATE {table} SET {column} = replace(hex(zeroblob(500000)), '0', 'x')")
        assert await followed.executions() == {"a": 3}
        assert not any(family in name for name, _ in await followed.samples())
        execute(path, f"UPDATE {table} SET {column} = '{good[column]}'")
        assert any(family in name for name, _ in await followed.samples())


async def test_a_huge_outcome_does_not_keep_others_from_being_seen(path: Path) -> None:
    write_bot(path, agent_decisions=decisions(10))
    async with following(path) as followed:
        await followed.caught_up()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE agent_decisions SET outcome = ? WHERE rowid = 3", (huge_json(),))
            connection.execute("UPDATE agent_decisions SET outcome = ? WHERE rowid = 4", (KNOWN,))
        succeeded = {"agent": "a", "decision_type": "t"}
        assert await followed.value("decisions_succeeded_total", **succeeded) == 1
        assert holds_over(followed, LONGEST_HOLD) == 0


async def test_large_values_are_read(path: Path) -> None:
    rows = executions(50)
    for row in rows:
        row["output_data"] = '{"confidence":0.5,"text":"' + "x" * 300_000 + '"}'
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("execution_confidence_ratio_count", agent="a") == 50
        assert holds_over(followed, LONGEST_HOLD) == 0


ODD = {
    "long": "'" + "x" * 10_000 + "'",
    "NUL": "CAST(x'610062' AS TEXT)",
    "lone surrogate": "CAST(x'61EDA08062' AS TEXT)",
    "no UTF-8": "CAST(x'FF80FE' AS TEXT)",
    "line breaks": "'a' || char(10) || 'b\\ \"c\" ' || char(13, 0x2028, 0x85)",
    "control characters": "char(1, 27, 127, 0xFFFE, 0x1F600)",
    "BLOB": "x'00FF'",
    "number": "17.5",
}
NAMES = {
    "agent_executions": ("agent_name", "execution_type"),
    "agent_decisions": ("agent", "type"),
    "trades": ("executed_by",),
    "system_commands": ("status",),
    "system_alerts": ("level",),
}


@pytest.mark.parametrize("odd", ODD)
async def test_no_name_breaks_the_page(path: Path, odd: str) -> None:
    write_bot(path)
    for table, columns in NAMES.items():
        usual = {column: "'usual'" for column in UPSTREAM[table] if "KEY" not in UPSTREAM[table][column]}
        given = usual | {"timestamp": "'2025-10-10 15:30:00'"} if "timestamp" in usual else usual
        given = given | ({"trade_type": "'BUY'"} if table == "trades" else {})
        for column in columns:
            row = given | {column: ODD[odd]}
            row |= {"id": f"'{column}' || {ODD[odd]}"} if table == "agent_decisions" else {}
            execute(path, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")
    target = (
        f"json_object('interAgentCommunication', json_array(json_object('target', CAST({ODD[odd]} AS TEXT))))"
    )
    execute(path, f"UPDATE agent_decisions SET system = {target} WHERE json_valid({target})")
    async with following(path) as followed:
        await followed.caught_up()
        metrics = await followed.collect()
    page = encode(metrics, TEXT).decode()
    read = parse(page)
    for table, columns in NAMES.items():
        assert read["tweetbot_database_rows_total", (("table", table),)] == len(columns)
    assert max(len(value) for _, labels in read for _, value in labels) <= 128
    assert encode(metrics, OPENMETRICS).count(b"# TYPE") == encode(metrics, TEXT).count(b"# TYPE")
    await asyncio.to_thread(check, page)


def check(page: str) -> None:
    """As Prometheus's own tool does it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: only the parser has read the page")
    found = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, timeout=20, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
