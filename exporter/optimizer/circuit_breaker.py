"""Calls to Prometheus and to the bot: who did not answer is not called again in the same reconciliation."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog

from exporter.optimizer.model import UnavailableError

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


class CircuitBreaker:
    """Opens at the first UnavailableError, and is closed again by `reset`.

    `up` is whether the other side answered the last call, None before the first one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.up: bool | None = None
        self._fault: UnavailableError | None = None

    def reset(self) -> None:
        """Closes it: the next call goes through."""
        self._fault = None

    def check(self) -> None:
        """UnavailableError while it is open."""
        if self._fault is not None:
            raise self._fault

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, or UnavailableError, also while it is open. A change is logged."""
        self.check()
        try:
            result = await function(*args, **kwargs)
        except UnavailableError as error:
            self._fault = error
            if self.up is not False:
                log.warning(f"{self.name} is not available", why=str(error))
            self.up = False
            raise
        if self.up is False:
            log.info(f"{self.name} is available again")
        self.up = True
        return result
