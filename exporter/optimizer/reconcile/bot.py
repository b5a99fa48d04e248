"""The bot during one reconciliation. Whatever is asked of it is in the ledger before."""

from collections.abc import Callable

from exporter.optimizer.circuit_breaker import CircuitBreaker
from exporter.optimizer.ledger.entries import ActionEntry
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import ActionResult, Bot, Change, NotCarriedOutError, UnavailableError


class BotSession:
    """Every method may raise UnavailableError."""

    def __init__(self, bot: Bot, breaker: CircuitBreaker, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._bot = bot
        self._breaker = breaker
        self._ledger = ledger
        self._clock = clock
        self._start_time: float | None = None

    async def start_time(self) -> float:
        """When the bot's process started: asked once."""
        if self._start_time is None:
            self._start_time = await self._breaker.call(self._bot.start_time)
        return self._start_time

    async def request(self, action: ActionEntry) -> ActionResult:
        """Requests an action under its id, which the bot carries out once, and records what became of it."""
        bot_start = await self.start_time() if action.bot_start is None else action.bot_start
        first = action.status == "planned"
        if first:
            self._breaker.check()
            await self._ledger.send(action.id, bot_start, self._clock())
        try:
            result = await self._send(action, bot_start)
            if result.by_client and not first:
                raise UnavailableError(result.error)
        except NotCarriedOutError:
            if first:
                await self._ledger.unsend(action.id)
            raise
        if result.status != "running":
            await self._ledger.finish(action.id, result, self._clock())
        return result

    async def check(self, action: ActionEntry, look: float) -> tuple[Change, ...]:
        """The values that the action changed and that are different now; the same look gets the same answer."""
        assert action.bot_start is not None
        check_id = f"{action.id}-{look:.0f}"
        result = await self._breaker.call(self._bot.check, check_id, action.id, action.bot_start)
        if result.status == "running":
            raise UnavailableError("the bot has not finished looking at what was changed")
        return result.changes

    async def _send(self, action: ActionEntry, bot_start: float) -> ActionResult:
        if action.action is not None:
            return await self._breaker.call(self._bot.perform, action.id, action.action, bot_start)
        assert action.restores is not None
        return await self._breaker.call(self._bot.restore, action.id, action.restores, bot_start)
