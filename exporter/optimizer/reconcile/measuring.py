"""State measuring: compares what is measured after the actions with what was before, until the effect is clear.

Nothing is kept without evidence: what is not shown to have done good and no harm is restored.
"""

from dataclasses import replace

from exporter.optimizer import evaluation, messages
from exporter.optimizer.evaluation import Comparison, Effect
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.measures import Measure
from exporter.optimizer.model import Change, Measurement, Outcome, UnavailableError
from exporter.optimizer.reconcile import effects
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import GIVE_UP_SECONDS, Context
from exporter.optimizer.reconcile.transitions import close, close_if_restarted, roll_back


async def reconcile(context: Context, bot: BotSession, entry: Entry) -> None:
    """Measures when a look is due, and ends it or rolls it back when the effect is clear."""
    start, deadline = _times(context, entry)
    now, target = context.clock(), entry.subject.bottleneck.measure
    try:
        if await close_if_restarted(context, bot, entry, entry.actions):
            return
        look = evaluation.window(target, start, deadline, context.config.measure_seconds, now)
        if look is not None and not await _is_overridden(context, bot, entry, look[1]):
            await _evaluate(context, entry, now, last_look=now >= deadline)
    except UnavailableError as error:
        if now < deadline + GIVE_UP_SECONDS:
            raise
        given_up = f"given up {messages.duration(GIVE_UP_SECONDS)} after the end of its time: {error}"
        await _put_back(context, entry, "not_enough_data", given_up)


def _times(context: Context, entry: Entry) -> tuple[float, float]:
    """From when on its effect is measured, and until when."""
    assert entry.acted_at is not None
    assert entry.strategy is not None
    start = entry.acted_at + entry.strategy.implementation_seconds
    return start, start + context.config.measure_within_seconds


async def _is_overridden(context: Context, bot: BotSession, entry: Entry, look: float) -> bool:
    """Whether the bot, or a person, changed it again: then what is measured is not its effect. Ends it if so."""
    gone: list[Change] = []
    later: set[tuple[str, str]] = set()
    for action in reversed(entry.actions):
        if action.changes and action.restores is None:
            found = await bot.check(action, look)
            # What a later action of ours changed again is as that one left it.
            gone += [each for each in found if (each.agent, each.path) not in later]
            later |= {(each.agent, each.path) for each in action.changes}
    if gone:
        listed = ", ".join(f"{each.agent} {each.path} is {each.after}, not {each.before}" for each in gone)
        reason = f"found at {messages.moment(context.clock())} to stand no more: {listed}"
        await _put_back(context, entry, "overridden", reason)
    return bool(gone)


async def _evaluate(context: Context, entry: Entry, now: float, last_look: bool) -> None:
    bottleneck, minimum = entry.subject.bottleneck, context.config.minimum_samples
    target = await _compare(context, entry, bottleneck.measure, context.config.margin_ratio, now)
    guardrails = [
        await _compare(context, entry, each, context.config.guardrails.margin(each.name) or 0.0, now)
        for each in context.guardrails(entry)
        if each.name in entry.measured_before
    ]
    enough = evaluation.enough(target.measure, target.after, minimum)
    threshold = context.observed.thresholds.get(entry.subject)
    found = evaluation.evaluate(bottleneck, target if enough else None, guardrails, threshold, last_look)
    effect = Effect({each.measure.name: each.after for each in (target, *guardrails)}, found)
    if found is not None:
        await _conclude(context, entry, effect, found)
    elif last_look:
        shortfall = evaluation.shortfall(target.measure, target.after, minimum)
        await _put_back(context, entry, "not_enough_data", f"too few events after it: {shortfall}", effect)


async def _compare(context: Context, entry: Entry, measure: Measure, margin: float, now: float) -> Comparison:
    """What was too little before is not measured: there is nothing to compare with."""
    before = entry.measured_before[measure.name]
    if not evaluation.enough(measure, before, context.config.minimum_samples):
        before = replace(before, value=None)
    start, deadline = _times(context, entry)
    look = evaluation.window(measure, start, deadline, context.config.measure_seconds, now)
    if look is None:
        return Comparison(measure, before, Measurement(start, now, None, 0, "too early"), margin)
    after = await context.measure(measure, entry.subject.agent, *look)
    if measure.kind == "events":
        after = evaluation.comparable(before, after)
    return Comparison(measure, before, after, margin)


async def _conclude(context: Context, entry: Entry, effect: Effect, found: evaluation.Evaluation) -> None:
    if found.verdict in ("succeeded", "improved"):
        await close(context, entry, found.verdict, found.reason, effect)
    else:
        aim: Outcome = "rolled_back" if found.verdict == "harmful" else found.verdict
        await _put_back(context, entry, aim, found.reason, effect)


async def _put_back(
    context: Context, entry: Entry, aim: Outcome, reason: str, effect: Effect | None = None
) -> None:
    await roll_back(context, entry, aim, reason, effects.to_restore(entry, by_hand=False), effect)
