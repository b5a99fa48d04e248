"""SQLite files as nasty as a plausible bot could leave them, made by hypothesis.

Not made: NUL characters, invalid UTF-8 and nesting deeper than a few hundred.
"""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .files import LAYOUTS, Patch, TableRows, append_rows, apply_patches, write_database

__all__ = ["append_rows", "apply_patches", "databases", "random_patches", "write_database"]


def mostly(good: SearchStrategy[Any], bad: SearchStrategy[Any], one_in: int = 6) -> SearchStrategy[Any]:
    """Failures shrink towards the good."""
    return st.integers(1, one_in).flatmap(lambda draw: bad if draw == one_in else good)


# Names

LONG = "x" * 10_000
CONTROL = 'line\nfeed\ttab\x1b[0m\x7f\r"quoted" back\\slash\u2028'
writable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
AGENTS = (
    "market-hunter",
    "Intelligent Execution Agent",
    "bitcoin-orchestrator",
    "market_hunter",
    "Über Agent",
    "U\u0308ber  agent",
)
ODD_NAMES = (
    None, "", "---", "other", "unknown", LONG, "é" * 128, "é" * 129, CONTROL, "猎人 42", b"\xff\x00", "İı",
)  # fmt: skip
agent_names = mostly(st.sampled_from(AGENTS), st.sampled_from(ODD_NAMES) | writable, one_in=4)
kinds = mostly(
    st.sampled_from(["trading_decision", "autonomous_cycle", "AGENT_ADAPTATION"]),
    st.sampled_from([None, "", "other", " spaced ", "x" * 128, "x" * 129, LONG, CONTROL, b"blob"]) | writable,
    one_in=4,
)

# Moments: few of them, so that ties are common

days = st.sampled_from(["2025-10-10", "2025-10-13", "2024-02-29", "1969-12-31"])
clocks = st.builds("15:{:02d}:{:02d}".format, st.integers(0, 3), st.sampled_from([0, 30, 59]))
fractions = st.sampled_from(["", ".000", ".5", ".123456", ".9999"])
offsets = st.sampled_from(["", "Z", "+00:00", " +02:00", "-05:30", "+0130"])
texts = st.builds("{}{}{}{}{}".format, days, st.sampled_from(" T"), clocks, fractions, offsets)
OTHER_MOMENTS = (
    1760110200, 1760110200.0, 1760110200123, "1760110200", "1760110200123.0", "2062-01-01 00:00:00", 4102444800000,
)  # fmt: skip
moments = mostly(texts, st.sampled_from(OTHER_MOMENTS))
NO_MOMENTS = (
    None, "", "yesterday", "2025-10-10", "2025-10-10 15:30", "2025-10-10T15:30:00+24:00",
    "2025-10-10 15:30:00 Z", "2025-10-10T15:30:00+0", "999999999", "1760110200.5",
    "2025-02-30 00:00:00", "2025-13-01 00:00:00", "2025-10-10 24:00:00", "2025-10-10 15:30:60",
    " 2025-10-10 15:30:00",
    "2025-10-10 15:30:00.", "2025-10-10t15:30:00z", "２025-10-10 15:30:00", "2025-10-10 15:30:00\n",
    999999999, 10**10, 10**12 - 1, 10**13, 1760110200.5, b"2025-10-10 15:30:00",
)  # fmt: skip
timestamps = mostly(moments, st.sampled_from(NO_MOMENTS))

# Numbers in columns

INFINITE = float("inf")
UNFIT = (
    None, "85", "", "many", "NaN", b"1", INFINITE, -INFINITE, 2**63 - 1, -(2**63), 1e300, -1, -0.5, 2**50 + 1,
)  # fmt: skip
unfit = st.sampled_from(UNFIT)
durations = mostly(
    st.integers(0, 70_000) | st.floats(0, 70_000) | st.sampled_from([0, 50, 100.0005, 0.0005, 60_000]), unfit
)
successes = mostly(st.sampled_from([1, 0, None]), st.sampled_from([2, -1, 0.5, "true", "1", b"1", INFINITE]))
amounts = mostly(st.integers(0, 10**9).map(lambda units: units / 10**8) | st.integers(0, 3), unfit, one_in=10)
dollars = mostly(st.integers(0, 10**10).map(lambda cents: cents / 100) | st.integers(0, 9), unfit, one_in=10)
fees = mostly(st.sampled_from([0, 0.64, 1.5, None]), unfit)
sides = mostly(
    st.sampled_from(["BUY", "SELL", "buy", "Sell"]), st.sampled_from([None, "", "HOLD", "BUY ", b"BUY"])
)
gauges = mostly(st.floats(-1e6, 1e12) | st.integers(-(10**6), 10**12), unfit)

# JSON, as text, so that it can also hold what a serialiser would refuse to write

NUMBERS = (
    "0", "1", "0.5", "0.85", "85", "95.5", "100", "1.0", "0.30000000000000004", "1e-1", "8.5E1", "-0.0",
    "1.0000001",
)  # fmt: skip
ODD = (
    "null", "true", "false", '"0.85"', '"high"', "[]", "{}", "-1", "-0.25", "100.5", "101", "9e999", "-9e999",
    "12345678901234567890", "1125899906842625", '""', '"\\ud800"', '[{"a":[1]}]', "1" * 400,
)  # fmt: skip
number_literals = st.sampled_from(NUMBERS) | st.floats(0, 1).map(repr)
odd_literals = st.sampled_from(ODD)
ratio_literals = mostly(number_literals, odd_literals)
any_literals = number_literals | odd_literals
result_literals = mostly(st.floats(-1e6, 1e6).map(repr) | st.integers(-9, 9).map(str), odd_literals, one_in=3)
boolean_literals = mostly(st.sampled_from(["true", "false", "null"]), odd_literals)
risk_literals = mostly(
    st.sampled_from(['"low"', '"medium"', '"high"', '"HIGH"']), odd_literals | st.just('"extreme"')
)
count_literals = mostly(st.integers(0, 20).map(str), odd_literals | st.sampled_from(["2.0", "2.5", "1e3"]))


def arrays(entries: SearchStrategy[str], most: int = 9) -> SearchStrategy[str]:
    return mostly(st.lists(entries, max_size=most).map(lambda items: f"[{','.join(items)}]"), odd_literals)


contexts = mostly(
    any_literals.map('{{"marketData": {{"price_usd": {}}}}}'.format),
    st.sampled_from(['{"marketData": 5}', "[]"]),
)
targets = mostly(
    agent_names.filter(lambda name: isinstance(name, str)).map(json.dumps),
    odd_literals | st.sampled_from(['"lone \\udc00 surrogate"', '"\\ud83d\\ude00 smile"']),
)
messages = mostly(
    targets.map(lambda target: f'{{"target":{target},"type":"adaptation_request"}}'),
    odd_literals | st.just('{"type":"no target"}'),
)

BROKEN = (
    None, "", " ", "{", "NaN", '{"confidence":NaN}', "{'confidence':1}", '{"confidence":0.5,}', "\ufeff{}",
    '{"confidence":"\x01"}', "[1,2]", '"a text patch turns it into this"', "null", "5", "true",
    '{"a":1} trailing', b"{}", b"\xff",
)  # fmt: skip


def documents(**keys: SearchStrategy[str]) -> SearchStrategy[str | bytes | None]:
    """Objects in which every key may be missing; now and then something else altogether."""
    whole = st.fixed_dictionaries(keys)
    partial = st.fixed_dictionaries({}, optional={**keys, "note é\u0300": any_literals})
    plain = mostly(whole, partial, one_in=3).map(_object)
    twice = st.builds(_twice, st.sampled_from(sorted(keys)), any_literals, plain)
    return mostly(mostly(plain, twice, one_in=12), st.sampled_from(BROKEN), one_in=8)


def _object(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}: {literal}" for key, literal in members.items()) + "}"


def _twice(key: str, literal: str, document: str) -> str:
    """A key that may come a second time: the last one counts."""
    return f'{{"{key}": {literal}, "not_read": 1, {document[1:]}' if document != "{}" else document


# Rows

odd_words = st.sampled_from([None, "", "Error", "completed", LONG, CONTROL, b"?"])
COLUMNS: dict[str, dict[str, SearchStrategy[Any]]] = {
    "agent_executions": {
        "timestamp": timestamps,
        "agent_name": agent_names,
        "execution_type": kinds,
        "output_data": documents(confidence=ratio_literals, signalsGenerated=count_literals),
        "success": successes,
        "execution_time_ms": durations,
        "error_message": st.sampled_from([None, None, "", "timeout", b"?"]),
    },
    "agent_decisions": {
        "timestamp": timestamps,
        "agent": agent_names,
        "type": kinds,
        "context": documents(inputs=contexts),
        "reasoning": documents(
            confidence=ratio_literals, riskAssessment=risk_literals, alternatives=arrays(any_literals)
        ),
        "outcome": documents(success=boolean_literals, actualResult=result_literals),
        "agent_state": documents(
            autonomyLevel=ratio_literals, performanceScore=ratio_literals, learningRate=ratio_literals
        ),
        "system": documents(interAgentCommunication=arrays(messages, most=3)),
        "feedback": documents(learningAdjustments=arrays(any_literals, most=3)),
    },
    "portfolio": {"btc_balance": gauges, "usd_balance": gauges, "last_updated": timestamps},
    "portfolio_history": {"timestamp": timestamps, "btc_price_usd": gauges, "total_value_usd": gauges},
    "trades": {
        "timestamp": timestamps,
        "trade_type": sides,
        "amount_btc": amounts,
        "price_usd": dollars,
        "fee_usd": fees,
        "total_usd": dollars,
        "executed_by": agent_names,
    },
    "market_data": {
        "timestamp": timestamps,
        "price_usd": gauges,
        "volume_24h": gauges,
        "price_change_24h": mostly(st.floats(-30, 30), unfit),
        "fear_greed_index": mostly(st.integers(0, 100), unfit),
    },
    "system_config": {"value": mostly(st.sampled_from(["running", "paused"]), odd_words)},
    "system_commands": {
        "command": st.just("pause_system"),
        "status": mostly(st.sampled_from(["pending", "processed", "failed"]), odd_words),
    },
    "system_alerts": {"level": mostly(st.sampled_from(["info", "warning", "critical", "error"]), odd_words)},
}


def row_of(name: str, columns: Mapping[str, str]) -> SearchStrategy[dict[str, Any]]:
    """One row of what the table has of the columns that matter."""
    return st.fixed_dictionaries(
        {column: values for column, values in COLUMNS[name].items() if column in columns}
    )


@st.composite
def tables(draw: st.DrawFn, name: str, columns: Mapping[str, str], most_rows: int) -> TableRows:
    most = {"portfolio": 3, "system_config": 1}.get(name, most_rows)
    rows = draw(st.lists(row_of(name, columns), max_size=most))
    return TableRows(columns, [_with_key(name, columns, row, index) for index, row in enumerate(rows)])


def _with_key(name: str, columns: Mapping[str, str], row: dict[str, Any], index: int) -> dict[str, Any]:
    if name == "agent_decisions" and "id" in columns:
        return {"id": f"dec_{1760110200000 + index * 7919 % 1000}_{index}", **row}
    if name == "system_config" and "key" in columns:
        return {"key": "system_status", **row}
    return row


@st.composite
def databases(draw: st.DrawFn, most_rows: int = 12, whole: bool = False) -> dict[str, TableRows]:
    """A file's tables; unless `whole`, tables and columns may be missing and columns may have no type."""
    layout = draw(st.sampled_from(LAYOUTS))
    names = list(layout)
    if not whole:
        names = draw(mostly(st.just(names), st.lists(st.sampled_from(names), unique=True, min_size=1)))
    columns = {name: layout[name] if whole else draw(_altered(layout[name])) for name in names}
    return {name: draw(tables(name, columns[name], most_rows)) for name in names}


def _altered(columns: Mapping[str, str]) -> SearchStrategy[Mapping[str, str]]:
    untyped = {column: type_ if "KEY" in type_ else "" for column, type_ in columns.items()}
    droppable = [column for column, type_ in columns.items() if "KEY" not in type_]
    dropped = st.sampled_from(droppable).map(
        lambda gone: {column: type_ for column, type_ in columns.items() if column != gone}
    )
    return mostly(st.just(columns), st.just(untyped) | dropped, one_in=5)


# Outcomes that become known later

PATCHES = (
    '{"success":true}',
    '{"success":false}',
    '{"success":true,"actualResult":0.75}',
    '{"success":null}',
    '{"actualResult":-12.5}',
    '{"actualResult":"missed"}',
    '{"success":"yes"}',
    '"settled"',
    "{}",
)


def random_patches(decisions: int, most: int = 8) -> SearchStrategy[list[Patch]]:
    """For the rows 1 … `decisions` of agent_decisions: in any order, some rows twice, most never."""
    if not decisions:
        return st.just([])
    return st.lists(st.builds(Patch, st.integers(1, decisions), st.sampled_from(PATCHES)), max_size=most)
