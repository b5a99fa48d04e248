"""Log lines about what anybody can cause as often as they like."""

import time
from collections.abc import Callable
from typing import Any

SECONDS = 60.0


class LogLimiter:
    """Logs a warning at most once a minute; the next one says how many were left out."""

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._next = clock()
        self._left_out = 0

    def warning(self, event: str, **details: object) -> None:
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        more = {"left_out": self._left_out} if self._left_out else {}
        self._log.warning(event, **details, **more)
        self._next, self._left_out = now + SECONDS, 0
