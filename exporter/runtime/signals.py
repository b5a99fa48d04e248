"""Runs asynchronous work as the whole process: a signal cancels it, and the process ends in bounded time, with 0."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog

from exporter.runtime.file_limit import raise_file_limit

log = structlog.get_logger(__name__)

# A thread that waits for the interpreter lock between two steps of SQLite holds its lock on the bot's file
# meanwhile, and the bot does not wait long: no thread may keep the interpreter for the usual 5 ms.
SWITCH_SECONDS = 0.001
# From the signal to the end, whatever is stuck.
END_SECONDS = 0.9


def run(work: Coroutine[Any, Any, None]) -> int:
    """Does `work` until it ends or SIGTERM or SIGINT cancels it; it cleans up in its `finally` blocks."""
    sys.setswitchinterval(SWITCH_SECONDS)
    raise_file_limit()
    watchdog = _Watchdog()
    code = 1
    try:
        code = asyncio.run(_until_signal(work, watchdog))
        return code
    finally:
        watchdog.work_ended(code)


async def _until_signal(work: Coroutine[Any, Any, None], watchdog: "_Watchdog") -> int:
    task = asyncio.ensure_future(work)

    def stop(name: str) -> None:
        log.info("stopping", signal=name)
        watchdog.begin(0)
        task.cancel()

    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop, each.name)
    with suppress(asyncio.CancelledError):
        await task
    log.info("stopped")
    return 0


class _Watchdog:
    """Ends the process where something would keep it: Python waits for every thread, also for a stuck one."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._timer: threading.Timer | None = None

    def begin(self, code: int) -> None:
        """From now on the process has END_SECONDS to end."""
        if self._timer is None:
            self._timer = threading.Timer(END_SECONDS, self._end, [code])
            self._timer.daemon = True
            self._timer.start()

    def work_ended(self, code: int) -> None:
        """The work has ended: only a thread that it left could keep the process now."""
        if self._left():
            self.begin(code)
        elif self._timer is not None:
            self._timer.cancel()

    def _left(self) -> list[str]:
        return [each.name for each in threading.enumerate() if each not in self._threads and not each.daemon]

    def _end(self, code: int) -> None:
        log.warning("did not end by itself", threads=", ".join(self._left()) or "none")
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)
