"""State acting: requests the actions of the bot, one after the other."""

from exporter.optimizer import messages
from exporter.optimizer.ledger.entries import ActionEntry, Entry
from exporter.optimizer.reconcile import effects
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import GIVE_UP_SECONDS, Context
from exporter.optimizer.reconcile.transitions import (
    close,
    close_if_restarted,
    log_transition,
    note,
    pending,
    reload,
    roll_back,
)


async def reconcile(context: Context, bot: BotSession, entry: Entry) -> None:
    """Requests what is not done yet; when all is done, its effect is measured."""
    for action in pending(entry):
        if not await _is_done(context, bot, entry, action):
            return
    await _done(context, entry)


async def _is_done(context: Context, bot: BotSession, entry: Entry, action: ActionEntry) -> bool:
    """Whether the next action may follow."""
    if context.is_late(entry):
        # Another request could carry it out now, for a bottleneck of then.
        why = f"given up after {messages.duration(GIVE_UP_SECONDS)} ({entry.reason})"
        await _fail(context, entry, action, why)
        return False
    if await close_if_restarted(context, bot, entry, entry.actions):
        return False
    result = await bot.request(action)
    if result.status == "running":
        await note(context, entry, f"the bot has not finished yet: {_phrase(action)}")
    elif result.status != "done":
        await _fail(context, entry, action, f"{result.status}: {result.error or 'it does not say why'}")
    return result.status == "done"


async def _done(context: Context, entry: Entry) -> None:
    if any(action.name == "pause" for action in entry.actions):
        reason = "paused: find the cause, then roll this back, which resumes the bot"
        await close(context, entry, "advised", reason)
        return
    if not any(action.changes for action in (await reload(context, entry)).actions):
        reason = "the bot reported no changed value: whatever is measured later is not its doing"
        await close(context, entry, "no_effect", reason)
        return
    reason = "acted; its effect is being measured"
    await context.ledger.measure(entry.id, reason, context.clock())
    log_transition(entry, "measuring", reason)


async def _fail(context: Context, entry: Entry, action: ActionEntry, why: str) -> None:
    entry = await reload(context, entry)
    targets = effects.to_restore(entry, by_hand=False)
    await roll_back(context, entry, "action_failed", f"{_phrase(action)}: {why}", targets)


def _phrase(action: ActionEntry) -> str:
    return messages.action(action.action) if action.action else action.name
