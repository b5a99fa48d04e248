"""What a change can make better or worse, and how that is read from Prometheus: one object each."""

from exporter.optimizer.measures.base import Measure
from exporter.optimizer.measures.bot import DRAWDOWN, OVERALL_SCORE, PROFIT
from exporter.optimizer.measures.communication import COORDINATION
from exporter.optimizer.measures.executions import ERROR_RATE, RESPONSE_TIME, SUCCESS_RATE

__all__ = [
    "COORDINATION",
    "DRAWDOWN",
    "ERROR_RATE",
    "GUARDRAILS",
    "OVERALL_SCORE",
    "PROFIT",
    "RESPONSE_TIME",
    "SUCCESS_RATE",
    "Measure",
]

GUARDRAILS: tuple[Measure, ...] = (
    SUCCESS_RATE,
    ERROR_RATE,
    RESPONSE_TIME,
    COORDINATION,
    OVERALL_SCORE,
    PROFIT,
    DRAWDOWN,
)
"""No change may make any of these worse by more than its margin (optimizer.guardrails): the most costly comes first."""
