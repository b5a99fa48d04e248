"""Asking Prometheus and the bot: who did not answer is left alone for the rest of the step."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog

from exporter.optimizer.model import UnavailableError

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


class Line:
    """To one side. `up` is whether it answered when it was last asked, None before the first time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.up: bool | None = None
        self._down: UnavailableError | None = None

    def renew(self) -> None:
        """A new step begins: ask again."""
        self._down = None

    def check(self) -> None:
        """UnavailableError if it was, in this step."""
        if self._down is not None:
            raise self._down

    async def ask(self, question: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer, or UnavailableError, also where it was down before in this step. Logged when that changes."""
        self.check()
        try:
            found = await question(*args, **kwargs)
        except UnavailableError as error:
            self._down = error
            if self.up is not False:
                log.warning(f"{self.name} is not available", why=str(error))
            self.up = False
            raise
        if self.up is False:
            log.info(f"{self.name} is available again")
        self.up = True
        return found
