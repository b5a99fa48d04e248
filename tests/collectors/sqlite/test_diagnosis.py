"""What `check` learns of the agents in a file, without reading its history."""

from pathlib import Path

from exporter.collectors.sqlite.collector import DatabaseCollector

from .bots import UPSTREAM, decisions, execute, executions, trades, write_bot
from .harness import configured


async def agents_by_table(path: Path) -> dict[str, tuple[str, ...]]:
    source = DatabaseCollector(path, configured())
    try:
        return {finding.subject: finding.agents for finding in await source.diagnose()}
    finally:
        await source.close()


async def test_agents_are_named_as_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    write_bot(
        path, agent_executions=executions(3, "Night Watch"), agent_decisions=decisions(2), trades=trades(2)
    )
    execute(path, "UPDATE agent_executions SET agent_name = NULL WHERE id = 1")
    execute(path, "UPDATE agent_executions SET agent_name = 'autonomous-market-hunter' WHERE id = 2")
    execute(path, "UPDATE trades SET executed_by = 'Intelligent Execution Agent'")
    found = await agents_by_table(path)
    assert found["table agent_executions"] == ("market-hunter", "night-watch")
    assert found["table trades"] == ("intelligent-execution-agent",)
    assert found["table agent_decisions"] == ("a",)
    assert found["database"] == ()


async def test_a_table_without_its_column_of_agents_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    columns = {name: kind for name, kind in UPSTREAM["trades"].items() if name != "executed_by"}
    write_bot(path, {"trades": columns})
    assert (await agents_by_table(path))["table trades"] == ()


async def test_a_table_says_how_far_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    write_bot(path, agent_executions=executions(3), agent_decisions=[])
    source = DatabaseCollector(path, configured())
    try:
        found = {finding.subject: finding.detail for finding in await source.diagnose()}
    finally:
        await source.close()
    assert found["table agent_executions"] == "up to row 3"
    assert found["table agent_decisions"] == "no rows yet"
