"""A rollback that somebody requests."""

from collections.abc import Sequence

from exporter.optimizer.ledger.entries import ActionEntry, Entry
from exporter.optimizer.model import UnavailableError
from exporter.optimizer.reconcile import effects
from exporter.optimizer.reconcile.context import Context
from exporter.optimizer.reconcile.transitions import roll_back


class NotFoundError(Exception):
    """There is no such optimization. The message is for the user."""


class RefusedError(Exception):
    """It cannot be rolled back. The message is for the user: why, and what to do instead."""


async def request(context: Context, optimization_id: int) -> None:
    """Has what an optimization changed restored. Raises NotFoundError, RefusedError or LedgerError."""
    entry = await context.ledger.optimization(optimization_id)
    if entry is None:
        raise NotFoundError(f"there is no optimization {optimization_id}")
    targets = effects.to_restore(entry, by_hand=True)
    _check(entry, targets, await context.ledger.open_optimizations(), acts=context.bot is not None)
    await _check_pauses(context, targets)
    await roll_back(context, entry, "rolled_back", "a rollback was requested", targets)


async def _check_pauses(context: Context, targets: Sequence[ActionEntry]) -> None:
    """Who paused the bot again after our pause had ended may have a reason to."""
    for target in targets:
        if target.name != "pause" or target.answered_at is None:
            continue
        try:
            resumed = await context.prometheus.call(context.metrics.resumed_since, target.answered_at)
        except UnavailableError:
            # Somebody asks for it, and nothing speaks against it.
            return
        if resumed:
            raise RefusedError(
                "the bot was resumed since: if it is paused now, somebody else paused it; resume it yourself"
            )


def _check(entry: Entry, targets: Sequence[ActionEntry], open_ones: Sequence[Entry], acts: bool) -> None:
    if entry.state == "restoring":
        raise RefusedError(f"optimization {entry.id} is being rolled back already")
    if not targets and entry.state != "acting":
        raise RefusedError(f"optimization {entry.id} has changed nothing that is still to be rolled back")
    if not acts:
        raise RefusedError("mode observe asks nothing of the bot: set optimizer.mode to act")
    # Resuming the bot changes no agent.
    resumes = all(target.name == "pause" for target in targets)
    other = effects.in_the_way(entry, open_ones) if entry.state == "closed" and not resumes else None
    if other is not None:
        raise RefusedError(
            f"optimization {other.id} of the same agent is {other.state}: roll that one back first, "
            "or wait until it is closed"
        )
