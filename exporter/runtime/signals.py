"""Runs asynchronous work as the whole process: a signal cancels it, and the process ends in bounded time, with 0."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog

from exporter.runtime import logging
from exporter.runtime.limits import raise_file_limit, share_one_heap, warn_of_little_memory

log = structlog.get_logger(__name__)

# A thread that waits for the interpreter lock between two steps of SQLite holds its lock on the bot's file
# meanwhile, and the bot does not wait long: no thread may keep the interpreter for the usual 5 ms.
SWITCH_SECONDS = 0.001
# From the signal to the end, whatever is stuck.
END_SECONDS = 0.8
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(work: Coroutine[Any, Any, None], hang_up: Callable[[], None] | None = None) -> int:
    """Does `work` until it ends or SIGTERM or SIGINT cancels it; it cleans up in its `finally` blocks.

    `hang_up` is called at SIGHUP, in a thread of its own.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    raise_file_limit()
    share_one_heap()
    warn_of_little_memory()
    watchdog = _Watchdog()
    code = 1
    try:
        code = asyncio.run(_until_signal(work, watchdog, hang_up))
        return code
    finally:
        watchdog.work_ended(code)


async def _until_signal(
    work: Coroutine[Any, Any, None], watchdog: "_Watchdog", hang_up: Callable[[], None] | None
) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def stop(name: str) -> None:
        log.info("stopping", signal=name)
        # The loop is gone where its work ended just now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)
        watchdog.begin(0)

    with _signals_to(stop, hang_up), suppress(asyncio.CancelledError):
        await task
    log.info("stopped")
    return 0


@contextmanager
def _signals_to(stop: Callable[[str], None], hang_up: Callable[[], None] | None) -> Iterator[None]:
    """Calls `stop` with a signal's name, in a thread of its own: the loop may be stuck."""
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    # Python writes each signal's number there at once, whatever its main thread does.
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    for each in (*SIGNALS, signal.SIGHUP) if hang_up else SIGNALS:
        signal.signal(each, lambda *_: None)
    thread = threading.Thread(target=_watch, args=(receiver, stop, hang_up), name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sender.close()
        thread.join()
        receiver.close()


def _watch(receiver: socket.socket, stop: Callable[[str], None], hang_up: Callable[[], None] | None) -> None:
    while number := receiver.recv(1):
        if number[0] == signal.SIGHUP and hang_up is not None:
            hang_up()
        if number[0] in SIGNALS:
            stop(signal.Signals(number[0]).name)


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
            # For want of memory there may be no thread.
            with suppress(RuntimeError):
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
        logging.flush()
        os._exit(code)
