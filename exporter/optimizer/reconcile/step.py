"""One look at all open optimizations: what each state waits for, and what follows.

Written so that a kill at any moment, and the same step again, end the same: whatever is asked of the bot stands in
the ledger before it is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.config import Optimizer
from exporter.optimizer import evaluation as judging
from exporter.optimizer import messages as words
from exporter.optimizer import strategies
from exporter.optimizer.circuit_breaker import Line
from exporter.optimizer.ledger.store import ActionEntry, Entry, Finding, Ledger
from exporter.optimizer.model import (
    Answer,
    Bot,
    Impact,
    Measurement,
    NotCarriedOutError,
    Outcome,
    Records,
    Strategy,
    Subject,
    UnavailableError,
)
from exporter.optimizer.reconcile import effects

CONFIRM_SECONDS = 600.0
"""So long, without interruption, Prometheus must not see a bottleneck before it is over: the rules need their time."""
GIVE_UP_SECONDS = 600.0
"""So long the bot is asked for the same thing."""
HOUR = 3600.0

log = structlog.get_logger()


@dataclass(slots=True)
class _View:
    """What Prometheus says at the step's beginning. Only to be used while it is not down."""

    impacts: Mapping[Subject, Impact] = field(default_factory=dict)
    thresholds: Mapping[Subject, float] = field(default_factory=dict)
    performance: Mapping[str, float] = field(default_factory=dict)


class Step:
    """Used once. Without a `bot` nothing is asked of any: mode observe.

    `missing_since` goes from step to step: from when on Prometheus did not see what waits, by the optimization's id.
    """

    def __init__(
        self,
        config: Optimizer,
        ledger: Ledger,
        prometheus_line: Line,
        records: Records,
        bot_line: Line,
        bot: Bot | None,
        clock: Callable[[], float],
        missing_since: dict[int, float],
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._prometheus_line = prometheus_line
        self._records = records
        self._bot_line = bot_line
        self._bot = bot
        self._clock = clock
        self._missing_since = missing_since
        self._view = _View()
        self._open: dict[int, Entry] = {}
        self._ready: set[int] = set()
        self._beyond_limit = False
        self._bot_start: float | None = None
        prometheus_line.renew()
        bot_line.renew()

    async def agents(self) -> frozenset[str] | None:
        """All that there are; None where that cannot be asked now."""
        try:
            return await self._prometheus_line.ask(self._records.agents)
        except UnavailableError:
            return None

    async def run(self) -> None:
        """Takes every open optimization as far as it can go now."""
        entries = await self._ledger.open_optimizations()
        if not entries:
            return
        await self._look()
        self._open = {entry.id: entry for entry in entries}
        impacts = self._view.impacts
        entries.sort(
            key=lambda entry: strategies.urgency(entry.severity, impacts.get(entry.subject), entry.id)
        )
        for entry in entries:
            await self._advance(entry)

    async def _look(self) -> None:
        ask, records = self._prometheus_line.ask, self._records
        try:
            self._view = _View(
                impacts=await ask(records.impacts),
                thresholds=await ask(records.thresholds),
                performance=await ask(records.performance_ratios),
            )
        except UnavailableError:
            # Whoever needs the view finds the line down.
            self._missing_since.clear()

    async def _advance(self, entry: Entry) -> None:
        before = None
        while entry.state not in (before, "closed"):
            before = entry.state
            try:
                await self._take_turn(entry)
            except UnavailableError as error:
                await self._note(entry, f"waits: {error}")
            entry = self._open[entry.id] = await self._again(entry)

    async def _take_turn(self, entry: Entry) -> None:
        if entry.state == "waiting":
            await self._wait(entry)
        elif self._bot is None:
            await self._note(entry, "mode observe asks nothing of the bot: goes on in mode act")
        elif entry.state == "acting":
            await self._act(entry, self._bot)
        elif entry.state == "measuring":
            await self._measure(entry, self._bot)
        else:
            await self._put_back(entry, self._bot)

    # waiting

    async def _wait(self, entry: Entry) -> None:
        self._prometheus_line.check()
        impact = self._view.impacts.get(entry.subject)
        if impact is None:
            await self._unconfirmed(entry)
            return
        self._missing_since.pop(entry.id, None)
        threshold = self._view.thresholds.get(entry.subject)
        strategy = strategies.make(entry.subject, impact, threshold, self._view.performance, self._config)
        if strategy != entry.strategy:
            await self._ledger.plan(entry.id, strategy, await self._ledger.track_record(strategy.type))
        plan = words.doing(strategy.actions)
        if await self._is_cooling(entry.subject, strategy):
            cooldown = words.duration(self._config.cooldown_seconds)
            await self._note(
                entry, f"waits: dealt with less than {cooldown} ago (optimizer.cooldown_seconds)"
            )
        elif self._bot is None:
            await self._close(entry, "observed", f"mode observe; would do: {plan or 'nothing'}")
        elif not strategy.actions:
            advice = words.WORDS[strategy.type].advice
            await self._close(entry, "advised", f"no action of optimizer.actions is for this; {advice}")
        elif await self._has_its_turn(entry, strategy):
            await self._begin(entry, strategy, self._bot)

    async def _unconfirmed(self, entry: Entry) -> None:
        since = self._missing_since.setdefault(entry.id, self._clock())
        if entry.alert_resolved:
            told = "its alert is resolved, and Prometheus sees no such bottleneck"
        elif self._clock() - since >= CONFIRM_SECONDS:
            told = f"Prometheus saw no such bottleneck for {words.duration(CONFIRM_SECONDS)}"
        else:
            await self._note(entry, "waits until Prometheus sees the bottleneck too")
            return
        del self._missing_since[entry.id]
        await self._close(entry, "over", told)

    async def _is_cooling(self, subject: Subject, strategy: Strategy) -> bool:
        """Also where an alert told of something worse than Prometheus sees."""
        config = self._config
        cooling = await self._ledger.cooling(self._clock(), config.cooldown_seconds, config.mode)
        severity = cooling.get(subject)
        return severity is not None and strategies.rank(strategy.priority) <= strategies.rank(severity)

    async def _has_its_turn(self, entry: Entry, strategy: Strategy) -> bool:
        """If not, whoever is less urgent does not overtake it."""
        self._ready.add(entry.id)
        told = self._waits_for(entry, strategy)
        if not told and await self._is_beyond_limit(len(strategy.actions)):
            limit = self._config.actions_per_hour
            told = f"waits: no more than {limit} actions an hour (optimizer.actions_per_hour)"
        if told:
            await self._note(entry, told)
        return not told

    def _waits_for(self, entry: Entry, strategy: Strategy) -> str:
        # A pause changes no agent's values, and is for what cannot wait.
        paused = strategies.pauses(strategy)
        states = ("acting", "restoring") if paused else effects.CHANGING
        other = effects.in_the_way(entry, self._open.values(), states)
        if other is not None:
            return f"waits for optimization {other.id} of the same agent, which is {other.state}"
        for other in self._open.values():
            more_urgent = other.id in self._ready and other.state == "waiting" and other.id != entry.id
            if more_urgent and effects.overlap(entry, other):
                return f"waits for optimization {other.id}, which is more urgent"
        return ""

    async def _is_beyond_limit(self, actions: int) -> bool:
        """Once one of them finds too little left, so does whoever comes after it."""
        sent = await self._ledger.actions_since(self._clock() - HOUR)
        self._beyond_limit = self._beyond_limit or sent + actions > self._config.actions_per_hour
        return self._beyond_limit

    async def _begin(self, entry: Entry, strategy: Strategy, bot: Bot) -> None:
        now = self._clock()
        last = await self._ledger.last_change(entry.subject.agent)
        settled = effects.settled_at(last) if last is not None else 0.0
        before = await self._measured_before(entry.subject, settled, now)
        minimum = self._config.minimum_samples
        # A stopped bot is not measured, so that a pause needs no measurement before.
        if judging.enough(before, minimum) or strategies.pauses(strategy):
            bot_start = await self._process(bot)
            await self._ledger.act(entry.id, strategy.actions, before, bot_start, self._clock())
            self._log(entry, "acting", words.doing(strategy.actions))
            return
        lacking = judging.lacking(entry.subject.bottleneck, before, minimum)
        told = f"too few events before it, so that no effect could be seen: {lacking}"
        if now - max(entry.created_at, settled) >= self._config.measure_within_seconds:
            await self._close(entry, "not_enough_data", told)
        else:
            await self._note(entry, f"waits; {told}")

    async def _measured_before(self, subject: Subject, settled: float, now: float) -> Measurement:
        """Nothing from before `settled`: what an earlier change did would be taken for what the next one does."""
        if settled >= now:
            told = f"an earlier change needs its time until {words.moment(settled)}"
            return Measurement(now, now, None, 0, told)
        return await self._measured(subject, max(now - self._config.measure_seconds, settled), now)

    # acting

    async def _act(self, entry: Entry, bot: Bot) -> None:
        for action in _pending(entry):
            if self._late(entry):
                # Asking again could carry it out now, for a bottleneck of then.
                await self._fail(
                    entry, action, f"given up after {words.duration(GIVE_UP_SECONDS)} ({entry.reason})"
                )
                return
            if not await self._same_process(entry, entry.actions, bot):
                return
            answer = await self._request(action, bot)
            if answer.status == "running":
                await self._note(entry, f"the bot has not finished yet: {_phrase(action)}")
                return
            if answer.status != "done":
                await self._fail(entry, action, f"{answer.status}: {answer.error or 'it does not say why'}")
                return
        if any(action.name == "pause" for action in entry.actions):
            await self._close(
                entry, "advised", "paused: find the cause, then take this back, which resumes it"
            )
            return
        if not any(action.changes for action in (await self._again(entry)).actions):
            told = "the bot told of no value that was changed: whatever is measured later is not its doing"
            await self._close(entry, "no_effect", told)
            return
        reason = "acted; its effect is being measured"
        await self._ledger.measure(entry.id, reason, self._clock())
        self._log(entry, "measuring", reason)

    async def _fail(self, entry: Entry, action: ActionEntry, why: str) -> None:
        entry = await self._again(entry)
        await self.restore(
            entry, "action_failed", f"{_phrase(action)}: {why}", effects.to_restore(entry, by_hand=False)
        )

    async def _request(self, action: ActionEntry, bot: Bot) -> Answer:
        """Asks the bot, under the action's id, which it carries out once."""
        bot_start = action.bot_start
        if bot_start is None:
            bot_start = await self._process(bot)
        first = action.status == "planned"
        if first:
            self._bot_line.check()
            await self._ledger.send(action.id, bot_start, self._clock())
        try:
            answer = await self._asked(action, bot, bot_start)
            if answer.by_client and not first:
                raise UnavailableError(answer.error)
        except NotCarriedOutError:
            if first:
                await self._ledger.turned_away(action.id)
            raise
        if answer.status != "running":
            await self._ledger.answer(action.id, answer, self._clock())
        return answer

    async def _asked(self, action: ActionEntry, bot: Bot, bot_start: float) -> Answer:
        if action.action is not None:
            return await self._bot_line.ask(bot.perform, action.id, action.action, bot_start)
        assert action.restores is not None
        return await self._bot_line.ask(bot.restore, action.id, action.restores, bot_start)

    async def _process(self, bot: Bot) -> float:
        """When the bot's process started: asked once a step."""
        if self._bot_start is None:
            self._bot_start = await self._bot_line.ask(bot.start_time)
        return self._bot_start

    async def _same_process(self, entry: Entry, actions: Iterable[ActionEntry], bot: Bot) -> bool:
        """Whether the bot is still the process that `actions` are for; if not, the optimization ends."""
        starts = {action.bot_start for action in actions if action.bot_start is not None}
        if not starts:
            return True
        found = await self._process(bot)
        if starts == {found}:
            return True
        told = f"the bot restarted at {words.moment(found)}; what was changed in its process before is gone"
        if any(action.name in ("pause", "resume") for action in entry.actions):
            told = f"the bot restarted at {words.moment(found)}; see whether it is paused"
        await self._close(entry, "interrupted", told)
        return False

    # measuring

    async def _measure(self, entry: Entry, bot: Bot) -> None:
        assert entry.acted_at is not None
        assert entry.strategy is not None
        start = entry.acted_at + entry.strategy.implementation_seconds
        deadline = start + self._config.measure_within_seconds
        now = self._clock()
        try:
            if not await self._same_process(entry, entry.actions, bot):
                return
            seconds = self._config.measure_seconds
            window = judging.window(entry.subject.bottleneck, start, deadline, seconds, now)
            if window is not None:
                after = await self._measured(entry.subject, *window)
                await self._judge(entry, after, last_look=now >= deadline)
        except UnavailableError as error:
            if now < deadline + GIVE_UP_SECONDS:
                raise
            given_up = f"given up {words.duration(GIVE_UP_SECONDS)} after the end of its time"
            await self._close(entry, "not_enough_data", f"{given_up}: {error}; nothing was taken back")

    async def _judge(self, entry: Entry, after: Measurement, last_look: bool) -> None:
        assert entry.before is not None
        kind, minimum = entry.subject.bottleneck, self._config.minimum_samples
        after = judging.comparable(entry.before, after)
        if not judging.enough(after, minimum):
            if last_look:
                told = f"too few events after it: {judging.lacking(kind, after, minimum)}; nothing was taken back"
                await self._close(entry, "not_enough_data", told, (after, None))
            return
        threshold = self._view.thresholds.get(entry.subject)
        margin = self._config.margin_ratio
        found = judging.judge(kind, entry.before, after, threshold, margin, last_look)
        if found is None:
            return
        if found.verdict == "harmful" or found.may_be_harmful:
            targets = effects.to_restore(entry, by_hand=False)
            await self.restore(entry, "taken_back", found.reason, targets, (after, found))
        else:
            await self._close(entry, found.verdict, found.reason, (after, found))

    async def _measured(self, subject: Subject, start: float, end: float) -> Measurement:
        return await self._prometheus_line.ask(self._records.measure, subject, start, end)

    # restoring

    async def restore(
        self,
        entry: Entry,
        aim: Outcome,
        reason: str,
        targets: Sequence[ActionEntry],
        finding: Finding | None = None,
    ) -> None:
        """From the next turn on `targets` are put back; without any the optimization ends at once."""
        if targets:
            await self._ledger.restore(entry.id, aim, reason, self._clock(), targets, finding)
            self._log(entry, "restoring", reason)
        elif any(action.status == "sent" for action in entry.actions):
            await self._close(entry, aim, f"{reason}; whether it was carried out is not known")
        else:
            await self._close(entry, aim, f"{reason}; nothing was changed")

    async def _put_back(self, entry: Entry, bot: Bot) -> None:
        """Asks for everything once more even when it is late: nothing is put back over a later change."""
        late = self._late(entry)
        why = "no answer"
        try:
            if not await self._same_process(entry, _pending(entry), bot):
                return
            for action in _pending(entry):
                answer = await self._request(action, bot)
                if answer.status == "running":
                    why = "the bot did not finish it"
                    if not late:
                        return
        except UnavailableError as error:
            if not late:
                # The reason why it is taken back stays.
                return
            why = str(error)
        await self._end_restoring(await self._again(entry), why)

    async def _end_restoring(self, entry: Entry, why_unanswered: str) -> None:
        assert entry.aim is not None
        put_back = {action.id for action in entry.actions if action.restored}
        missing = [action for action in entry.actions if action.restores and action.restores not in put_back]
        if not missing:
            await self._close(entry, entry.aim, f"{entry.reason}; what was changed is put back")
            return
        # Of several tries the last one tells.
        faults = {action.restores: action.error or why_unanswered for action in missing}
        told = "; ".join(f"{restores}: {fault}" for restores, fault in faults.items())
        await self._close(
            entry, "not_taken_back", f"{entry.reason}; not put back, look at it yourself: {told}"
        )

    # Writing down

    def _late(self, entry: Entry) -> bool:
        return self._clock() - entry.state_since >= GIVE_UP_SECONDS

    async def _again(self, entry: Entry) -> Entry:
        """As it stands in the ledger now."""
        found = await self._ledger.optimization(entry.id)
        assert found is not None
        return found

    async def _note(self, entry: Entry, reason: str) -> None:
        if reason != entry.reason:
            await self._ledger.note(entry.id, reason)

    async def _close(
        self, entry: Entry, outcome: Outcome, reason: str, finding: Finding | None = None
    ) -> None:
        await self._ledger.close(entry.id, outcome, reason, self._clock(), finding)
        self._log(entry, outcome, reason)

    def _log(self, entry: Entry, what: str, reason: str) -> None:
        log.info(
            f"optimization {what.replace('_', ' ')}",
            id=entry.id,
            bottleneck=entry.subject.bottleneck,
            agent=entry.subject.agent,
            reason=reason,
        )


def _pending(entry: Entry) -> list[ActionEntry]:
    return [action for action in entry.actions if action.status in ("planned", "sent")]


def _phrase(action: ActionEntry) -> str:
    return words.doing([action.action]) if action.action else action.name
