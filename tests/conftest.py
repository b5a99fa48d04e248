"""What several tests share."""

from collections.abc import Awaitable, Callable

import pytest
from prometheus_client.core import Metric

from exporter import catalogue
from exporter.samples import Samples
from exporter.sources import Finding

Collect = Callable[[float], Awaitable[list[Metric]]]


class FakeSource:
    """A source whose `collect` is given; it notes what is asked of it."""

    def __init__(self, name: str = "database", collect: Collect | None = None) -> None:
        self.name = name
        self.given = collect
        self.timeouts: list[float] = []
        self.waiting_for: list[str] = []
        self.calls: list[str] = []
        self.findings = [Finding("trades", "ok", "3 rows")]

    async def start(self) -> None:
        self.calls.append("start")

    async def collect(self, timeout: float) -> list[Metric]:
        self.timeouts.append(timeout)
        if self.given:
            return await self.given(timeout)
        samples = Samples()
        samples.add(catalogue.EXECUTIONS, len(self.timeouts), self.name, "scan")
        return samples.metrics()

    def about(self) -> list[Metric]:
        samples = Samples()
        samples.add(catalogue.LABEL_OVERFLOW, 0, self.name)
        return samples.metrics()

    def pending(self) -> list[str]:
        return self.waiting_for

    async def inspect(self) -> list[Finding]:
        return self.findings

    async def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def fake_source() -> type[FakeSource]:
    return FakeSource
