"""The `optimizations plan` command: what the optimizer would do now, and why."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from exporter.cli.optimizations_remote import OptimizationsError
from exporter.cli.terminal import printable
from exporter.config import Optimizer
from exporter.optimizer import messages, strategies
from exporter.optimizer.adapters.prometheus import Prometheus
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.store import Ledger
from exporter.optimizer.model import PastStep, UnavailableError
from exporter.optimizer.reconcile.planning import Plan, observe, plan


def show(settings: Optimizer) -> None:
    """Prints a paragraph for each bottleneck of now, the most urgent first. Changes nothing, and asks no bot."""
    try:
        plans, suspended = asyncio.run(_plans(settings))
    except (LedgerError, UnavailableError) as error:
        raise OptimizationsError(str(error)) from None
    for line in _lines(plans, suspended, settings.mode):
        print(printable(line))


async def _plans(settings: Optimizer) -> tuple[list[Plan], str]:
    past, suspended = await _remembered(settings)
    metrics = Prometheus(settings.prometheus_url, settings.bot, settings.measure_seconds)
    observed = await observe(settings, metrics)
    found = [
        plan(settings, observed, subject, impact, past, time.time())
        for subject, impact in observed.impacts.items()
    ]
    impacts = observed.impacts
    found.sort(key=lambda each: strategies.urgency(each.strategy.priority, impacts[each.subject], 0))
    return found, suspended


async def _remembered(settings: Optimizer) -> tuple[Sequence[PastStep], str]:
    if not settings.ledger.exists():
        return (), ""
    async with Ledger.read(settings.ledger) as ledger:
        suspension = await ledger.suspension()
        return await ledger.past_steps(), suspension.reason if suspension else ""


def _lines(plans: Sequence[Plan], suspended: str, mode: str) -> Iterator[str]:
    if suspended:
        yield f"Suspended: {suspended}. Nothing is done until `optimizations resume`."
    if mode == "observe":
        yield "Mode observe: nothing of this is done."
    if not plans:
        yield "Prometheus sees no bottleneck: there is nothing to do."
    for each in plans:
        strategy = each.strategy
        yield f"{strategy.target}: {strategy.type}, {strategy.priority}"
        yield f"  why: {strategy.description}"
        yield f"  would do: {messages.actions(strategy.actions) or 'nothing'}"
        if each.why_not:
            yield f"  would not do: {each.why_not}"
