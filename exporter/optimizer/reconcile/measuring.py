"""State measuring: compares what is measured after the actions with what was before, until the effect is clear."""

from exporter.optimizer import evaluation, messages
from exporter.optimizer.evaluation import Effect
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.model import Measurement, UnavailableError
from exporter.optimizer.reconcile import effects
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import GIVE_UP_SECONDS, Context
from exporter.optimizer.reconcile.transitions import close, close_if_restarted, roll_back


async def reconcile(context: Context, bot: BotSession, entry: Entry) -> None:
    """Measures when a look is due, and ends it or rolls it back when the effect is clear."""
    assert entry.acted_at is not None
    assert entry.strategy is not None
    start = entry.acted_at + entry.strategy.implementation_seconds
    deadline = start + context.config.measure_within_seconds
    now = context.clock()
    try:
        if await close_if_restarted(context, bot, entry, entry.actions):
            return
        seconds = context.config.measure_seconds
        window = evaluation.window(entry.subject.bottleneck, start, deadline, seconds, now)
        if window is not None:
            after = await context.measure(entry.subject, *window)
            await _evaluate(context, entry, after, last_look=now >= deadline)
    except UnavailableError as error:
        if now < deadline + GIVE_UP_SECONDS:
            raise
        given_up = f"given up {messages.duration(GIVE_UP_SECONDS)} after the end of its time"
        await close(context, entry, "not_enough_data", f"{given_up}: {error}; nothing was rolled back")


async def _evaluate(context: Context, entry: Entry, after: Measurement, last_look: bool) -> None:
    assert entry.before is not None
    bottleneck, config = entry.subject.bottleneck, context.config
    after = evaluation.comparable(entry.before, after)
    if not evaluation.enough(after, config.minimum_samples):
        if last_look:
            shortfall = evaluation.shortfall(bottleneck, after, config.minimum_samples)
            reason = f"too few events after it: {shortfall}; nothing was rolled back"
            await close(context, entry, "not_enough_data", reason, Effect(after))
        return
    threshold = context.observed.thresholds.get(entry.subject)
    found = evaluation.evaluate(bottleneck, entry.before, after, threshold, config.margin_ratio, last_look)
    if found is None:
        return
    effect = Effect(after, found)
    if found.verdict == "harmful" or found.may_be_harmful:
        targets = effects.to_restore(entry, by_hand=False)
        await roll_back(context, entry, "rolled_back", found.reason, targets, effect)
    else:
        await close(context, entry, found.verdict, found.reason, effect)
