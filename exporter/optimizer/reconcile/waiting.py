"""State waiting: until Prometheus confirms the bottleneck and it is the optimization's turn; then it acts."""

from exporter.optimizer import messages, strategies
from exporter.optimizer.ledger.entries import Entry
from exporter.optimizer.ledger.memory import track_record
from exporter.optimizer.model import Strategy, Subject, rank
from exporter.optimizer.reconcile import baseline, effects, planning
from exporter.optimizer.reconcile.bot import BotSession
from exporter.optimizer.reconcile.context import Context
from exporter.optimizer.reconcile.planning import Plan
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
    past = await context.ledger.past_steps()
    planned = planning.plan(context.config, observed, entry.subject, impact, past, context.clock())
    if planned.strategy != entry.strategy:
        record = track_record(past, planned.strategy.actions)
        await context.ledger.plan(entry.id, planned.strategy, record)
    await _follow(context, entry, planned)


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


async def _follow(context: Context, entry: Entry, planned: Plan) -> None:
    strategy, withheld, why = planned.strategy, planned.withheld, planned.why_not
    actions = messages.actions(strategy.actions)
    if await _is_cooling(context, entry.subject, strategy):
        cooldown = messages.duration(context.config.cooldown_seconds)
        reason = f"waits: the last one ended less than {cooldown} ago (optimizer.cooldown_seconds)"
        await note(context, entry, reason)
    elif context.bot is None:
        would = f"mode observe; would do: {actions or 'nothing'}"
        await close(context, entry, "observed", f"{would}; not: {why}" if why else would)
    elif not strategy.actions and withheld and not all(each.for_long for each in withheld):
        await note(context, entry, f"waits: {why}")
    elif not strategy.actions:
        advice = entry.subject.bottleneck.advice
        reason = why or "no action of optimizer.actions is for this"
        await close(context, entry, "advised", f"{reason}; {advice}")
    elif hold := await context.hold():
        await note(context, entry, f"waits: {hold}")
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
    before = await baseline.measure(context, entry)
    # A stopped bot is not measured, so that a pause needs no measurement before.
    if not before.missing or strategies.pauses(strategy):
        bot_start = await bot.start_time()
        await context.ledger.act(entry.id, strategy.actions, before.found, bot_start, context.clock())
        log_transition(entry, "acting", messages.actions(strategy.actions))
        return
    waited = context.clock() - max(entry.created_at, before.settled_at)
    if waited >= context.config.measure_within_seconds:
        await close(context, entry, "not_enough_data", before.missing)
    else:
        await note(context, entry, f"waits; {before.missing}")
