"""The bottlenecks, one object and one file each: the rules, the alerts and the optimizer all read them."""

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.bottlenecks.coordination_efficiency import COORDINATION_EFFICIENCY
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE

BOTTLENECKS: tuple[Bottleneck, ...] = (
    AGENT_RESPONSE_TIME,
    AGENT_SUCCESS_RATE,
    COORDINATION_EFFICIENCY,
    SYSTEM_PERFORMANCE,
)
"""All of them. A new one is its file, its import and its line here; failing tests say what else it needs."""


def find(name: str) -> Bottleneck | None:
    """The bottleneck with this name."""
    return next((each for each in BOTTLENECKS if each.name == name), None)
