"""What is to be done about a bottleneck, and in which order: pure, from what Prometheus says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from exporter.config import Optimizer
from exporter.optimizer import messages
from exporter.optimizer.bottlenecks.base import Actions, AutonomyStep, Severity
from exporter.optimizer.model import Action, Impact, PastStep, Performance, Strategy, Subject, rank

EXPECTED_SHARE = 0.7
"""The improvement that is expected of an optimization, as a share of the impact."""


def urgency(severity: Severity, impact: Impact | None, optimization_id: int) -> tuple[float, ...]:
    """Sorts optimizations, the most urgent first: by priority, then by expected improvement, then by age."""
    if impact is None:
        return (-rank(severity), 0.0, optimization_id)
    return (-rank(impact.severity), -EXPECTED_SHARE * impact.ratio, optimization_id)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A step that would help and must not be taken now, and why. `for_long`: it is not worth waiting for."""

    step: str
    why: str
    for_long: bool


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Steps that must not be taken now, by agent; and why nothing but a pause may be done, "" if more may."""

    steps: Mapping[tuple[str, str], Withheld] = field(default_factory=dict)
    only_pause: str = ""


def restrictions(
    past: Iterable[PastStep], severity: Severity, now: float, config: Optimizer, only_pause: str
) -> Restrictions:
    """What must not be repeated yet. Something worse than the last time is not held back by the cooldown."""
    found: dict[tuple[str, str], Withheld] = {}
    for each in past:
        if each.moment is None:
            continue
        age, what = now - each.moment, f"{each.agent or 'the bot'}: {each.step}"
        if each.did_harm and age < config.harm_cooldown_seconds:
            why = f"{what} did harm or was rolled back in optimization {each.optimization_id}"
            until = messages.moment(each.moment + config.harm_cooldown_seconds)
            why = f"{why}, and is not repeated before {until} (optimizer.harm_cooldown_seconds)"
            found[each.agent, each.step] = Withheld(each.step, why, for_long=True)
        elif age < config.cooldown_seconds and rank(severity) <= rank(each.severity):
            ago = messages.duration(config.cooldown_seconds)
            why = f"{what} ended less than {ago} ago (optimizer.cooldown_seconds)"
            found.setdefault((each.agent, each.step), Withheld(each.step, why, for_long=False))
    return Restrictions(found, only_pause)


def choose(
    subject: Subject,
    severity: Severity,
    performance: Mapping[str, Performance],
    config: Optimizer,
    restricted: Restrictions,
) -> tuple[tuple[Action, ...], tuple[Withheld, ...]]:
    """The actions to take, of those that the configuration names and that would help; and what is withheld of them."""
    wanted = [
        each for each in _actions(subject, severity, performance, config) if each.name in config.actions
    ]
    if restricted.only_pause and any(each.name != "pause" for each in wanted):
        return (), (Withheld("", restricted.only_pause, for_long=True),)
    withheld = [
        restricted.steps[each.agent, step]
        for each in wanted
        for step in each.steps
        if (each.agent, step) in restricted.steps
    ]
    left = [each for each in (_without(action, restricted.steps) for action in wanted) if each is not None]
    # More than the limit of an hour could never be done at once.
    return tuple(left[: config.actions_per_hour]), tuple(withheld)


def _without(action: Action, steps: Mapping[tuple[str, str], Withheld]) -> Action | None:
    if action.adaptations:
        left = tuple(each for each in action.adaptations if (action.agent, each) not in steps)
        return replace(action, adaptations=left) if left else None
    return None if any((action.agent, step) in steps for step in action.steps) else action


def make(
    subject: Subject,
    impact: Impact,
    threshold: float | None,
    actions: tuple[Action, ...],
    config: Optimizer,
) -> Strategy:
    """The strategy for a bottleneck, of these actions; without any it is advice to people."""
    bottleneck = subject.bottleneck
    implementation = config.implementation_seconds.get(bottleneck.name, bottleneck.actions.settling_seconds)
    expected = EXPECTED_SHARE * impact.ratio
    texts = {
        "measure": bottleneck.measure.text,
        "events": bottleneck.measure.events,
        "target": messages.target(subject),
        "limit": messages.limit(bottleneck, threshold),
        "bound": messages.bound(bottleneck, threshold),
        "impact": messages.percent(impact.ratio),
        "expected": messages.percent(expected),
        "samples": config.minimum_samples,
        "implementation": messages.duration(implementation),
    }
    plan = messages.actions(actions) or f"for people: {bottleneck.advice}"
    return Strategy(
        type=bottleneck.name,
        priority=impact.severity,
        target=messages.target(subject),
        description=f"{bottleneck.finding.format(**texts)}; {plan}",
        impact_ratio=impact.ratio,
        expected_improvement_ratio=expected,
        implementation_seconds=implementation,
        actions=actions,
        success_metrics=tuple(text.format(**texts) for text in messages.SUCCESS_METRICS),
        rollback_plan=_rollback(actions).format(**texts),
    )


def pauses(strategy: Strategy) -> bool:
    """Whether it stops the bot, which then has nothing to measure."""
    return any(action.name == "pause" for action in strategy.actions)


def _actions(
    subject: Subject, severity: Severity, performance: Mapping[str, Performance], config: Optimizer
) -> list[Action]:
    """All that would help, allowed or not."""
    actions = subject.bottleneck.actions
    if _is_for_a_pause(actions, severity) and "pause" in config.actions:
        return [Action("pause")]
    # The weakest first: they are what an hour's limit is for.
    weakest_first = sorted(performance, key=lambda agent: (performance[agent].ratio, agent))
    agents = [subject.agent] if subject.agent else weakest_first
    return [action for agent in agents for action in _for_agent(agent, actions, performance.get(agent))]


def _is_for_a_pause(actions: Actions, severity: Severity) -> bool:
    return actions.pause_at is not None and rank(severity) >= rank(actions.pause_at)


def _for_agent(agent: str, actions: Actions, performance: Performance | None) -> Iterator[Action]:
    if actions.adaptations:
        yield Action("execute_adaptation", agent, adaptations=actions.adaptations)
    step = _autonomy_step(performance)
    if step in actions.autonomy:
        yield Action("adjust_autonomy", agent, direction=step)


def _autonomy_step(performance: Performance | None) -> AutonomyStep | None:
    """The one that the performance ratio asks for, if any."""
    if performance is None:
        return None
    if performance.low is not None and performance.ratio < performance.low:
        return "lower"
    if performance.high is not None and performance.ratio > performance.high:
        return "raise"
    return None


def _rollback(actions: tuple[Action, ...]) -> str:
    if not actions:
        return messages.ROLLBACK_OF_NOTHING
    return messages.ROLLBACK_OF_PAUSE if actions[0].name == "pause" else messages.ROLLBACK
