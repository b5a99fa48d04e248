"""What the states have in common: writing down why one waits, ending it, starting its rollback."""

from collections.abc import Iterable, Sequence

import structlog

from exporter.optimizer import messages
from exporter.optimizer.evaluation import Effect
from exporter.optimizer.ledger.entries import ActionEntry, Entry
from exporter.optimizer.model import Outcome
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import Context

log = structlog.get_logger()


async def reload(context: Context, entry: Entry) -> Entry:
    """As it stands in the ledger now."""
    found = await context.ledger.optimization(entry.id)
    assert found is not None
    return found


async def note(context: Context, entry: Entry, reason: str) -> None:
    """Why it stays in its state."""
    if reason != entry.reason:
        await context.ledger.note(entry.id, reason)


async def close(
    context: Context, entry: Entry, outcome: Outcome, reason: str, effect: Effect | None = None
) -> None:
    """Ends it."""
    await context.ledger.close(entry.id, outcome, reason, context.clock(), effect)
    log_transition(entry, outcome, reason)


async def roll_back(
    context: Context,
    entry: Entry,
    aim: Outcome,
    reason: str,
    targets: Sequence[ActionEntry],
    effect: Effect | None = None,
) -> None:
    """From the next turn on what `targets` changed is restored; without any the optimization ends at once."""
    if targets:
        await context.ledger.restore(entry.id, aim, reason, context.clock(), targets, effect)
        log_transition(entry, "restoring", reason)
    elif any(action.status == "sent" for action in entry.actions):
        await close(context, entry, aim, f"{reason}; whether it was carried out is not known")
    else:
        await close(context, entry, aim, f"{reason}; nothing was changed")


async def close_if_restarted(
    context: Context, bot: BotSession, entry: Entry, actions: Iterable[ActionEntry]
) -> bool:
    """Ends it if the bot is no longer the process that `actions` are for; gives whether it ended."""
    starts = {action.bot_start for action in actions if action.bot_start is not None}
    if not starts:
        return False
    found = await bot.start_time()
    if starts == {found}:
        return False
    reason = f"the bot restarted at {messages.moment(found)}; what was changed in its process before is gone"
    if any(action.name in ("pause", "resume") for action in entry.actions):
        reason = f"the bot restarted at {messages.moment(found)}; check whether it is paused"
    await close(context, entry, "interrupted", reason)
    return True


def pending(entry: Entry) -> list[ActionEntry]:
    """The requests whose result is not known yet."""
    return [action for action in entry.actions if action.status in ("planned", "sent")]


def log_transition(entry: Entry, to: str, reason: str) -> None:
    """`to` is a state or an outcome."""
    log.info(
        f"optimization {to.replace('_', ' ')}",
        id=entry.id,
        bottleneck=entry.subject.bottleneck.name,
        agent=entry.subject.agent,
        reason=reason,
    )
