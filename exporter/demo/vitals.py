"""The demo's own process, measured: the numbers that the bridge would take from Node.js."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import psutil

LAG_EVERY_SECONDS = 0.02
MINUTE_SECONDS = 60.0
BYTES_OF_A_BLOCK = 72
"""A rough mean over CPython's allocated blocks."""
NODE = "v20.0.0-demo"
"""There is no Node.js here; the document must name a version."""


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class LoopLag:
    """How late the event loop wakes a sleeper; shown are the last full minute's figures."""

    last_minute: dict[str, object] | None = None
    _lags: list[float] = field(default_factory=list)

    async def measure(self) -> None:
        while True:
            end = time.monotonic() + MINUTE_SECONDS
            while time.monotonic() < end:
                asked = time.monotonic()
                await asyncio.sleep(LAG_EVERY_SECONDS)
                self.record(time.monotonic() - asked - LAG_EVERY_SECONDS)
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
    """Asked once: by what the system says of its own start it moves when the clock is set."""
    return psutil.Process().create_time()


def process_document(lag: LoopLag) -> dict[str, object]:
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
    """The heap is what is resident and not shared; of that, what CPython's allocated blocks take, roughly."""
    heap = max(1, rss - shared)
    return {"rss": rss, "heapTotal": heap, "heapUsed": min(heap, sys.getallocatedblocks() * BYTES_OF_A_BLOCK)}
