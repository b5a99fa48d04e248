"""A clock that is set while the exporter runs."""

from pathlib import Path

import pytest
from collectors.sqlite.bots import append, executions, write_bot
from collectors.sqlite.harness import NOW, Followed

from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config

HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize(("jump", "ahead"), [(-400 * DAY, 10), (-HOUR, 0), (400 * DAY, 0)])
async def test_a_clock_that_is_set_changes_no_total(tmp_path: Path, jump: float, ahead: int) -> None:
    now = NOW
    path = tmp_path / "bot.db"
    write_bot(path, agent_executions=executions(60))
    source = DatabaseCollector(path, Config(), lambda: now)
    await source.start()
    try:
        followed = Followed(source)
        await followed.caught_up()
        now += jump
        append(path, "agent_executions", executions(10))
        assert await followed.executions() == {"a": 70}
        now -= jump
        append(path, "agent_executions", executions(10))
        assert await followed.executions() == {"a": 80}
        assert await followed.value("database_future_rows_total", table="agent_executions") == ahead
        assert followed.replacements == 0
    finally:
        await source.close()
