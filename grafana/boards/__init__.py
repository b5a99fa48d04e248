"""The dashboards, one file each."""

from grafana.boards import agent, communication, decisions, fleet, optimizer, overview, runtime, trading
from grafana.kit.board import Board


def dashboards() -> list[Board]:
    """All of them, in the order in which one reads them."""
    modules = (fleet, overview, agent, decisions, trading, communication, optimizer, runtime)
    return [module.board() for module in modules]
