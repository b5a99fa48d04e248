"""The time that durations are counted in."""

import time
from collections.abc import Callable

TOLERATED_SECONDS = 60.0


def _boot_clock() -> float:
    """Goes on while the machine sleeps, where there is such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class SteadyClock:
    """Unix time that is never set back or forth: the system's when it was made, and `not_before` at the earliest, and
    from then on what really passed."""

    def __init__(
        self,
        not_before: float = 0.0,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _boot_clock,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._offset = max(wall(), not_before) - elapsed()

    def __call__(self) -> float:
        return self._elapsed() + self._offset

    def fault(self) -> str:
        """Why this is not the system's time any more, "" if it is."""
        behind = self() - self._wall()
        if abs(behind) <= TOLERATED_SECONDS:
            return ""
        if behind > 0:
            return f"the system's clock was set back, and is {behind:.0f} s behind what the ledger says: set it right"
        return f"the system's clock was set forth by {-behind:.0f} s: set it right, or restart the optimizer"
