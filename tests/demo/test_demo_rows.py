"""What stands in the rows: portfolio and trades agree, decisions are patched as the contract says."""

import json
from collections import deque
from collections.abc import Iterable
from random import Random

import pytest

from demo.simulated import MakeDatabase, Row, SimulatedDatabase
from exporter.demo.shuffle_bag import ShuffleBag, evenly_spread, values_with_mean

EXECUTING = 8


def test_portfolio_equals_the_trades(two_hours: SimulatedDatabase) -> None:
    bought, sold, spent, gained, fees = two_hours.rows(
        "SELECT sum(amount_btc * (trade_type = 'BUY')), sum(amount_btc * (trade_type = 'SELL')), "
        "sum(total_usd * (trade_type = 'BUY')), sum(total_usd * (trade_type = 'SELL')), sum(fee_usd) "
        "FROM trades"
    )[0]
    btc, usd = two_hours.rows("SELECT btc_balance, usd_balance FROM portfolio WHERE id = 1")[0]
    assert btc == pytest.approx(bought - sold, abs=1e-9)
    assert usd == pytest.approx(10_000 - spent + gained - fees, abs=1e-6)


def test_snapshots_add_up_and_nothing_is_ever_negative(two_hours: SimulatedDatabase) -> None:
    for btc, usd, price, total in two_hours.rows(
        "SELECT btc_balance, usd_balance, btc_price_usd, total_value_usd FROM portfolio_history"
    ):
        assert btc >= 0
        assert usd >= 0
        assert total == pytest.approx(usd + btc * price)


def test_trades_add_up(two_hours: SimulatedDatabase) -> None:
    for amount, price, total, fee in two_hours.rows(
        "SELECT amount_btc, price_usd, total_usd, fee_usd FROM trades"
    ):
        assert amount > 0
        assert total == pytest.approx(amount * price)
        assert 0 <= fee <= round(total * 0.001, 2) + 0.01
        assert 10 < total < 1600


def gains_by_first_in_first_out(trades: Iterable[Row]) -> list[float]:
    lots: deque[list[float]] = deque()
    gains: list[float] = []
    for side, amount, price, fee in trades:
        if side == "BUY":
            lots.append([amount, price + fee / amount])
            continue
        cost, left = 0.0, amount
        while left > 1e-12:
            assert lots, "sold more than was bought"
            take = min(left, lots[0][0])
            cost, left = cost + take * lots[0][1], left - take
            lots[0][0] -= take
            if lots[0][0] <= 1e-12:
                lots.popleft()
        gains.append(amount * price - fee - cost)
    return gains


def test_sells_are_matched_with_gains_and_losses(history: SimulatedDatabase) -> None:
    gains = gains_by_first_in_first_out(
        history.rows("SELECT trade_type, amount_btc, price_usd, fee_usd FROM trades ORDER BY id")
    )
    assert sum(gain > 0 for gain in gains) > 30
    assert sum(gain < 0 for gain in gains) > 30


def test_six_traders_and_eight_agents(history: SimulatedDatabase) -> None:
    assert history.value("SELECT count(DISTINCT executed_by) FROM trades") >= 6
    assert history.value("SELECT count(DISTINCT agent_name) FROM agent_executions") == EXECUTING
    assert history.value("SELECT count(DISTINCT agent) FROM agent_decisions") == EXECUTING
    assert (
        history.value("SELECT count(*) FROM trades WHERE executed_by = 'Intelligent Execution Agent'") > 100
    )


def test_confidences_are_percent_in_some_and_ratios_in_others(history: SimulatedDatabase) -> None:
    most: dict[str, float] = dict(
        history.rows(
            "SELECT agent, max(json_extract(reasoning, '$.confidence')) FROM agent_decisions GROUP BY 1"
        )
    )
    assert {agent for agent, largest in most.items() if largest > 1} == {
        "content-creator",
        "Intelligent Execution Agent",
    }
    assert history.value("SELECT min(json_extract(reasoning, '$.confidence')) FROM agent_decisions") > 0.3
    assert (
        history.value(
            "SELECT count(*) FROM agent_executions WHERE json_extract(output_data, '$.confidence') > 1"
        )
        > 500
    )
    assert history.value("SELECT max(json_extract(agent_state, '$.autonomyLevel')) FROM agent_decisions") > 1


def test_some_executions_have_neither_success_nor_time(history: SimulatedDatabase) -> None:
    unlogged = "SELECT count(*) FROM agent_executions WHERE success IS NULL AND execution_time_ms IS NULL"
    assert history.value(unlogged) > 5
    assert (
        history.value("SELECT count(*) FROM agent_executions WHERE success = 1 AND error_message IS NOT NULL")
        == 0
    )


def test_signals_are_reported_by_some_agents(history: SimulatedDatabase) -> None:
    reporting = history.rows(
        "SELECT agent_name, sum(json_extract(output_data, '$.signalsGenerated')) FROM agent_executions "
        "WHERE json_extract(output_data, '$.signalsGenerated') IS NOT NULL GROUP BY 1"
    )
    assert {agent for agent, _ in reporting} == {
        "market-hunter",
        "market-analyzer",
        "sentiment-scout",
    }
    assert all(signals > 100 for _, signals in reporting)


def test_outcomes_are_known_pending_or_text(two_hours: SimulatedDatabase) -> None:
    kinds: dict[str, int] = dict(
        two_hours.rows(
            "SELECT coalesce(json_type(outcome, '$.success'), json_type(outcome)), count(*) "
            "FROM agent_decisions GROUP BY 1"
        )
    )
    assert set(kinds) == {"true", "false", "null", "text"}
    assert min(kinds.values()) >= 1
    assert 0.1 < kinds["null"] / sum(kinds.values()) < 0.35


def test_decisions_fill_every_family(history: SimulatedDatabase) -> None:
    agents = "SELECT count(DISTINCT agent) FROM agent_decisions WHERE "
    assert history.value(agents + "json_array_length(feedback, '$.learningAdjustments') > 0") == EXECUTING
    assert history.value(agents + "json_array_length(system, '$.interAgentCommunication') > 0") == EXECUTING
    numeric = "json_type(outcome, '$.actualResult') IN ('integer', 'real')"
    assert history.value(agents + numeric) == 4
    assert (
        history.value(
            f"SELECT min(json_extract(outcome, '$.actualResult')) FROM agent_decisions WHERE {numeric}"
        )
        < 0
    )
    risks = history.rows("SELECT DISTINCT json_extract(reasoning, '$.riskAssessment') FROM agent_decisions")
    assert {risk for (risk,) in risks} == {"low", "medium", "high", "moderate", None}
    lengths = history.rows(
        "SELECT DISTINCT json_array_length(reasoning, '$.alternatives') FROM agent_decisions"
    )
    assert {length for (length,) in lengths} == set(range(7))


def test_messages_go_to_agents_that_exist_and_not_to_oneself(history: SimulatedDatabase) -> None:
    agents = {name for (name,) in history.rows("SELECT DISTINCT agent_name FROM agent_executions")}
    for agent, system in history.rows("SELECT agent, system FROM agent_decisions"):
        targets = {message["target"] for message in json.loads(system)["interAgentCommunication"]}
        assert targets <= agents - {agent}


def test_decision_ids_are_unique_and_of_their_moment(history: SimulatedDatabase) -> None:
    assert history.value("SELECT count(*) = count(DISTINCT id) FROM agent_decisions") == 1
    wrong = (
        "SELECT count(*) FROM agent_decisions WHERE "
        "abs(substr(id, 5, 13) / 1000.0 - (julianday(timestamp) - 2440587.5) * 86400) > 0.01"
    )
    assert history.value(wrong) == 0


def test_outcomes_are_patched_live_some_twice(make_database: MakeDatabase) -> None:
    database = make_database("healthy", seed=21)
    state = "SELECT id, json_extract(outcome, '$.success') FROM agent_decisions "
    state += "WHERE json_type(outcome) = 'object'"
    before: dict[str, int | None] = dict(database.rows(state))
    learnt = revised = 0
    for until in range(60_000, 61 * 60_000, 60_000):
        database.advance(until)
        after: dict[str, int | None] = dict(database.rows(state))
        learnt += sum(before.get(key) is None and value is not None for key, value in after.items())
        revised += sum(before.get(key) is not None and before[key] != value for key, value in after.items())
        before = after
    assert learnt > 300
    assert 1 <= revised < learnt / 5


@pytest.mark.parametrize("share", range(51))
def test_any_fifty_in_a_row_hold_the_share(share: int) -> None:
    bag = ShuffleBag(evenly_spread(share), Random(), steady=True)
    drawn = [bag.draw() for _ in range(200)]
    assert all(sum(drawn[i : i + 50]) == share for i in range(150))
    assert all(abs(sum(drawn[:n]) - n * share / 50) <= 0.5 for n in range(1, 200))


@pytest.mark.parametrize("mean", [100, 300, 2800])
def test_times_have_their_mean_to_the_last_digit(mean: int) -> None:
    assert sum(values_with_mean(mean)) == 50 * mean
    assert min(values_with_mean(mean)) >= 0
