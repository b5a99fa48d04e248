"""Receives a webhook's alerts: sorts them, and records what matters of them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from exporter.config import Optimizer
from exporter.optimizer.alerts.triage import triage
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import Alert

log = structlog.get_logger()


class AlertReceiver:
    """`agents` gives the known ones, None where they are not known yet."""

    def __init__(
        self,
        config: Optimizer,
        ledger: Ledger,
        agents: Callable[[], frozenset[str] | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._agents = agents
        self._clock = clock
        self._lock = asyncio.Lock()

    async def receive(self, alerts: Sequence[Alert]) -> Mapping[str, int]:
        """Records alerts; asks nobody but the ledger. Raises LedgerError.

        Gives how many were `accepted` (also a resolution that was noted), and how many were not, by reason:
        `unknown_agent`, `repeated`, `open`, `cooldown`, `full`. Their sum is the number of alerts.
        """
        async with self._lock:
            now, config = self._clock(), self._config
            view = await self._ledger.view(alerts, now, config.cooldown_seconds, config.mode)
            result = triage(alerts, view, self._agents())
            if result.noted or result.renewed:
                await self._ledger.record(result, now)
        for subject in result.new:
            log.info("optimization waiting", bottleneck=subject.bottleneck.name, agent=subject.agent)
        return result.counts
