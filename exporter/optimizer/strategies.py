"""What is to be done about a bottleneck, and in which order: pure, from what Prometheus says."""

from collections.abc import Mapping
from types import MappingProxyType

from exporter.config import Optimizer
from exporter.optimizer import messages as words
from exporter.optimizer.model import (
    Action,
    Adaptation,
    Bottleneck,
    Direction,
    Impact,
    Severity,
    Strategy,
    Subject,
)

IMPLEMENTATION_SECONDS: Mapping[Bottleneck, float] = MappingProxyType(
    {
        "agent_response_time": 120.0,
        "agent_success_rate": 300.0,
        "coordination_efficiency": 180.0,
        "system_performance": 600.0,
    }
)
"""How long a change needs before its effect can be measured."""
EXPECTED_SHARE = 0.7
"""Of the impact: what an optimization is expected to win."""
LOW_PERFORMANCE = 0.5
HIGH_PERFORMANCE = 0.8
"""Performance ratios below and above which an agent's autonomy is lowered and raised."""
ADAPTATIONS: Mapping[Bottleneck, tuple[Adaptation, ...]] = MappingProxyType(
    {
        "agent_response_time": ("STRATEGY_ADJUSTMENT",),
        "agent_success_rate": ("STRATEGY_ADJUSTMENT", "GOAL_ADAPTATION"),
        "coordination_efficiency": ("STRATEGY_ADJUSTMENT",),
    }
)
_RANKS: Mapping[Severity, int] = MappingProxyType({"critical": 3, "high": 2, "medium": 1, "low": 0})


def rank(severity: Severity) -> int:
    """Of two severities the worse has the higher rank."""
    return _RANKS[severity]


def urgency(severity: Severity, impact: Impact | None, optimization_id: int) -> tuple[float, ...]:
    """Sorts optimizations, the most urgent first: by priority, then by expected improvement, then by age."""
    if impact is None:
        return (-rank(severity), 0.0, optimization_id)
    return (-rank(impact.severity), -EXPECTED_SHARE * impact.ratio, optimization_id)


def make(
    subject: Subject,
    impact: Impact,
    threshold: float | None,
    performance: Mapping[str, float],
    config: Optimizer,
) -> Strategy:
    """The strategy for a bottleneck. `threshold` and `performance` (ratios by agent) as far as they are known.

    Without actions where the configuration names none that would help: then it is advice to people.
    """
    kind = subject.bottleneck
    chosen = tuple(
        action
        for action in _actions(subject, impact.severity, performance, config)
        if _allowed(action, config)
    )
    # More than the limit of an hour could never be done at once.
    actions = chosen[: config.actions_per_hour]
    implementation = config.implementation_seconds.get(kind, IMPLEMENTATION_SECONDS[kind])
    expected = EXPECTED_SHARE * impact.ratio
    texts = {
        "measure": words.WORDS[kind].measure,
        "events": words.WORDS[kind].events,
        "target": words.target(subject),
        "limit": words.limit(kind, threshold),
        "bound": words.bound(kind, threshold),
        "impact": words.percent(impact.ratio),
        "expected": words.percent(expected),
        "implementation": words.duration(implementation),
        "samples": config.minimum_samples,
        "margin": words.percent(config.margin_ratio),
    }
    plan = words.doing(actions) or f"for people: {words.WORDS[kind].advice}"
    return Strategy(
        type=kind,
        priority=impact.severity,
        target=words.target(subject),
        description=f"{words.WORDS[kind].finding.format(**texts)}; {plan}",
        impact_ratio=impact.ratio,
        expected_improvement_ratio=expected,
        implementation_seconds=implementation,
        actions=actions,
        success_metrics=tuple(text.format(**texts) for text in words.SUCCESS_METRICS),
        rollback_plan=_rollback(actions).format(**texts),
    )


def pauses(strategy: Strategy) -> bool:
    """Whether it stops the bot, of which nothing can be measured then."""
    return any(action.name == "pause" for action in strategy.actions)


def _actions(
    subject: Subject, severity: Severity, performance: Mapping[str, float], config: Optimizer
) -> list[Action]:
    if subject.bottleneck != "system_performance":
        agent = subject.agent
        adapt = Action("execute_adaptation", agent, adaptations=ADAPTATIONS[subject.bottleneck])
        weak = subject.bottleneck == "agent_success_rate" and _direction(performance.get(agent)) == "lower"
        return [adapt, *([Action("adjust_autonomy", agent, direction="lower")] if weak else [])]
    if severity == "critical" and "pause" in config.actions:
        return [Action("pause")]
    # The weakest first: they are what an hour's limit is for.
    ratios = sorted(performance.items(), key=lambda item: (item[1], item[0]))
    return [
        Action("adjust_autonomy", agent, direction=direction)
        for agent, ratio in ratios
        if (direction := _direction(ratio)) is not None
    ]


def _direction(performance: float | None) -> Direction | None:
    if performance is None or LOW_PERFORMANCE <= performance <= HIGH_PERFORMANCE:
        return None
    return "lower" if performance < LOW_PERFORMANCE else "raise"


def _allowed(action: Action, config: Optimizer) -> bool:
    return action.name in config.actions


def _rollback(actions: tuple[Action, ...]) -> str:
    if not actions:
        return words.ROLLBACK_OF_NOTHING
    return words.ROLLBACK_OF_PAUSE if actions[0].name == "pause" else words.ROLLBACK
