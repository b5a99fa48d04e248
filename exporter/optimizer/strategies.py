"""What is to be done about a bottleneck, and in which order: pure, from what Prometheus says."""

from collections.abc import Iterator, Mapping

from exporter.config import Optimizer
from exporter.optimizer import messages
from exporter.optimizer.bottlenecks.base import Actions, AutonomyStep, Severity
from exporter.optimizer.model import Action, Impact, Performance, Strategy, Subject, rank

EXPECTED_SHARE = 0.7
"""The improvement that is expected of an optimization, as a share of the impact."""


def urgency(severity: Severity, impact: Impact | None, optimization_id: int) -> tuple[float, ...]:
    """Sorts optimizations, the most urgent first: by priority, then by expected improvement, then by age."""
    if impact is None:
        return (-rank(severity), 0.0, optimization_id)
    return (-rank(impact.severity), -EXPECTED_SHARE * impact.ratio, optimization_id)


def make(
    subject: Subject,
    impact: Impact,
    threshold: float | None,
    performance: Mapping[str, Performance],
    config: Optimizer,
) -> Strategy:
    """The strategy for a bottleneck. `threshold` and `performance` (by agent) as far as they are known.

    Without actions where the configuration names none that would help: then it is advice to people.
    """
    bottleneck = subject.bottleneck
    wanted = _actions(subject, impact.severity, performance, config)
    # More than the limit of an hour could never be done at once.
    actions = tuple(each for each in wanted if each.name in config.actions)[: config.actions_per_hour]
    implementation = config.implementation_seconds.get(bottleneck.name, bottleneck.actions.settling_seconds)
    expected = EXPECTED_SHARE * impact.ratio
    texts = {
        "measure": bottleneck.measure,
        "events": bottleneck.events,
        "target": messages.target(subject),
        "limit": messages.limit(bottleneck, threshold),
        "bound": messages.bound(bottleneck, threshold),
        "impact": messages.percent(impact.ratio),
        "expected": messages.percent(expected),
        "samples": config.minimum_samples,
        "implementation": messages.duration(implementation),
        "margin": messages.percent(config.margin_ratio),
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
