"""Measurements of the demo's own process, in place of those that the bridge takes from Node.js."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import psutil

LAG_INTERVAL_SECONDS = 0.02
MINUTE_SECONDS = 60.0
BYTES_PER_BLOCK = 72
"""A rough mean over CPython's allocated blocks."""
NODE = "v20.0.0-demo"
"""The document requires a version, and there is no Node.js here."""


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class EventLoopLag:
    """How late the event loop resumes a sleeping task, over the last full minute."""

    last_minute: dict[str, object] | None = None
    _lags: list[float] = field(default_factory=list)

    async def measure(self) -> None:
        while True:
            end = time.monotonic() + MINUTE_SECONDS
            while time.monotonic() < end:
                start = time.monotonic()
                await asyncio.sleep(LAG_INTERVAL_SECONDS)
                self.record(time.monotonic() - start - LAG_INTERVAL_SECONDS)
            self.close_minute(time.time())

    def record(self, seconds: float) -> None:
        self._lags.append(max(0.0, seconds))

    def close_minute(self, now: float) -> None:
        ordered, self._lags = sorted(self._lags), []
        if ordered:
            figures = {"p50": quantile(ordered, 0.5), "p99": quantile(ordered, 0.99), "max": ordered[-1]}
            self.last_minute = {**figures, "time": now}


@cache
def start_time() -> float:
    """Cached: psutil derives it from the boot time, which moves when the clock is set."""
    return psutil.Process().create_time()


def process_document(lag: EventLoopLag) -> dict[str, object]:
    process = psutil.Process()
    with process.oneshot():
        cpu, memory = process.cpu_times(), process.memory_info()
        document: dict[str, object] = {
            "pid": process.pid,
            "startTime": start_time(),
            "cpu": {"user": cpu.user, "system": cpu.system},
            "memory": _memory(memory.rss, getattr(memory, "shared", 0)),
            "threads": process.num_threads(),
            "node": NODE,
            "platform": sys.platform,
        }
        if hasattr(process, "num_fds"):
            document["openFds"] = process.num_fds()
    if lag.last_minute is not None:
        document["eventLoopLag"] = lag.last_minute
    return document


def _memory(rss: int, shared: int) -> dict[str, int]:
    """Heap size is resident memory that is not shared; heap used is an estimate from CPython's allocated blocks."""
    heap = max(1, rss - shared)
    return {"rss": rss, "heapTotal": heap, "heapUsed": min(heap, sys.getallocatedblocks() * BYTES_PER_BLOCK)}
