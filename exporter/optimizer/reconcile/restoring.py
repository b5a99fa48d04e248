"""State restoring: has the bot restore what the actions changed, newest first."""

from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.model import UnavailableError
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import Context
from exporter.optimizer.reconcile.transitions import close, close_if_restarted, pending, reload


async def reconcile(context: Context, bot: BotSession, entry: Entry) -> None:
    """Requests everything once more even when it is late: nothing that was changed since is overwritten."""
    late = context.is_late(entry)
    why = "no answer"
    try:
        if await close_if_restarted(context, bot, entry, pending(entry)):
            return
        for action in pending(entry):
            result = await bot.request(action)
            if result.status == "running":
                why = "the bot did not finish it"
                if not late:
                    return
    except UnavailableError as error:
        if not late:
            # The reason of the rollback stays.
            return
        why = str(error)
    await _end(context, await reload(context, entry), why)


async def _end(context: Context, entry: Entry, why_unanswered: str) -> None:
    assert entry.aim is not None
    restored = {action.id for action in entry.actions if action.restored}
    missing = [action for action in entry.actions if action.restores and action.restores not in restored]
    if not missing or entry.aim == "overridden":
        left = "what else was changed" if missing else "what was changed"
        await close(context, entry, entry.aim, f"{entry.reason}; {left} is restored")
        return
    # Of several attempts the last one counts.
    faults = {action.restores: action.error or why_unanswered for action in missing}
    listed = "; ".join(f"{restores}: {fault}" for restores, fault in faults.items())
    await close(
        context, entry, "rollback_failed", f"{entry.reason}; not restored, check it yourself: {listed}"
    )
