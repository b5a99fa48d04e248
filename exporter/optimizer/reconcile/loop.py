"""Runs the reconciler again and again, and whenever there is something new."""

import asyncio

import structlog

from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.reconcile.reconciler import Reconciler

log = structlog.get_logger(__name__)


class ReconcileLoop:
    """Reconciles every `interval` seconds, and when woken.

    `fault` is why nothing can be done, "" if it can: the ledger cannot be used, or there is a bug.
    """

    def __init__(self, reconciler: Reconciler, interval: float) -> None:
        self.reconciler = reconciler
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
        """Until cancelled: whatever goes wrong in one run, the next one is made."""
        while True:
            self._news.clear()
            try:
                await self.reconciler.reconcile()
                self.note(None)
            except LedgerError as error:
                self.note(error)
            except Exception as error:
                before, self.fault = self.fault, f"a bug: {type(error).__name__}; the log has the details"
                if self.fault != before:
                    log.exception("reconciliation failed: a bug")
            try:
                async with asyncio.timeout(self._interval):
                    await self._news.wait()
            except TimeoutError:
                continue
