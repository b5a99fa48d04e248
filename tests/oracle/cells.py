"""Values of every column that is read, good and odd ones, as `chance` would have it.

From the same pools as the strategies of `rows`, but made by a `random.Random`, which costs little and which hypothesis
can be behind as well.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from . import rows

Cell = Callable[[Random], Any]

MARKED = ('"low"', '"medium"', '"high"', '"HIGH"', '"extreme"')
NESTED = tuple("[" * depth + "]" * depth for depth in (2, 500, 1200, 3000, 20_000))
WORDS = (None, "", "Error", "completed", rows.CONTROL, b"?", 7, 0.5, "inva\x00lid")
NOT_UTF8 = ("CAST(X'ff41' AS TEXT)", "CAST(X'7b2261223a22c32822 7d' AS TEXT)")
START = datetime(2025, 9, 1, tzinfo=UTC)
HOURS = 24 * 50
"""Moments are in as many hours from the start."""


def of(*pool: Any) -> Cell:
    return lambda chance: chance.choice(pool)


def mostly(good: Cell, odd: Cell, one_in: int = 6) -> Cell:
    return lambda chance: odd(chance) if chance.randrange(one_in) == one_in - 1 else good(chance)


def moment(chance: Random) -> Any:
    """In any form of the contract's; few enough for ties."""
    at = START + timedelta(hours=chance.randrange(HOURS), seconds=chance.choice((0, 0, 1, 59)))
    form = chance.randrange(9)
    if form < 4:
        return at.strftime("%Y-%m-%d %H:%M:%S")
    if form < 6:
        return at.strftime("%Y-%m-%dT%H:%M:%S") + chance.choice((".000Z", ".5Z", "Z", ".1239"))
    if form == 6:
        return at.strftime("%Y-%m-%d %H:%M:%S") + chance.choice(("+00:00", " +02:00", "-05:30", "+0130"))
    seconds = int(at.timestamp())
    return chance.choice((seconds, float(seconds), seconds * 1000 + 7, str(seconds), f"{seconds * 1000}.0"))


FUTURE = ("2062-01-01 00:00:00", 4102444800000, "9999-12-31 23:59:59", "2025-10-20T00:00:00.000Z")
timestamps = mostly(moment, of(*rows.NO_MOMENTS, *FUTURE))
numbers = of(*rows.NUMBERS)
literals = of(*rows.NUMBERS, *rows.ODD)
ratios = mostly(numbers, of(*rows.ODD))
agents = mostly(
    of(*rows.AGENTS), of(*(name for name in rows.ODD_NAMES if name != rows.LONG), 12, 1.5), one_in=5
)
kinds = mostly(
    of("trading_decision", "autonomous_cycle", "AGENT_ADAPTATION"),
    of(None, "", "other", " spaced ", "x" * 129, rows.CONTROL, b"blob", 3),
    one_in=5,
)
dollars = mostly(of(0, 9, 10, 123.45, 0.1, 1e6, 2500, 99999999.99, 1 / 3), of(*rows.UNFIT), one_in=10)
amounts = mostly(of(0, 1, 0.001, 0.1, 0.12345678, 1e-9, 2.5, 3, 0.3), of(*rows.UNFIT), one_in=10)
gauges = mostly(of(0, 1.5, -3, 95000, 31000.25, 1e12, 10000, 10500, 8000), of(*rows.UNFIT), one_in=10)
durations = mostly(of(0, 50, 100.0005, 0.0005, 60_000, 2800, 7, 49.9995), of(*rows.UNFIT))
successes = mostly(of(1, 0, None), of(2, -1, 0.5, "true", "1", b"1", rows.INFINITE, 2**63 - 1))
results = mostly(of("0", "1.5", "-2", "1e3", "123456.789"), of(*rows.ODD), one_in=3)
truths = mostly(of("true", "false", "null"), of(*rows.ODD))


def array(entry: Cell, most: int) -> Cell:
    def made(chance: Random) -> str:
        return "[" + ",".join(entry(chance) for _ in range(chance.randrange(most + 1))) + "]"

    return mostly(made, of(*rows.ODD, *NESTED), one_in=8)


def document(**members: Cell) -> Cell:
    """An object in which members may be missing, be there twice, or be beside others; sometimes something else."""

    def made(chance: Random) -> str:
        some = [f'"{name}":{literal(chance)}' for name, literal in members.items() if chance.randrange(8)]
        if not chance.randrange(12):
            some.append(f'"{chance.choice([*members])}" : {literals(chance)}')
        if not chance.randrange(8):
            some.append(f'"note é\u0300":{chance.choice((*rows.ODD, *NESTED))}')
        return "{" + ",".join(some) + "}"

    return mostly(made, of(*rows.BROKEN, *NESTED, 5, 0.5, rows.INFINITE), one_in=10)


def message(chance: Random) -> str:
    name = agents(chance)
    if not isinstance(name, str) or not chance.randrange(6):
        return str(chance.choice((*rows.ODD, '{"type":"no target"}', '{"target":"lone \\udc00 surrogate"}')))
    return f'{{"target":{json.dumps(name)},"type":"adaptation_request"}}'


def market(chance: Random) -> str:
    return str(
        mostly(
            lambda _: f'{{"marketData":{{"price_usd":{literals(chance)}}}}}', of('{"marketData":5}', "[]")
        )(chance)
    )


CELLS: dict[str, dict[str, Cell]] = {
    "agent_executions": {
        "timestamp": timestamps,
        "agent_name": agents,
        "execution_type": kinds,
        "output_data": document(
            confidence=ratios, signalsGenerated=mostly(of("0", "3", "20", "2.0"), literals)
        ),
        "success": successes,
        "execution_time_ms": durations,
        "error_message": of(None, None, "", "timeout", b"?"),
    },
    "agent_decisions": {
        "timestamp": timestamps,
        "agent": agents,
        "type": kinds,
        "context": document(inputs=market),
        "reasoning": document(
            confidence=ratios, riskAssessment=mostly(of(*MARKED), literals), alternatives=array(literals, 9)
        ),
        "outcome": document(success=truths, actualResult=results),
        "agent_state": document(autonomyLevel=ratios, performanceScore=ratios, learningRate=ratios),
        "system": document(interAgentCommunication=array(message, 3)),
        "feedback": document(learningAdjustments=array(literals, 3)),
    },
    "portfolio": {"btc_balance": gauges, "usd_balance": gauges, "last_updated": timestamps},
    "portfolio_history": {"timestamp": timestamps, "btc_price_usd": gauges, "total_value_usd": gauges},
    "trades": {
        "timestamp": timestamps,
        "trade_type": mostly(of("BUY", "SELL", "buy", "Sell"), of(None, "", "HOLD", "BUY ", b"BUY", 1)),
        "amount_btc": amounts,
        "price_usd": dollars,
        "fee_usd": mostly(of(0, 0.64, 1.5, None), of(*rows.UNFIT)),
        "total_usd": dollars,
        "executed_by": agents,
    },
    "market_data": {
        "timestamp": timestamps,
        "price_usd": gauges,
        "volume_24h": gauges,
        "price_change_24h": mostly(of(0, 1.25, -30), of(*rows.UNFIT)),
        "fear_greed_index": mostly(of(0, 50, 100), of(*rows.UNFIT)),
    },
    "system_config": {"value": mostly(of("running", "paused"), of(*WORDS))},
    "system_commands": {
        "command": of("pause_system"),
        "status": mostly(of("pending", "processed", "failed"), of(*WORDS)),
    },
    "system_alerts": {
        "timestamp": timestamps,
        "alert_type": of("a", "b"),
        "level": mostly(of("info", "Warning", "critical", "error"), of(*WORDS)),
    },
}
