"""What is measured of the bot as a whole: levels, which go up and down by themselves."""

from exporter.optimizer.measures.base import Bounds, Estimate, Measure, Parts
from exporter.optimizer.measures.queries import REBASED, counted, rebased
from exporter.optimizer.measures.statistics import level

_WORSE = Bounds(early=3.2, last=2.6)
_SCORE = "bot:overall_score:avg"
_EXECUTIONS = "tweetbot_executions_total"
_GAINS = "tweetbot_trade_gains_usd_total"
_LOSSES = "tweetbot_trade_losses_usd_total"
_SELLS = ("tweetbot_trades_profitable_total", "tweetbot_trades_unprofitable_total")
_VALUE = "tweetbot_portfolio_value_usd"
_PEAK = "tweetbot_portfolio_peak_value_usd"

_PROFIT_OF_A_PERIOD = (
    f"(sum by (bot) (increase({_GAINS}{{period}})) - sum by (bot) (increase({_LOSSES}{{period}})))"
    f" / avg by (bot) (avg_over_time({_VALUE}{{period}}))"
)


def _score(parts: Parts) -> Estimate:
    samples = parts.get("executions", 0.0)
    return level(parts.get("score"), parts.get("spread"), parts["periods"], samples, "executions")


def _profit(parts: Parts) -> Estimate:
    gains, losses, value = (parts.get(name) for name in ("gains", "losses", "value"))
    profit = None
    if gains is not None and losses is not None and value:
        profit = (gains - losses) / value / parts["periods"]
    return level(profit, parts.get("spread"), parts["periods"], parts.get("sells", 0.0), "sells")


def _drawdown(parts: Parts) -> Estimate:
    value, peak, spread = parts.get("value"), parts.get("peak"), parts.get("spread")
    known = value is not None and peak is not None and peak > 0
    drawdown = max(0.0, 1 - value / peak) if known and value is not None and peak else None
    error = spread / peak if spread is not None and peak else None
    return level(drawdown, error, parts["periods"], parts.get("scrapes", 0.0), "readings")


OVERALL_SCORE = Measure(
    name="overall_score",
    scope="bot",
    direction="higher_is_better",
    unit="score",
    kind="level",
    relative=False,
    parts={
        REBASED: rebased(_EXECUTIONS),
        "score": f"avg by (bot) (avg_over_time({_SCORE}{{}}))",
        "spread": f"avg by (bot) (stddev_over_time({_SCORE}{{day}}))",
        "executions": counted(_EXECUTIONS, "bot"),
    },
    mean=_score,
    no_value="no overall score was recorded",
    text="overall score",
    events="executions",
    worse=_WORSE,
)
PROFIT = Measure(
    name="profit",
    scope="bot",
    direction="higher_is_better",
    unit="ratio",
    kind="level",
    relative=False,
    parts={
        REBASED: rebased(_GAINS, _LOSSES),
        "gains": counted(_GAINS, "bot"),
        "losses": counted(_LOSSES, "bot"),
        "sells": " + ".join(counted(each, "bot") for each in _SELLS),
        "value": f"avg by (bot) (avg_over_time({_VALUE}{{}}))",
        "spread": f"stddev_over_time(({_PROFIT_OF_A_PERIOD})[day])",
    },
    mean=_profit,
    no_value="no realised gains and losses were counted",
    text="realised profit",
    events="sells",
    worse=_WORSE,
)
DRAWDOWN = Measure(
    name="drawdown",
    scope="bot",
    direction="lower_is_better",
    unit="ratio",
    kind="level",
    relative=False,
    parts={
        "value": f"avg by (bot) (avg_over_time({_VALUE}{{}}))",
        "peak": f"max by (bot) (max_over_time({_PEAK}{{}}))",
        "spread": f"avg by (bot) (stddev_over_time({_VALUE}{{day}}))",
        "scrapes": f"max by (bot) (count_over_time({_VALUE}{{}}))",
    },
    mean=_drawdown,
    no_value="the portfolio's value or its peak is not known",
    text="drawdown",
    events="readings",
    worse=_WORSE,
)
