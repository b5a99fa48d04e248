"""State waiting: until Prometheus confirms the bottleneck and it is the optimization's turn; then it acts."""

from exporter.optimizer import evaluation, messages, strategies
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.model import Measurement, Strategy, Subject, rank
from exporter.optimizer.reconcile import effects
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import Context
from exporter.optimizer.reconcile.transitions import close, log_transition, note

CONFIRM_SECONDS = 600.0
"""So long, without interruption, Prometheus must not see a bottleneck before it is over: the rules need their time."""
HOUR = 3600.0


async def reconcile(context: Context, entry: Entry) -> None:
    """Confirms the bottleneck, makes its strategy, and acts when it is its turn."""
    context.prometheus.check()
    observed = context.observed
    impact = observed.impacts.get(entry.subject)
    if impact is None:
        await _unconfirmed(context, entry)
        return
    context.missing_since.pop(entry.id, None)
    threshold = observed.thresholds.get(entry.subject)
    strategy = strategies.make(entry.subject, impact, threshold, observed.performance, context.config)
    if strategy != entry.strategy:
        record = await context.ledger.track_record(entry.subject.bottleneck)
        await context.ledger.plan(entry.id, strategy, record)
    await _follow(context, entry, strategy)


async def _unconfirmed(context: Context, entry: Entry) -> None:
    since = context.missing_since.setdefault(entry.id, context.clock())
    if entry.alert_resolved:
        reason = "its alert is resolved, and Prometheus sees no such bottleneck"
    elif context.clock() - since >= CONFIRM_SECONDS:
        reason = f"Prometheus saw no such bottleneck for {messages.duration(CONFIRM_SECONDS)}"
    else:
        await note(context, entry, "waits until Prometheus sees the bottleneck too")
        return
    del context.missing_since[entry.id]
    await close(context, entry, "over", reason)


async def _follow(context: Context, entry: Entry, strategy: Strategy) -> None:
    plan = messages.actions(strategy.actions)
    if await _is_cooling(context, entry.subject, strategy):
        cooldown = messages.duration(context.config.cooldown_seconds)
        reason = f"waits: the last one ended less than {cooldown} ago (optimizer.cooldown_seconds)"
        await note(context, entry, reason)
    elif context.bot is None:
        await close(context, entry, "observed", f"mode observe; would do: {plan or 'nothing'}")
    elif not strategy.actions:
        advice = entry.subject.bottleneck.advice
        await close(context, entry, "advised", f"no action of optimizer.actions is for this; {advice}")
    elif await _has_its_turn(context, entry, strategy):
        await _act(context, context.bot, entry, strategy)


async def _is_cooling(context: Context, subject: Subject, strategy: Strategy) -> bool:
    """Also where an alert announced something worse than Prometheus sees."""
    config = context.config
    cooling = await context.ledger.cooling(context.clock(), config.cooldown_seconds, config.mode)
    severity = cooling.get(subject)
    return severity is not None and rank(strategy.priority) <= rank(severity)


async def _has_its_turn(context: Context, entry: Entry, strategy: Strategy) -> bool:
    """If not, whoever is less urgent does not overtake it."""
    context.queue.ready.add(entry.id)
    reason = _waits_for(context, entry, strategy)
    if not reason and await _is_beyond_limit(context, len(strategy.actions)):
        limit = context.config.actions_per_hour
        reason = f"waits: no more than {limit} actions an hour (optimizer.actions_per_hour)"
    if reason:
        await note(context, entry, reason)
    return not reason


def _waits_for(context: Context, entry: Entry, strategy: Strategy) -> str:
    # A pause changes no agent's values, and is for what cannot wait.
    states = ("acting", "restoring") if strategies.pauses(strategy) else effects.CHANGING
    other = effects.in_the_way(entry, context.open.values(), states)
    if other is not None:
        return f"waits for optimization {other.id} of the same agent, which is {other.state}"
    for other in context.open.values():
        more_urgent = other.id in context.queue.ready and other.state == "waiting" and other.id != entry.id
        if more_urgent and effects.overlap(entry, other):
            return f"waits for optimization {other.id}, which is more urgent"
    return ""


async def _is_beyond_limit(context: Context, actions: int) -> bool:
    queue, limit = context.queue, context.config.actions_per_hour
    sent = await context.ledger.actions_since(context.clock() - HOUR)
    queue.limit_reached = queue.limit_reached or sent + actions > limit
    return queue.limit_reached


async def _act(context: Context, bot: BotSession, entry: Entry, strategy: Strategy) -> None:
    """waiting -> acting, if enough can be measured before."""
    now, minimum = context.clock(), context.config.minimum_samples
    last = await context.ledger.last_change(entry.subject.agent)
    settled = effects.settled_at(last) if last is not None else 0.0
    before = await _measure_before(context, entry.subject, settled, now)
    # A stopped bot is not measured, so that a pause needs no measurement before.
    if evaluation.enough(before, minimum) or strategies.pauses(strategy):
        bot_start = await bot.start_time()
        await context.ledger.act(entry.id, strategy.actions, before, bot_start, context.clock())
        log_transition(entry, "acting", messages.actions(strategy.actions))
        return
    shortfall = evaluation.shortfall(entry.subject.bottleneck, before, minimum)
    reason = f"too few events before it, so that no effect could be seen: {shortfall}"
    if now - max(entry.created_at, settled) >= context.config.measure_within_seconds:
        await close(context, entry, "not_enough_data", reason)
    else:
        await note(context, entry, f"waits; {reason}")


async def _measure_before(context: Context, subject: Subject, settled: float, now: float) -> Measurement:
    """Nothing from before `settled`: the effect of an earlier change would be taken for that of the next one."""
    if settled >= now:
        reason = f"an earlier change needs its time until {messages.moment(settled)}"
        return Measurement(now, now, None, 0, reason)
    return await context.measure(subject, max(now - context.config.measure_seconds, settled), now)
