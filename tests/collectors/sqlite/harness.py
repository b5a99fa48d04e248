"""Following a file as the exporter does, and what its page says of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from oracle.expected import expected
from oracle.page import parse
from oracle.table import Key
from prometheus_client.core import Metric

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config, load
from exporter.metrics.exposition import OPENMETRICS, TEXT, encode

NOW = 1760531400.0
"""2025-10-15 12:30:00 UTC, a Wednesday: some of the moments that `oracle.rows` makes are of this week."""

PATIENCE = 60.0
"""Seconds for anything that should take a second or two, on a busy machine."""
LOOKS = 6000
"""How often `until` looks before it gives up. A count, not a time: on a machine that leaves the tests one percent of
itself, what is waited for gets as little of it as the looks do."""
INTERVAL = 0.01
"""Seconds between two of them."""

OF_THE_READING = ("tweetbot_database_read_duration_seconds",)
"""How long reads took is of the machine and the ranges, not of the file."""


def configured(**settings: Any) -> Config:
    """The defaults, but for `settings`: window, agents, label_pairs, aliases."""
    places = {
        "window": "database.window",
        "agents": "limits.agents",
        "label_pairs": "limits.label_pairs",
        "aliases": "agents.aliases",
    }
    return load(None, {places[name]: value for name, value in settings.items()})


def expected_of(path: Path, config: Config, now: float = NOW) -> Mapping[Key, float]:
    """What the oracle says of the file."""
    return expected(
        str(path),
        window=config.database.window,
        aliases=config.agents.aliases,
        now=now,
        max_agents=config.limits.agents,
        max_pairs=config.limits.label_pairs,
    )


class Followed:
    """A source that follows a file, and the page made of it."""

    def __init__(self, source: DatabaseCollector) -> None:
        self.source = source

    async def collect(self, seconds: float = PATIENCE) -> list[Metric]:
        return [*await self.source.collect(seconds), *self.source.self_metrics()]

    async def page(self) -> bytes:
        """In both formats, without what tells of the reading."""
        metrics = [metric for metric in await self.collect() if metric.name not in OF_THE_READING]
        return encode(metrics, TEXT) + encode(metrics, OPENMETRICS)

    async def samples(self) -> dict[Key, float]:
        return parse(encode(await self.collect(), TEXT).decode())

    async def value(self, name: str, **labels: str) -> float | None:
        return (await self.samples()).get((f"tweetbot_{name}", tuple(sorted(labels.items()))))

    def self_metrics(self, name: str, **labels: str) -> float | None:
        """Of the families that are there also when `collect` fails."""
        found = parse(encode(self.source.self_metrics(), TEXT).decode())
        return found.get((f"tweetbot_{name}", tuple(sorted(labels.items()))))

    async def caught_up(self) -> "Followed":
        """Waits until everything has been read. A read that a busy machine makes too slow is no failure: the exporter
        tries again."""

        def done() -> bool:
            left = self.source.readiness()
            assert not any(what.startswith("fault in the exporter") for what in left), left
            return not left

        await until(done, "caught up", lambda: str(self.source.readiness()))
        return self

    async def fails(self) -> str:
        """Why `collect` fails."""
        try:
            await self.source.collect(0.5)
        except CollectorError as error:
            return str(error)
        raise AssertionError("collect succeeded")

    async def recovered(self) -> "Followed":
        """Waits until `collect` succeeds and everything has been read."""

        async def well() -> bool:
            try:
                await self.source.collect(1.0)
            except CollectorError:
                return False
            return not self.source.readiness()

        await until(well, "recovered", lambda: str(self.source.readiness()))
        return self

    async def executions(self) -> dict[str, float]:
        """Rows counted, by agent."""
        return {
            dict(labels)["agent"]: value
            for (name, labels), value in (await self.samples()).items()
            if name == "tweetbot_executions_total"
        }

    @property
    def replacements(self) -> float | None:
        return self.self_metrics("database_replacements_total")


@asynccontextmanager
async def following(path: Path, config: Config | None = None, now: float = NOW) -> AsyncIterator[Followed]:
    source = DatabaseCollector(path, config or Config(), lambda: now)
    await source.start()
    try:
        yield Followed(source)
    finally:
        await source.close()


async def fresh_page(path: Path, config: Config | None = None) -> bytes:
    """The page of an exporter that was started on the file as it is."""
    async with following(path, config) as followed:
        return await (await followed.caught_up()).page()


async def fresh_samples(path: Path, config: Config | None = None, now: float = NOW) -> dict[Key, float]:
    async with following(path, config, now) as followed:
        return await (await followed.caught_up()).samples()


async def until(
    condition: Callable[[], bool | Awaitable[bool]], what: str, state: Callable[[], str] = lambda: ""
) -> None:
    """Waits for what the exporter does by itself."""
    for _ in range(LOOKS):
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(INTERVAL)
    raise AssertionError(f"not {what} after {LOOKS} looks: {state()}")


def differing_lines(page: bytes, other: bytes) -> list[str]:
    """What an assertion can show of two pages that are to be equal."""
    here, there = page.decode().splitlines(), other.decode().splitlines()
    return [f"- {line}" for line in here if line not in there] + [
        f"+ {line}" for line in there if line not in here
    ]
