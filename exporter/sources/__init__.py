"""What a source is. The list of those that run is made in `build`, from the configuration."""

from dataclasses import dataclass
from typing import Literal, Protocol

from prometheus_client.core import Metric

from exporter.config import Config


class SourceError(Exception):
    """A source could not deliver. Its message names the thing and the mend, and is shown as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `check` and the landing page show of a source."""

    subject: str
    state: Literal["ok", "missing", "error"]
    detail: str


class Source(Protocol):
    """A collector: delivers all of its families or raises SourceError."""

    name: str

    async def start(self) -> None:
        """Begin work that goes on between scrapes. Must not raise because the target is away."""

    async def collect(self, timeout: float) -> list[Metric]:
        """The source's families, within `timeout` seconds, else SourceError."""

    def about(self) -> list[Metric]:
        """Families about the source's own work; exported also when `collect` fails. Does no I/O."""

    def pending(self) -> list[str]:
        """What is still to be done before the source is ready; empty when it is. Does no I/O."""

    async def inspect(self) -> list[Finding]:
        """What the source finds at its target, for `check`."""

    async def close(self) -> None:
        """Release everything. Called once, also when `start` was not."""


def build(config: Config) -> list[Source]:
    """The sources that the configuration names. To add one: its package, its test, one line here."""
    from exporter.sources.agents import AgentsSource
    from exporter.sources.bridge import Bridge
    from exporter.sources.communication import CommunicationSource
    from exporter.sources.database import DatabaseSource
    from exporter.sources.self_reports import SelfReportsSource
    from exporter.sources.system import SystemSource

    sources: list[Source] = []
    if config.database.path is not None:
        sources.append(DatabaseSource(config.database.path, config))
    bridge = Bridge(config.bridge) if config.bridge.url is not None else None
    if bridge is not None:
        sources += [AgentsSource(bridge, config), CommunicationSource(bridge, config)]
        sources.append(SelfReportsSource(bridge, config))
    if bridge is not None or config.bot.pid_file is not None or config.bot.command_pattern is not None:
        sources.append(SystemSource(bridge, config))
    return sources
