"""What a collector is. registry.py makes the list of those that run, from the configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from prometheus_client.core import Metric


class CollectorError(Exception):
    """A collector could not deliver. The message names the thing and what to do about it, and is shown as it is."""


class IncompleteError(CollectorError):
    """A collector could not deliver all of its families; `metrics` are those that it could."""

    def __init__(self, message: str, metrics: Sequence[Metric]) -> None:
        super().__init__(message)
        self.metrics = metrics


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of what `check` shows of a collector."""

    subject: str
    state: Literal["ok", "missing", "error"]
    detail: str
    agents: tuple[str, ...] = ()
    """Labels of the agents that were found there."""


class Collector(Protocol):
    """Delivers all of its families or raises CollectorError, or IncompleteError with those that there are."""

    name: str

    async def start(self) -> None:
        """Begin work that goes on between scrapes. Must not raise because the target is away."""

    async def collect(self, timeout: float) -> list[Metric]:
        """The families, within `timeout` seconds, else CollectorError."""

    def self_metrics(self) -> list[Metric]:
        """Families about the collector's own work; exported also when `collect` fails. Does no I/O."""

    def readiness(self) -> list[str]:
        """What is still to be done before the collector is ready; empty when it is. Does no I/O."""

    async def diagnose(self) -> list[Diagnosis]:
        """What it finds at its target, for `check`."""

    async def close(self) -> None:
        """Release everything. Called once, also when `start` was not."""
