"""How much is let in: so much at once, and so much a second in the long run."""

import time
from collections.abc import Callable


class RateLimiter:
    """A token bucket that may be overdrawn: while a token is left the next one is let in, whatever it then costs."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._tokens, self._at = burst, clock()

    def wait(self) -> float:
        """Seconds until the next one is let in; 0 is now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, (1 - self._tokens) / self._per_second)

    def charge(self, cost: float) -> None:
        """What was let in has cost so much."""
        self._tokens -= cost
