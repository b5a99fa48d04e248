"""The exporter in a process of its own, which does what the bench tells it and says what that cost.

Costs are CPU seconds of the whole process. All of the exporter's code is loaded, as when it serves, so that
its memory is what a user would see; only HTTP itself is left out.
"""

import asyncio
import logging
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import structlog
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

import exporter.cli.main  # noqa: F401 - for its memory
from exporter.collectors.scrape import Scraper
from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config
from exporter.metrics.exposition import OPENMETRICS, TEXT, Format, encode
from exporter.runtime.signals import SWITCH_SECONDS

FORMATS = {"text": TEXT, "openmetrics": OPENMETRICS}


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What the first catch-up took; `resident` is in bytes, after it and a first page."""

    cpu: float
    wall: float
    resident: int
    samples: int


class Subject:
    """The process, from the bench's side."""

    def __init__(self, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(other_end, path), daemon=True)
        self._process.start()
        other_end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._pipe.close()
        self._process.join()

    def catch_up(self) -> CatchUp:
        """Reads the whole file."""
        return CatchUp(*self._ask("catch_up"))

    def scrape(self, form: str, times: int = 1) -> float:
        """The mean cost of a page."""
        return float(self._ask("scrape", form, times))

    def encode(self, form: str, times: int) -> float:
        """The mean cost of encoding the newest page's families again with prometheus-client alone."""
        return float(self._ask("encode", form, times))

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        return self._pipe.recv()


class _Exporter:
    def __init__(self, path: Path) -> None:
        self._source = DatabaseCollector(path, Config())
        self._scraper = Scraper([self._source])
        self._metrics: list[Metric] = []

    async def catch_up(self) -> tuple[float, float, int, int]:
        cpu, wall = time.process_time(), time.monotonic()
        await self._scraper.start()
        while self._source.readiness():
            await asyncio.sleep(0.02)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        await self._page(TEXT)
        resident = psutil.Process().memory_info().rss
        return cpu, wall, resident, sum(len(metric.samples) for metric in self._metrics)

    async def scrape(self, form: str, times: int) -> float:
        began = time.process_time()
        for _ in range(times):
            await self._page(FORMATS[form])
        return (time.process_time() - began) / times

    async def encode(self, form: str, times: int) -> float:
        write, families = FORMATS[form].write, _Families(self._metrics)
        began = time.process_time()
        for _ in range(times):
            write(families)
        return (time.process_time() - began) / times

    async def _page(self, form: Format) -> bytes:
        self._metrics = await self._scraper.scrape()
        return await asyncio.to_thread(encode, self._metrics, form)

    async def close(self) -> None:
        await self._scraper.close()


class _Families(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _serve(pipe: Connection, path: Path) -> None:
    """Answers until the bench hangs up."""
    sys.setswitchinterval(SWITCH_SECONDS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(_answer(pipe, _Exporter(path)))


async def _answer(pipe: Connection, subject: _Exporter) -> None:
    actions: dict[str, Callable[..., Awaitable[Any]]] = {
        "catch_up": subject.catch_up,
        "scrape": subject.scrape,
        "encode": subject.encode,
    }
    with suppress(EOFError):
        while True:
            what, *arguments = await asyncio.to_thread(pipe.recv)
            pipe.send(await actions[what](*arguments))
    await subject.close()
