"""Has the engine look at everything, again and again, and whenever there is something new."""

import asyncio

import structlog

from exporter.optimizer.ledger.store import LedgerError
from exporter.optimizer.reconcile.engine import Engine

log = structlog.get_logger(__name__)


class Worker:
    """Steps every `interval` seconds, and when woken. `fault` is what is wrong with the ledger, "" if nothing is."""

    def __init__(self, engine: Engine, interval: float) -> None:
        self.engine = engine
        self.fault = ""
        self._interval = interval
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    def note(self, error: LedgerError | None) -> None:
        """Whether the ledger could be used; a change is logged."""
        before, self.fault = self.fault, str(error or "")
        if self.fault and self.fault != before:
            log.error("the ledger cannot be used", error=self.fault)
        elif before and not self.fault:
            log.info("the ledger can be used again")

    async def run(self) -> None:
        """Until cancelled: whatever goes wrong with one step, the next one is made."""
        while True:
            self._news.clear()
            try:
                await self.engine.step()
                self.note(None)
            except LedgerError as error:
                self.note(error)
            except Exception:
                log.exception("step failed: a bug")
            try:
                async with asyncio.timeout(self._interval):
                    await self._news.wait()
            except TimeoutError:
                continue
