"""What is replayed is what an exporter shows: at the end of the file as it is, before that of the file as it was."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from collectors.sqlite.bots import UPSTREAM, decisions, executions, trades, write_bot
from collectors.sqlite.harness import fresh_samples
from oracle.page import difference
from tools import NO_REAL_DATA, REAL_DATA

from exporter.backfill.sinks import BackfillError

from .histories import of_source_1, read_history, write_history

AFTER_ALL = 1795852800.0
"""2026-11-28: no row of the real bot's files is ahead of that clock."""
FILES = [path for path in sorted(REAL_DATA.glob("*.db")) if path.stem != "fresh-start"]
STEP = 300


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def newest_row(path: Path) -> float:
    with closing(sqlite3.connect(path)) as database:
        (found,) = database.execute(
            "SELECT max(t) FROM (SELECT max(unixepoch(timestamp)) AS t FROM agent_executions UNION ALL "
            "SELECT max(unixepoch(timestamp)) FROM trades UNION ALL "
            "SELECT max(unixepoch(timestamp)) FROM portfolio_history)"
        ).fetchone()
    return float(found or AFTER_ALL)


@pytest.mark.skipif(not FILES, reason=NO_REAL_DATA)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_the_last_values_are_those_of_the_live_page(path: Path, tmp_path: Path) -> None:
    end = AFTER_ALL if path.stem.startswith("orchestrator") else newest_row(path) + STEP
    end = end // STEP * STEP
    await write_history(path, tmp_path, end, step=STEP, start=end - 3600)
    history = read_history(tmp_path)
    assert max(history) == end
    assert difference(history[int(end)], of_source_1(await fresh_samples(path, now=end))) == []


@pytest.mark.skipif(not FILES, reason=NO_REAL_DATA)
async def test_each_moment_is_what_an_exporter_showed_of_the_rows_so_far(tmp_path: Path) -> None:
    original = REAL_DATA / "three-days.db"
    end = newest_row(original) // STEP * STEP
    start = end - 6 * 3600
    written = await write_history(original, tmp_path / "out", end, step=STEP, start=start, now=AFTER_ALL)
    assert (written.last, written.samples) == (end, lines_of_samples(tmp_path / "out"))
    steps = (written.last - written.first) // STEP
    moments = [written.first + round(steps * share) * STEP for share in (0.1, 0.8)]
    history = read_history(tmp_path / "out", only=moments)
    for at in moments:
        then = cut_off(original, tmp_path / f"{at}.db", at)
        assert difference(history[at], of_source_1(await fresh_samples(then, now=at))) == []


def lines_of_samples(directory: Path) -> int:
    lines = (line for path in directory.glob("*.om") for line in path.read_bytes().splitlines())
    return sum(not line.startswith(b"#") for line in lines)


def cut_off(original: Path, path: Path, at: float) -> Path:
    """The file as it was at a moment, but for what nobody recorded."""
    shutil.copy(original, path)
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("agent_executions", "agent_decisions", "trades", "portfolio_history", "market_data"):
            database.execute(f"DELETE FROM {table} WHERE unixepoch(timestamp) > ?", (at,))
        database.execute("DELETE FROM system_alerts WHERE unixepoch(timestamp) > ?", (at,))
        database.execute("DROP TABLE system_config")
        database.execute("DROP TABLE system_commands")
        database.execute(
            "UPDATE portfolio SET last_updated = '', (btc_balance, usd_balance) = "
            "(SELECT btc_balance, usd_balance FROM portfolio_history ORDER BY timestamp DESC LIMIT 1)"
        )
    return path


async def test_a_row_counts_at_its_moment_but_not_before_those_above_it(tmp_path: Path) -> None:
    stamps = [
        "2025-10-10 15:00:00", "2025-10-10 15:10:00", "2025-10-10 15:05:00",  # written late
        "no time", "2025-10-10 15:20:00", "2030-01-01 00:00:00", "2025-10-10 15:30:00",
    ]  # fmt: skip
    rows = [row | {"timestamp": stamp} for row, stamp in zip(executions(7), stamps, strict=True)]
    write_bot(tmp_path / "bot.db", agent_executions=rows)
    end = moment("2025-10-10 15:35:00")
    await write_history(tmp_path / "bot.db", tmp_path / "out", end, step=300)
    key = ("tweetbot_executions_total", (("agent", "a"), ("execution_type", "t")))
    history = read_history(tmp_path / "out")
    counted = [history[at][key] for at in sorted(history)]
    #      15:00  :05  :10  :15  :20  :25  :30  :35
    assert counted == [1, 1, 4, 4, 6, 6, 7, 7]
    assert difference(history[int(end)], of_source_1(await fresh_samples(tmp_path / "bot.db", now=end))) == []


async def test_an_outcome_counts_at_its_decision(tmp_path: Path) -> None:
    rows = [
        row | {"timestamp": f"2025-10-10T15:{minute}0:00.000Z"}
        for minute, row in enumerate(decisions(3, '{"success": true}'))
    ]
    write_bot(tmp_path / "bot.db", agent_decisions=rows)
    await write_history(tmp_path / "bot.db", tmp_path / "out", moment("2025-10-10 15:20:00"), step=300)
    key = ("tweetbot_decisions_succeeded_total", (("agent", "a"), ("decision_type", "t")))
    history = read_history(tmp_path / "out")
    assert [history[at][key] for at in sorted(history)] == [1, 1, 2, 2, 3]


async def test_a_price_that_only_decisions_have_is_that_of_the_time(tmp_path: Path) -> None:
    rows = [
        row
        | {
            "timestamp": f"2025-10-10T15:{minute}0:00.000Z",
            "context": f'{{"inputs": {{"marketData": {{"price_usd": {50_000 + minute}}}}}}}',
        }
        for minute, row in enumerate(decisions(3))
    ]
    buys = [row | {"timestamp": "2025-10-10 15:00:00"} for row in trades(1)]
    write_bot(tmp_path / "bot.db", agent_decisions=rows, trades=buys)
    await write_history(tmp_path / "bot.db", tmp_path / "out", moment("2025-10-10 15:20:00"), step=600)
    history = read_history(tmp_path / "out")
    profits = [history[at]["tweetbot_position_unrealized_profit_usd", ()] for at in sorted(history)]
    assert profits == pytest.approx([0.001 * price - 100 for price in (50_000, 50_001, 50_002)])


async def test_what_only_tells_of_now_is_in_the_last_step(tmp_path: Path) -> None:
    config = [{"key": "system_status", "value": "paused"}]
    write_bot(tmp_path / "bot.db", UPSTREAM, agent_executions=executions(1), system_config=config)
    end = moment("2025-10-10 15:40:00")
    await write_history(tmp_path / "bot.db", tmp_path / "now", end, step=300)
    await write_history(tmp_path / "bot.db", tmp_path / "past", end, step=300, now=AFTER_ALL)
    key = ("tweetbot_system_paused", ())
    now, past = read_history(tmp_path / "now"), read_history(tmp_path / "past")
    assert [at for at in now if key in now[at]] == [end]
    assert [at for at in past if key in past[at]] == []


async def test_a_file_without_moments_has_no_history(tmp_path: Path) -> None:
    write_bot(tmp_path / "bot.db")
    with pytest.raises(BackfillError, match="no history to replay"):
        await write_history(tmp_path / "bot.db", tmp_path / "out", AFTER_ALL)
