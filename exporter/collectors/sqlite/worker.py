"""A thread for calls that may hang, as any call on a file may when its disk is away."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """Runs calls one after the other in a thread, which is made when it is needed and is no reason to stay alive."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] | None = None

    async def run(self, call: Callable[[], T], seconds: float) -> T:
        """What the call returns or raises; TimeoutError if it has not after `seconds`. It is not stopped then."""
        if self._calls is None:
            self._calls = SimpleQueue()
            threading.Thread(target=_work, args=(self._calls,), name=self._name, daemon=True).start()
        future: Future[T] = Future()
        self._calls.put((future, call))
        # Not wait_for, which in Python 3.11 may lose a cancellation that comes with the result.
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)

    def end(self) -> None:
        """Ends the thread after the calls it has been given. The next call gets another one."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _work(calls: "SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]") -> None:
    while (given := calls.get()) is not None:
        future, call = given
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - belongs to whoever waits for the result
            future.set_exception(error)
        del given, future, call
