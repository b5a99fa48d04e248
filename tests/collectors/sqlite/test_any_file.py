"""Files that a plausible bot leaves behind, or that somebody made of one: each stands for its kind."""

from pathlib import Path

import pytest

from .bots import SEED, UPSTREAM, append, execute, executions, trades, write_bot
from .harness import configured, following, until

pytestmark = pytest.mark.usefixtures("impatient")

LAST = 2**63 - 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def decision(key: str, outcome: str = "{}", **row: str) -> dict[str, str]:
    return {
        "id": key,
        "timestamp": "2025-10-10T15:30:00.000Z",
        "agent": "a",
        "type": "t",
        "reasoning": '{"confidence":0.8}',
        "outcome": outcome,
    } | row


# Row numbers


@pytest.mark.parametrize("row_ids", [[-2, -1, 0, 1, 2], [0], [-(2**63), 5, LAST], [7, 3, 5]], ids=str)
async def test_row_numbers_may_be_any(path: Path, row_ids: list[int]) -> None:
    rows = [row | {"id": row_id} for row, row_id in zip(executions(len(row_ids)), row_ids, strict=True)]
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.executions() == {"a": len(row_ids)}
        assert followed.self_metrics("database_unread_rows", table="agent_executions") == 0


@pytest.mark.parametrize("below", [-5, 0, 50, 1001])
async def test_a_row_below_the_last_one_read_is_counted(path: Path, below: int) -> None:
    numbers = [*range(1, 40), *range(60, 90), 2000]
    rows = [row | {"id": row_id} for row, row_id in zip(executions(len(numbers)), numbers, strict=True)]
    write_bot(path, agent_executions=rows)
    async with following(path) as followed:
        await followed.caught_up()
        append(path, "agent_executions", [executions(1)[0] | {"id": below}])
        assert await followed.executions() == {"a": len(numbers) + 1}
        assert followed.replacements == 0


async def test_after_the_highest_row_number_others_are_found(path: Path) -> None:
    write_bot(path, agent_executions=[executions(1)[0] | {"id": row_id} for row_id in (1, LAST)])
    async with following(path) as followed:
        await followed.caught_up()
        for count in range(3):
            append(path, "agent_executions", [executions(1)[0] | {"id": 2**40 - count}])
            assert await followed.executions() == {"a": 3 + count}


async def test_the_numbers_of_pruned_rows_may_come_again(path: Path) -> None:
    write_bot(path, agent_executions=executions(20))
    async with following(path) as followed:
        await followed.caught_up()
        execute(path, "DELETE FROM agent_executions WHERE id <= 10")
        await followed.recovered()
        append(path, "agent_executions", [executions(1)[0] | {"id": 5}])
        assert await followed.executions() == {"a": 21}
        assert followed.replacements == 0


# Decisions that are saved again


async def test_a_decision_that_is_saved_again_is_the_same(path: Path) -> None:
    write_bot(path, SEED, agent_decisions=[decision("dec_1"), decision("dec_2")])
    async with following(path) as followed:
        await followed.caught_up()
        known = """'{"success":true,"actualResult":2}'"""
        execute(
            path,
            "INSERT OR REPLACE INTO agent_decisions (id, timestamp, agent, type, reasoning, outcome) "
            f"SELECT id, timestamp, agent, type, reasoning, {known} FROM agent_decisions WHERE id = 'dec_1'",
        )
        await followed.recovered()
        assert await followed.value("decisions_total", agent="a", decision_type="t") == 2
        assert await followed.value("decisions_succeeded_total", agent="a", decision_type="t") == 1
        assert await followed.value("decisions_pending", agent="a") == 1
        assert await followed.value("decision_confidence_ratio_count", agent="a") == 2
        assert await followed.value("recent_actual_result", agent="a") == 2
        assert await followed.value("recent_confidence_ratio", agent="a") == 0.8
        assert followed.replacements == 0


async def test_a_decision_that_is_saved_again_and_again_keeps_its_first_outcome(path: Path) -> None:
    write_bot(path, SEED, agent_decisions=[decision("dec_1", '{"success":true}')])
    async with following(path, configured(window=1)) as followed:
        await followed.caught_up()
        for outcome in ('{"success":false}', "{}", '{"success":true}'):
            execute(
                path,
                "INSERT OR REPLACE INTO agent_decisions (id, agent, type, outcome) "
                f"VALUES ('dec_1', 'a', 't', '{outcome}')",
            )
            await followed.recovered()
        assert await followed.value("decisions_total", agent="a", decision_type="t") == 1
        assert await followed.value("decisions_succeeded_total", agent="a", decision_type="t") == 1
        assert await followed.value("decisions_failed_total", agent="a", decision_type="t") == 0
        assert await followed.value("decisions_pending", agent="a") == 0
        assert await followed.value("decision_outcome_revisions_total", agent="a") == 3


# Names of tables and columns


async def test_identifiers_have_no_case(path: Path) -> None:
    columns = {column.title(): kind for column, kind in UPSTREAM["agent_executions"].items()}
    write_bot(path, {"Agent_Executions": columns}, Agent_Executions=executions(3))
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.executions() == {"a": 3}
        assert await followed.value("recent_response_time_seconds", agent="a") == 0.1


# Time


async def test_a_row_ahead_of_the_clock_fixes_no_price(path: Path) -> None:
    late = [
        {"timestamp": "2062-01-01 00:00:00", "price_usd": 31000},
        {"timestamp": "2025-10-15 04:30:00", "price_usd": 95000},
    ]
    live = {"id": 1, "btc_balance": 1.0, "usd_balance": 0, "last_updated": "2062-01-01 00:00:00"}
    write_bot(path, market_data=late, portfolio=[live])
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("market_price_usd") == 95000
        assert await followed.value("portfolio_value_usd") == 95000
        assert await followed.value("portfolio_updated_timestamp_seconds") is None
        for table in ("market_data", "portfolio"):
            assert await followed.value("database_future_rows_total", table=table) == 1
        assert (
            await followed.value("database_malformed_values_total", table="market_data", column="timestamp")
            == 0
        )


# JSON


@pytest.mark.parametrize(
    ("document", "confidence"),
    [
        ('{"confidence":0.9,"riskAssessment":"low","confidence":0.1}', 0.1),
        ('{"confidence":0.1,"note":"\\ud800"}', 0.1),
        ('{"confidence":0.1,"note":1e999}', 0.1),
        ('{"confidence":0.1,"note":' + "9" * 5000 + "}", 0.1),
        ('{"confidence":1e-1,"\\u0063onfidence":0.2}', 0.2),
        ('{"confidence":0.1,"note":' + "[" * 500 + "]" * 500 + "}", 0.1),
        ('{"confidence":0.1,"note":' + "[" * 100_000 + "]" * 100_000 + "}", 0.1),
        ('{"confidence":0.1,"note":' + '{"a":' * 50_000 + "1" + "}" * 50_001, 0.1),
        ('{"confidence":0.1,"note":' + "[" * 5000 + '"]\\"["' + "]" * 5000 + "}", 0.1),
        ('{"confidence":0.1,"note":' + "[" * 5000 + "]" * 4999 + "}", None),
        ('{"confidence":0.1,"note":' + "[" * 5000 + "]" * 5001 + "}", None),
        ('{"confidence":0.1,"note":' + "[" * 5000 + "}" + "]" * 4999 + "}", None),
        ('{"confidence":0.1,"note":' + "[" * 5000 + '"' + "]" * 5000 + "}", None),
        ('{"confidence":0.1,"note":' + "[" * 5000 + '["\\""' * 10_000, None),
        ('{"confidence":0.1,"note":NaN}', None),
        ('\ufeff{"confidence":0.1}', None),
        ('{"confidence":.1}', None),
        ('{"confidence":0.1} {}', None),
    ],
)
async def test_json_is_what_node_makes_of_it(path: Path, document: str, confidence: float | None) -> None:
    write_bot(path, agent_decisions=[decision("dec_1", reasoning=document)])
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("recent_confidence_ratio", agent="a") == confidence
        column = {"table": "agent_decisions", "column": "reasoning"}
        assert await followed.value("database_malformed_values_total", **column) == (confidence is None)


# Numbers


async def test_a_mean_of_large_numbers_is_no_infinity(path: Path) -> None:
    outcome = '{"actualResult":1e308}'
    write_bot(path, agent_decisions=[decision("dec_1", outcome), decision("dec_2", outcome)])
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("recent_actual_result", agent="a") == 1e308


async def test_every_digit_of_a_number_is_read(path: Path) -> None:
    amount = {"amount_btc": 0.1 + 0.2, "total_usd": 1 / 3}
    quote = {"timestamp": "2025-10-10 15:30:00", "price_usd": 0.1 + 0.2, "volume_24h": 2**63 - 1}
    write_bot(path, UPSTREAM, trades=[trades(1)[0] | amount], market_data=[quote])
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("market_price_usd") == 0.1 + 0.2
        assert await followed.value("market_volume_24h_usd") == float(2**63 - 1)
        assert await followed.value("position_btc") == 0.3


async def test_the_price_of_last_resort_is_that_of_a_decision(path: Path) -> None:
    context = '{"inputs":{"marketData":{"price_usd":65000}}}'
    live = {"id": 1, "btc_balance": 0.1, "usd_balance": 500, "last_updated": "2025-10-15 04:30:00"}
    write_bot(path, agent_decisions=[decision("dec_1", context=context)], portfolio=[live])
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("portfolio_value_usd") == 7000
        append(path, "market_data", [{"timestamp": "2025-10-10 15:30:00", "price_usd": 60000}])
        assert await followed.value("portfolio_value_usd") == 6500


CONTEXT = '{"inputs":{"marketData":{"price_usd":65000}}}'
LIVE = {"id": 1, "btc_balance": 0.1, "usd_balance": 500, "last_updated": "2025-10-15 04:30:00"}


async def test_the_price_may_be_in_an_old_decision(path: Path) -> None:
    later = [decision(f"dec_{number}", context="{}") for number in range(2, 700)]
    write_bot(path, agent_decisions=[decision("dec_1", context=CONTEXT), *later], portfolio=[LIVE])
    async with following(path) as followed:
        await followed.caught_up()

        async def is_found() -> bool:
            append(path, "agent_executions", executions(1))
            return await followed.value("portfolio_value_usd") == 7000

        await until(is_found, "found")
        append(
            path, "agent_decisions", [decision(f"dec_{number}", context="{}") for number in range(700, 800)]
        )
        await until(is_found, "found again")
        append(path, "agent_decisions", [decision("dec_800", context=CONTEXT.replace("65000", "60000"))])
        assert await followed.value("portfolio_value_usd") == 6500


async def test_the_price_of_a_decision_is_there_though_the_bot_writes_no_more(path: Path) -> None:
    write_bot(path, agent_decisions=[decision("dec_1", context=CONTEXT)], portfolio=[LIVE])
    async with following(path) as followed:
        await followed.collect()
        await followed.caught_up()
        assert await followed.value("portfolio_value_usd") == 7000


async def test_a_context_too_large_to_be_read_costs_its_own_price_only(path: Path) -> None:
    large = '{"note":"' + "x" * 600_000 + '"}'
    found = [decision("dec_1", context=CONTEXT), decision("dec_2", context=large)]
    write_bot(path, agent_decisions=found, portfolio=[LIVE])
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("portfolio_value_usd") == 7000


# The oldest layout

OLDEST_PORTFOLIO = """
CREATE TABLE portfolio (
    id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    BTC_Holdings DECIMAL(10,8) NOT NULL, usd_balance DECIMAL(12,2) NOT NULL, total_value_usd DECIMAL(12,2) NOT NULL,
    total_profit_usd DECIMAL(12,2) DEFAULT 0, last_updated DATETIME DEFAULT CURRENT_TIMESTAMP)
"""


async def test_the_oldest_layouts_newest_row_is_what_the_bot_has(path: Path) -> None:
    insert = "INSERT INTO portfolio (btc_holdings, usd_balance, total_value_usd, last_updated) VALUES "
    price = "INSERT INTO market_data (timestamp, price_usd) VALUES ('2025-10-10 12:00:00', 100000)"
    write_bot(path, {name: columns for name, columns in SEED.items() if name != "portfolio"})
    execute(path, OLDEST_PORTFOLIO)
    execute(
        path, insert + "(0, 10000, 10000, '2025-10-10 10:00:00'), (0.05, 5000, 10000, '2025-10-10 11:00:00')"
    )
    execute(path, price)
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("portfolio_balance_btc") == 0.05
        assert await followed.value("portfolio_balance_usd") == 5000
        assert await followed.value("portfolio_value_usd") == 10_000
        assert await followed.value("portfolio_updated_timestamp_seconds") == 1760094000
        assert followed.self_metrics("database_rows_total", table="portfolio") == 2
        execute(path, insert + "(0.01, 9000, 10000, '2025-10-10 12:00:00')")
        assert await followed.value("portfolio_balance_usd") == 9000
        assert await followed.value("portfolio_value_usd") == 10_000


async def test_a_row_beside_the_live_one_is_not_what_the_bot_has(path: Path) -> None:
    write_bot(path)
    execute(
        path,
        "INSERT INTO portfolio (id, btc_balance, usd_balance, last_updated) VALUES "
        "(1, 0, 7, '2025-10-10 10:00:00'), (2, 0, 8, '2025-10-10 11:00:00')",
    )
    async with following(path) as followed:
        await followed.caught_up()
        assert await followed.value("portfolio_balance_usd") == 7
