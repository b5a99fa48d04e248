"""Says every few seconds how far the first catch-up is, which takes minutes for a long history."""

import time
from collections.abc import Callable

import structlog

SECONDS = 10.0

log = structlog.get_logger()


class CatchUpProgress:
    """`note` it after each step of the catch-up; what there was to read at its first is 100 percent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows = 0
        self._began = self._logged = clock()

    def note(self, unread: int) -> None:
        """`unread` is the number of rows that are left."""
        now = self._clock()
        if unread == 0 or unread > self._rows:
            self._rows, self._began, self._logged = unread, now, now
        if now - self._logged < SECONDS:
            return
        self._logged = now
        read = self._rows - unread
        left = {"seconds_left": round((now - self._began) * unread / read)} if read else {}
        log.info("reading the history", percent=round(100 * read / self._rows, 1), rows_left=unread, **left)
