"""Values that are too large to be read without blocking the bot, and names that are odd."""

import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.catalogue import READ_BUCKETS
from exporter.exposition import TEXT, encode

from .bots import append, decisions, execute, executions, write_bot
from .harness import following, fresh_samples

HUGE = 60_000_000
LONGEST_HOLD = 0.1
KNOWN = '{"success":true}'

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bot.db"


def holds_over(followed, seconds: float) -> float:
    """How many reads took longer."""
    assert seconds in READ_BUCKETS
    name = "database_read_duration_seconds"
    return followed.about(f"{name}_count") - followed.about(f"{name}_bucket", le=str(seconds))


def huge_json(members: str = "") -> str:
    return '{"a":[' + '{"k":12345},' * (HUGE // 12) + f"0]{members}}}"


@pytest.mark.parametrize("column", ["output_data", "error_message", "input_data"])
async def test_a_huge_value_costs_only_itself(path, column):
    rows = executions(300)
    rows[150] |= {column: huge_json(), "execution_time_ms": 400}
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.executions() == {"a": 300}
        assert await followed.value("execution_duration_seconds_sum", agent="a", execution_type="t") == 30.3
        assert followed.about("database_rows_total", table="agent_executions") == 300
        lost = followed.about("database_malformed_values_total", table="agent_executions", column=column)
        assert lost == (None if column == "input_data" else 1)
        assert holds_over(followed, LONGEST_HOLD) == 0


async def test_a_huge_outcome_does_not_keep_others_from_being_seen(path):
    write_bot(path, agent_decisions=decisions(10))
    async with following(path) as followed:
        await followed.caught_up()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE agent_decisions SET outcome = ? WHERE rowid = 3", (huge_json(),))
            connection.execute("UPDATE agent_decisions SET outcome = ? WHERE rowid = 4", (KNOWN,))
        succeeded = {"agent": "a", "decision_type": "t"}
        assert await followed.value("decisions_succeeded_total", **succeeded) == 1
        assert holds_over(followed, LONGEST_HOLD) == 0


async def test_large_values_are_read(path):
    rows = executions(50)
    for row in rows:
        row["output_data"] = '{"confidence":0.5,"text":"' + "x" * 500_000 + '"}'
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("execution_confidence_ratio_count", agent="a") == 50
        assert holds_over(followed, LONGEST_HOLD) == 0
