"""How much may come in: so much at once, and so much a second in the long run."""

import time
from collections.abc import Callable


class Budget:
    """Whoever comes while something is left may come in, whatever it then costs; what is overdrawn is waited for."""

    def __init__(
        self, at_once: float, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once, self._per_second, self._clock = at_once, per_second, clock
        self._left, self._at = at_once, clock()

    def wait(self) -> float:
        """Seconds until somebody may come in; 0 is now."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, (1 - self._left) / self._per_second)

    def charge(self, cost: float) -> None:
        """What came in has cost so much."""
        self._left -= cost
