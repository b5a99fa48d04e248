"""Takes each open optimization as far as it can go now: a state, and the file for it.

Written so that a kill at any moment, and the same again, end the same: whatever is asked of the bot is in the ledger
before it is asked. The states and what follows from them: docs/optimizer.md.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from exporter.config import Optimizer
from exporter.optimizer import messages, strategies
from exporter.optimizer.circuit_breaker import CircuitBreaker
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import Bot, MetricsProvider, State, UnavailableError
from exporter.optimizer.reconcile import acting, measuring, planning, restoring, rollback, waiting
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import Context
from exporter.optimizer.reconcile.transitions import note, reload

DAY = 86_400.0

Handler = Callable[[Context, BotSession, Entry], Awaitable[None]]

_WITH_BOT: Mapping[State, Handler] = MappingProxyType(
    {"acting": acting.reconcile, "measuring": measuring.reconcile, "restoring": restoring.reconcile}
)


class Reconciler:
    """All its memory is the ledger, except for how long Prometheus has not seen what waits: after a restart that
    starts again.

    In mode observe the bot is never asked anything, and none is needed. `last_run` is when `reconcile` was last
    completed. `agents` are those that Prometheus knew when last asked, None before the first time.
    """

    def __init__(
        self,
        config: Optimizer,
        ledger: Ledger,
        metrics: MetricsProvider,
        bot: Bot | None,
        clock: Callable[[], float] = time.time,
        clock_fault: Callable[[], str] = lambda: "",
    ) -> None:
        if config.mode == "act" and bot is None:
            raise ValueError("mode act needs a bot")
        self.last_run: float | None = None
        self.agents: frozenset[str] | None = None
        self._config = config
        self._ledger = ledger
        self._metrics = metrics
        self._bot = bot if config.mode == "act" else None
        self._clock = clock
        self._clock_fault = clock_fault
        self._missing_since: dict[int, float] = {}
        self._prometheus_breaker = CircuitBreaker("Prometheus")
        self._bot_breaker = CircuitBreaker("the bot's bridge")
        self._lock = asyncio.Lock()

    @property
    def prometheus_up(self) -> bool | None:
        """Whether it answered when last asked, None before the first time."""
        return self._prometheus_breaker.up

    @property
    def bot_up(self) -> bool | None:
        """As `prometheus_up`."""
        return self._bot_breaker.up

    async def reconcile(self) -> None:
        """Looks at every open optimization once, the most urgent first.

        Who cannot be asked now is asked in the next run. Raises LedgerError.
        """
        async with self._lock:
            context = self._context()
            await self._ask_for_agents(context)
            entries = await self._ledger.open_optimizations()
            if entries:
                await _reconcile_all(await _observe(context), entries)
            await self._hold()
            self.last_run = self._clock()

    @property
    def clock_fault(self) -> str:
        """Why no time can be told, "" if it can."""
        return self._clock_fault()

    async def suspend(self, reason: str) -> None:
        """From the next run on nothing new is done; what is being measured or rolled back goes on."""
        async with self._lock:
            await self._ledger.suspend(reason, self._clock())

    async def resume(self) -> None:
        """Ends a suspension."""
        async with self._lock:
            await self._ledger.resume(self._clock())

    async def roll_back(self, optimization_id: int) -> None:
        """Has what an optimization changed restored, from the next run on.

        Raises NotFoundError, RefusedError or LedgerError.
        """
        async with self._lock:
            await rollback.request(self._context(), optimization_id)

    def _context(self) -> Context:
        self._prometheus_breaker.reset()
        self._bot_breaker.reset()
        bot = BotSession(self._bot, self._bot_breaker, self._ledger, self._clock) if self._bot else None
        return Context(
            self._config,
            self._ledger,
            self._metrics,
            self._prometheus_breaker,
            bot,
            self._clock,
            self._missing_since,
            self._hold,
        )

    async def _hold(self) -> str:
        """Why nothing new is begun."""
        if fault := self.clock_fault:
            return fault
        harms = await self._ledger.harms_since(self._clock() - DAY)
        if harms >= self._config.harms_per_day:
            # Does nothing where it is suspended already.
            reason = f"{harms} changes did harm within a day (optimizer.harms_per_day)"
            await self._ledger.suspend(reason, self._clock())
        suspension = await self._ledger.suspension()
        if suspension is None:
            return ""
        since = messages.moment(suspension.suspended_at)
        return f"suspended since {since}: {suspension.reason}; `optimizations resume` ends it"

    async def _ask_for_agents(self, context: Context) -> None:
        try:
            self.agents = await context.prometheus.call(self._metrics.agents)
        except UnavailableError:
            # Those of the last time are still the best guess.
            return


async def _observe(context: Context) -> Context:
    try:
        observed = await context.prometheus.call(planning.observe, context.config, context.metrics)
    except UnavailableError:
        # Whoever needs the observations finds the circuit breaker open.
        context.missing_since.clear()
        return context
    return replace(context, observed=observed)


async def _reconcile_all(context: Context, entries: list[Entry]) -> None:
    context.open.update({entry.id: entry for entry in entries})
    impacts = context.observed.impacts
    entries.sort(key=lambda entry: strategies.urgency(entry.severity, impacts.get(entry.subject), entry.id))
    for entry in entries:
        await _advance(context, entry)


async def _advance(context: Context, entry: Entry) -> None:
    """Through as many states as it can."""
    before = None
    while entry.state not in (before, "closed"):
        before = entry.state
        try:
            await _reconcile_one(context, entry)
        except UnavailableError as error:
            await note(context, entry, f"waits: {error}")
        entry = context.open[entry.id] = await reload(context, entry)


async def _reconcile_one(context: Context, entry: Entry) -> None:
    if entry.state == "waiting":
        await waiting.reconcile(context, entry)
    elif context.bot is None:
        await note(context, entry, "mode observe asks nothing of the bot: goes on in mode act")
    else:
        await _WITH_BOT[entry.state](context, context.bot, entry)
