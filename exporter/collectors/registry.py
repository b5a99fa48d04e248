"""The collectors that run: one line each."""

from exporter.collectors.base import Collector
from exporter.collectors.bridge.agents import AgentsCollector
from exporter.collectors.bridge.client import BridgeClient
from exporter.collectors.bridge.communication import CommunicationCollector
from exporter.collectors.bridge.self_reports import SelfReportsCollector
from exporter.collectors.process.collector import SystemCollector
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config


def build(config: Config) -> list[Collector]:
    """The collectors that the configuration names. To add one: its package, its test, one line here."""
    collectors: list[Collector] = []
    if config.database.path is not None:
        collectors.append(DatabaseCollector(config.database.path, config))
    bridge = BridgeClient(config.bridge, config.database.path) if config.bridge.is_configured else None
    if bridge is not None:
        collectors.append(AgentsCollector(bridge, config))
        collectors.append(CommunicationCollector(bridge, config))
        collectors.append(SelfReportsCollector(bridge, config))
    if bridge is not None or config.bot.pid_file is not None or config.bot.command_pattern is not None:
        collectors.append(SystemCollector(bridge, config))
    return collectors
