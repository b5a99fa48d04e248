"""Takes alerts in, and leads each optimization through its life: the table in docs/optimizer.md."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from exporter.config import Optimizer
from exporter.optimizer.alerts.triage import admit
from exporter.optimizer.circuit_breaker import Line
from exporter.optimizer.ledger.store import ActionEntry, Entry, Ledger
from exporter.optimizer.model import Alert, Bot, Records
from exporter.optimizer.reconcile.effects import in_the_way, to_restore
from exporter.optimizer.reconcile.step import Step

log = structlog.get_logger()


class NotFoundError(Exception):
    """There is no such optimization. The message is for the user."""


class RefusedError(Exception):
    """It cannot be taken back. The message is for the user: why, and what to do instead."""


class Engine:
    """What the webhook, the clock and the API drive. All its memory is the ledger, but for how long Prometheus has
    not seen what waits: after a restart that has its time again.

    In mode observe the bot is never asked anything, and none is needed. `last_run` is when `step` last came to its
    end; `records_up` and `bot_up` are whether they answered when last asked, None before the first time.
    """

    def __init__(
        self,
        config: Optimizer,
        ledger: Ledger,
        records: Records,
        bot: Bot | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if config.mode == "act" and bot is None:
            raise ValueError("mode act needs a bot")
        self.last_run: float | None = None
        self._config = config
        self._ledger = ledger
        self._records = records
        self._bot = bot if config.mode == "act" else None
        self._clock = clock
        self._agents: frozenset[str] | None = None
        self._missing_since: dict[int, float] = {}
        self._prometheus_line = Line("Prometheus")
        self._bot_line = Line("the bot's bridge")
        self._stepping = asyncio.Lock()
        self._receiving = asyncio.Lock()

    @property
    def agents(self) -> frozenset[str]:
        """Those that Prometheus knew when last asked."""
        return self._agents or frozenset()

    @property
    def records_up(self) -> bool | None:
        return self._prometheus_line.up

    @property
    def bot_up(self) -> bool | None:
        return self._bot_line.up

    async def receive(self, alerts: Sequence[Alert]) -> Mapping[str, int]:
        """Takes a webhook's alerts in; asks nobody but the ledger. Raises LedgerError.

        Gives how many were `accepted` (also a resolution that was noted), and how many were not, by reason:
        `unknown_agent`, `repeated`, `open`, `cooldown`, `full`. Their sum is the number of alerts.
        """
        async with self._receiving:
            now, config = self._clock(), self._config
            standing = await self._ledger.standing(alerts, now, config.cooldown_seconds, config.mode)
            admission = admit(alerts, standing, self._agents)
            if admission.noted or admission.renewed:
                await self._ledger.admit(admission, now)
        for subject in admission.new:
            log.info("optimization waiting", bottleneck=subject.bottleneck, agent=subject.agent)
        return admission.counts

    async def step(self) -> None:
        """Looks at every open optimization once, the most urgent first.

        Who cannot be asked now is asked in the next step. Raises LedgerError.
        """
        async with self._stepping:
            step = self._step()
            agents = await step.agents()
            self._agents = self._agents if agents is None else agents
            await step.run()
            self.last_run = self._clock()

    async def take_back(self, optimization_id: int) -> None:
        """Has what an optimization changed put back, from the next step on.

        Raises NotFoundError, RefusedError or LedgerError.
        """
        async with self._stepping:
            entry = await self._ledger.optimization(optimization_id)
            if entry is None:
                raise NotFoundError(f"there is no optimization {optimization_id}")
            targets = to_restore(entry, by_hand=True)
            self._check_can_be_taken_back(entry, targets, await self._ledger.open_optimizations())
            await self._step().restore(entry, "taken_back", "asked to take it back", targets)

    def _check_can_be_taken_back(
        self, entry: Entry, targets: Sequence[ActionEntry], open_ones: Sequence[Entry]
    ) -> None:
        if entry.state == "restoring":
            raise RefusedError(f"optimization {entry.id} is being taken back already")
        if not targets and entry.state != "acting":
            raise RefusedError(f"optimization {entry.id} has changed nothing that is still to be taken back")
        if self._bot is None:
            raise RefusedError("mode observe asks nothing of the bot: set optimizer.mode to act")
        # Who resumes the bot changes no agent.
        resumes = all(target.name == "pause" for target in targets)
        other = in_the_way(entry, open_ones) if entry.state == "closed" and not resumes else None
        if other is not None:
            raise RefusedError(
                f"optimization {other.id} of the same agent is {other.state}: take that one back first, "
                "or wait until it is closed"
            )

    def _step(self) -> Step:
        return Step(
            self._config,
            self._ledger,
            self._prometheus_line,
            self._records,
            self._bot_line,
            self._bot,
            self._clock,
            self._missing_since,
        )
