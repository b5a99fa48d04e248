"""The history: repeatable, complete, in the shape of a real bot's file."""

import re
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import NO_REAL_DATA

from demo.simulated import MakeDatabase, RecordingSchedule, SimulatedDatabase, simulate
from exporter.demo.clock import Clock

PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "three-days.db"
JSON_COLUMNS = {
    "agent_executions": ("input_data", "output_data"),
    "agent_decisions": ("context", "reasoning", "outcome", "agent_state", "system", "feedback"),
}


def tables(database: SimulatedDatabase) -> list[str]:
    listed = database.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for (name,) in listed]


@pytest.mark.parametrize("scenario", ["healthy", "degraded", "failing", "harmful", "tradeoff"])
def test_same_seed_gives_the_same_history(scenario: str) -> None:
    first = list(simulate(scenario, seed=7, history_days=0.5).advance(0))
    assert first == list(simulate(scenario, seed=7, history_days=0.5).advance(0))
    assert first != list(simulate(scenario, seed=8, history_days=0.5).advance(0))


def test_history_is_relative_to_the_start(tmp_path: Path) -> None:
    one = simulate(history_days=0.5)
    other = simulate(history_days=0.5, start=one.clock.start + timedelta(days=400, seconds=17.3))
    shown = [[(t.at, [s.sql for s in t.statements]) for t in each.advance(0)] for each in (one, other)]
    assert shown[0] == shown[1]
    assert one.portfolio.value == other.portfolio.value


@settings(max_examples=8)
@given(cuts=st.lists(st.integers(-43_200_000, 0), max_size=6))
def test_steps_do_not_show(cuts: list[int]) -> None:
    whole = list(simulate("failing", history_days=0.5).advance(0))
    cut = simulate("failing", history_days=0.5)
    assert [t for until in [*sorted(cuts), 0] for t in cut.advance(until)] == whole


def test_it_takes_less_than_three_seconds(make_database: MakeDatabase) -> None:
    begin = time.process_time()
    database = make_database("healthy", seed=99)
    assert time.process_time() - begin < 3
    assert 4500 < database.value("SELECT count(*) FROM agent_executions") < 6000
    assert 1800 < database.value("SELECT count(*) FROM agent_decisions") < 2600
    assert 350 < database.value("SELECT count(*) FROM trades") < 500


def test_every_table_has_rows(two_hours: SimulatedDatabase) -> None:
    assert all(two_hours.value(f"SELECT count(*) FROM {table}") > 0 for table in tables(two_hours))


def test_the_file_is_as_the_bot_makes_it(history: SimulatedDatabase) -> None:
    assert history.value("PRAGMA journal_mode") == "delete"
    assert history.value("PRAGMA encoding") == "UTF-8"
    assert history.value("PRAGMA integrity_check") == "ok"


def test_the_schema_is_upstreams(history: SimulatedDatabase) -> None:
    if not REAL.exists():
        pytest.skip(NO_REAL_DATA)
    with closing(sqlite3.connect(f"{REAL.as_uri()}?mode=ro&immutable=1", uri=True)) as real:
        shape = "SELECT m.name, c.name, c.type, c.pk, c.dflt_value "
        shape += "FROM sqlite_master m, pragma_table_info(m.name) c"
        assert sorted(history.rows(shape), key=repr) == sorted(real.execute(shape).fetchall(), key=repr)
        indexes = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' ORDER BY 1"
        assert history.rows(indexes) == real.execute(indexes).fetchall()


def test_both_forms_of_timestamps(two_hours: SimulatedDatabase) -> None:
    for table in tables(two_hours):
        columns = [row[1] for row in two_hours.rows(f"PRAGMA table_info({table})")]
        if "timestamp" in columns:
            form = ISO if table == "agent_decisions" else PLAIN
            stamps = two_hours.rows(f"SELECT timestamp FROM {table}")
            assert all(form.fullmatch(stamp) for (stamp,) in stamps), table


def test_rows_come_in_order_of_time_and_none_after_the_last_step(two_hours: SimulatedDatabase) -> None:
    end = two_hours.simulation.clock.plain(120 * 60_000)
    for table in ("agent_executions", "trades", "market_data", "portfolio_history", "system_alerts"):
        stamps = [stamp for (stamp,) in two_hours.rows(f"SELECT timestamp FROM {table} ORDER BY rowid")]
        assert stamps == sorted(stamps)
        assert stamps[-1] <= end


def test_json_is_valid_and_of_a_real_bots_size(history: SimulatedDatabase) -> None:
    for table, columns in JSON_COLUMNS.items():
        for column in columns:
            assert history.value(f"SELECT min(json_valid({column})) FROM {table}") == 1
    sizes = "SELECT max(length(context)), max(length(outcome)), avg(length(reasoning)) FROM agent_decisions"
    context, outcome, reasoning = history.rows(sizes)[0]
    assert 1500 < context < 5000
    assert 900 < outcome < 3000
    assert 100 < reasoning < 400


def test_nothing_happens_while_the_bot_is_paused(history: SimulatedDatabase) -> None:
    begin = history.value("SELECT max(processed_at) FROM system_commands WHERE command = 'pause_system'")
    end = history.value(
        "SELECT min(processed_at) FROM system_commands WHERE command = 'resume_system' AND processed_at > ?",
        begin,
    )
    assert begin < end
    for table in ("agent_executions", "trades", "market_data"):
        between = f"SELECT count(*) FROM {table} WHERE timestamp > ? AND timestamp < ?"
        assert history.value(between, begin, end) == 0
    assert history.value("SELECT value FROM system_config WHERE key = 'system_status'") == "running"


def test_control_tables_show_what_the_contract_knows(two_hours: SimulatedDatabase) -> None:
    statuses = {status for (status,) in two_hours.rows("SELECT DISTINCT status FROM system_commands")}
    assert {"processed", "failed"} <= statuses <= {"processed", "failed", "pending"}
    levels = {level for (level,) in two_hours.rows("SELECT DISTINCT level FROM system_alerts")}
    assert {"info", "warning", "critical"} <= levels <= {"info", "warning", "critical", "error"}


def test_market_data_moves_and_may_lack_the_index(two_hours: SimulatedDatabase) -> None:
    low, high, distinct = two_hours.rows(
        "SELECT min(fear_greed_index), max(fear_greed_index), count(DISTINCT price_usd) FROM market_data"
    )[0]
    assert 0 < low < high < 100
    assert distinct > 400
    assert two_hours.value("SELECT count(*) FROM market_data WHERE fear_greed_index IS NULL") > 0


@pytest.mark.parametrize("speed", [0.1, 1.0, 40.0])
def test_windows_are_of_the_live_pace_at_any_speed(make_database: MakeDatabase, speed: float) -> None:
    database = make_database("degraded", speed=speed, history_days=1.0)
    oldest = database.simulation.clock.plain(database.simulation.clock.warm_up_from)
    windows = database.rows(
        "SELECT agent_name, count(*) FROM agent_executions WHERE timestamp >= ? GROUP BY agent_name", oldest
    )
    assert len(windows) == 8
    assert all(rows >= 50 for _, rows in windows)


def test_speed_makes_events_as_much_more_often() -> None:
    counts = []
    for speed in (1.0, 10.0):
        simulation = simulate(speed=speed, history_days=0.5)
        list(simulation.advance(0))
        counts.append(sum(1 for _ in simulation.advance(20 * 60_000)))
    assert 9 < counts[1] / counts[0] < 11


def test_a_person_sees_movement_within_a_minute(make_database: MakeDatabase) -> None:
    database = make_database("healthy", seed=3, history_days=0.5)
    before: dict[str, int] = dict(
        database.rows("SELECT agent_name, count(*) FROM agent_executions GROUP BY 1")
    )
    database.advance(60_000)
    after: dict[str, int] = dict(
        database.rows("SELECT agent_name, count(*) FROM agent_executions GROUP BY 1")
    )
    assert all(after[agent] > before[agent] for agent in before)


def test_after_a_sleep_nothing_is_made_up_for() -> None:
    simulation = simulate(history_days=0.5)
    list(simulation.advance(60_000))
    slept_until = 8 * 3_600_000
    simulation.postpone(slept_until - 60_000)
    assert list(simulation.advance(slept_until)) == []
    later = list(simulation.advance(slept_until + 60_000))
    assert 10 < len(later) < 100
    assert all(transaction.at > slept_until for transaction in later)


def test_schedule_keeps_the_pause_free() -> None:
    schedule = RecordingSchedule(range(100, 200))
    schedule.add_pausable(99, 100, 150, 200)
    schedule.add_unpausable(150)
    assert schedule.run(1000) == [99, ("always", 150), 200, 200, 250]


@given(st.integers(-3 * 86_400_000, 86_400_000))
def test_forms_of_time_agree(at: int) -> None:
    clock = simulate().clock
    assert clock.iso(at)[:19] == clock.plain(at).replace(" ", "T")
    assert clock.since_start(clock.moment(at)) == at
    assert clock.epoch_ms(at) == round(clock.moment(at).timestamp() * 1000)


def test_the_warm_up_cuts_a_long_gap_short() -> None:
    clock: Clock = simulate().clock
    gaps = [clock.gap(at, 38) for at in (-clock.history_ms, clock.warm_up_from - 1000, clock.warm_up_from, 0)]
    assert gaps == [760_000, 39_000, 38_000, 38_000]
