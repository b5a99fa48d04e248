"""What is to be done about each bottleneck: the numbers of the system's own optimizer, and its order."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from exporter.config import Optimizer
from exporter.optimizer import strategies
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.base import Adaptation, Severity
from exporter.optimizer.bottlenecks.coordination_efficiency import COORDINATION_EFFICIENCY
from exporter.optimizer.model import Action, Impact, PastStep, Performance, Strategy, Subject
from exporter.optimizer.strategies import Restrictions
from optimizer.fakes import CREATOR, FAILING, HUNTER, NOON, SLOW, SYSTEM, config

COORDINATION = Subject(COORDINATION_EFFICIENCY, HUNTER)
ADAPT = Action("execute_adaptation", HUNTER, ("STRATEGY_ADJUSTMENT",))


def made(subject: Subject = SLOW, impact: Impact | None = None, **keys: object) -> Strategy:
    ratios = keys.pop("performance", {})
    assert isinstance(ratios, dict)
    performance = {agent: Performance(ratio, 0.5, 0.8) for agent, ratio in ratios.items()}
    return planned(subject, impact or Impact("high", 0.4), 2.0, performance, config(**keys))


def planned(
    subject: Subject,
    impact: Impact,
    threshold: float | None,
    performance: Mapping[str, Performance],
    settings: Optimizer,
) -> Strategy:
    actions, _ = strategies.choose(subject, impact.severity, performance, settings, Restrictions())
    return strategies.make(subject, impact, threshold, actions, settings)


@pytest.mark.parametrize(
    ("subject", "impact", "expected", "seconds"),
    [
        (SLOW, 0.4, 0.28, 120),
        (FAILING, 0.08, 0.056, 300),
        (COORDINATION, 0.03, 0.021, 180),
        (SYSTEM, 0.1, 0.07, 600),
    ],
)
def test_the_example_of_the_degraded_bot(
    subject: Subject, impact: float, expected: float, seconds: float
) -> None:
    strategy = made(subject, Impact("high", impact))
    assert strategy.expected_improvement_ratio == pytest.approx(expected)
    assert strategy.implementation_seconds == seconds
    assert (strategy.type, strategy.priority) == (subject.bottleneck.name, "high")


def test_which_actions_for_which_bottleneck() -> None:
    assert made(SLOW).actions == (ADAPT,)
    assert made(COORDINATION).actions == (ADAPT,)
    both: tuple[Adaptation, ...] = ("STRATEGY_ADJUSTMENT", "GOAL_ADAPTATION")
    assert made(FAILING).actions == (Action("execute_adaptation", HUNTER, both),)


@pytest.mark.parametrize(("ratio", "lowered"), [(0.49, True), (0.5, False), (0.9, False), (None, False)])
def test_the_autonomy_of_a_failing_agent_is_lowered_where_it_performs_badly(
    ratio: float | None, lowered: bool
) -> None:
    performance = {CREATOR: 0.1} | ({} if ratio is None else {HUNTER: ratio})
    actions = made(FAILING, performance=performance).actions
    assert (Action("adjust_autonomy", HUNTER, direction="lower") in actions) is lowered
    assert all(action.agent == HUNTER for action in actions)


def test_the_whole_bot_the_weakest_first_and_no_more_than_an_hour_allows() -> None:
    performance = {"d": 0.8, "a": 0.45, "b": 0.81, "c": 0.2, "e": 0.5}
    low = [Action("adjust_autonomy", agent, direction="lower") for agent in ("c", "a")]
    assert made(SYSTEM, performance=performance).actions == (
        *low,
        Action("adjust_autonomy", "b", direction="raise"),
    )
    assert made(SYSTEM, performance=performance, actions_per_hour=2).actions == tuple(low)


@pytest.mark.parametrize(
    ("low", "high", "directions"),
    [
        (None, None, []),
        (0.5, None, ["lower"]),
        (None, 0.8, ["raise"]),
        (0.6, 0.7, ["lower", "lower", "raise"]),
    ],
)
def test_autonomy_is_adjusted_by_the_thresholds_in_force(
    low: float | None, high: float | None, directions: list[str]
) -> None:
    ratios = {"a": 0.45, "b": 0.55, "c": 0.85}
    performance = {agent: Performance(ratio, low, high) for agent, ratio in ratios.items()}
    strategy = planned(SYSTEM, Impact("high", 0.1), 0.75, performance, config())
    assert [action.direction for action in strategy.actions] == directions


def test_pause_only_where_it_is_named_and_critical_and_then_alone() -> None:
    named = {"actions": ["pause", "adjust_autonomy"], "performance": {HUNTER: 0.2}}
    assert made(SYSTEM, Impact("critical", 0.2), **named).actions == (Action("pause"),)
    assert made(SYSTEM, Impact("high", 0.1), **named).actions[0].name == "adjust_autonomy"
    assert made(SYSTEM, Impact("critical", 0.2), performance={HUNTER: 0.2}).actions[0].name != "pause"
    assert made(FAILING, Impact("critical", 0.3), **named).actions[0].name == "adjust_autonomy"


def test_only_actions_that_the_configuration_names() -> None:
    assert made(SLOW, actions=["adjust_autonomy", "pause"]).actions == ()
    assert made(SYSTEM, performance={HUNTER: 0.1}, actions=["execute_adaptation"]).actions == ()
    assert made(SYSTEM, Impact("critical", 0.1), actions=[]).actions == ()


def test_the_texts_are_concrete() -> None:
    strategy = made()
    assert strategy.target == "market-hunter"
    assert strategy.description == (
        "the response time of market-hunter is 40.0 % above the threshold of 2.00 s; "
        "market-hunter: execute_adaptation STRATEGY_ADJUSTMENT"
    )
    assert strategy.success_metrics == (
        "response time of market-hunter at most 2.00 s",
        "an improvement of 28.0 % is expected",
        "over at least 20 executions, starting 2 min after the last action",
    )
    assert strategy.rollback_plan == (
        "Kept only if the response time is better and no guardrail is worse. Else, and on request, every value that "
        "the actions changed is restored, newest first, where nobody changed it since."
    )


HOUR, DAY = 3600.0, 86_400.0


def past(step: str = "STRATEGY_ADJUSTMENT", ago: float | None = HOUR, **keys: Any) -> PastStep:
    """Of HUNTER, for a bottleneck of high severity."""
    moment = None if ago is None else NOON - ago
    fields: dict[str, Any] = {"outcome": "succeeded", "verdict": "succeeded", **keys}
    return PastStep(HUNTER, step, "high", improvement_ratio=None, moment=moment, optimization_id=7, **fields)


def chosen(
    subject: Subject, *before: PastStep, severity: Severity = "high"
) -> tuple[list[str], list[bool], str]:
    """The steps that are taken, whether those that are not are withheld for long, and why."""
    settings = config()
    restricted = strategies.restrictions(before, severity, NOON, settings, "")
    actions, withheld = strategies.choose(subject, severity, {}, settings, restricted)
    steps = [step for action in actions for step in action.steps]
    return steps, [each.for_long for each in withheld], "; ".join(each.why for each in withheld)


def test_what_harmed_once_is_not_tried_again_for_another_bottleneck_either() -> None:
    harm = past(verdict="harmful", outcome="rolled_back", ago=29 * DAY)
    for subject in (SLOW, COORDINATION):
        steps, for_long, why = chosen(subject, harm, severity="critical")
        assert (steps, for_long) == ([], [True])
        assert "STRATEGY_ADJUSTMENT did harm or was rolled back in optimization 7" in why
    assert chosen(FAILING, harm)[0] == ["GOAL_ADAPTATION"]
    assert chosen(SLOW, past(verdict="harmful", outcome="rolled_back", ago=31 * DAY))[0]


def test_an_action_is_not_repeated_before_its_cooldown_is_over() -> None:
    assert chosen(SLOW, past(ago=5 * HOUR))[:2] == ([], [False])
    assert chosen(COORDINATION, past(ago=5 * HOUR))[:2] == ([], [False])
    assert chosen(SLOW, past(ago=7 * HOUR))[:2] == (["STRATEGY_ADJUSTMENT"], [])
    assert chosen(SLOW, past("GOAL_ADAPTATION"))[:2] == (["STRATEGY_ADJUSTMENT"], [])
    assert chosen(SLOW, past(ago=None))[0] == ["STRATEGY_ADJUSTMENT"]
    assert chosen(SLOW, past(ago=5 * HOUR), severity="critical")[0] == ["STRATEGY_ADJUSTMENT"]
    assert chosen(Subject(AGENT_RESPONSE_TIME, CREATOR), past())[0] == ["STRATEGY_ADJUSTMENT"]


def test_past_the_loss_cap_nothing_but_a_pause() -> None:
    capped = Restrictions(only_pause="the portfolio's value is 80.00 USD")
    settings = config(actions=["execute_adaptation", "pause"])
    actions, withheld = strategies.choose(SLOW, "critical", {}, settings, capped)
    assert (actions, withheld[0].why) == ((), capped.only_pause)
    actions, withheld = strategies.choose(SYSTEM, "critical", {}, settings, capped)
    assert (actions, withheld) == ((Action("pause"),), ())


@pytest.mark.parametrize("subject", [SLOW, FAILING, COORDINATION, SYSTEM])
@pytest.mark.parametrize("actions", [["execute_adaptation", "adjust_autonomy"], ["pause"], []])
@pytest.mark.parametrize("threshold", [None, 0.7])
def test_no_text_is_left_unfilled(subject: Subject, actions: list[str], threshold: float | None) -> None:
    strategy = planned(
        subject,
        Impact("critical", 0.1),
        threshold,
        {HUNTER: Performance(0.1, 0.5, 0.8)},
        config(actions=actions),
    )
    for text in (strategy.description, strategy.rollback_plan, *strategy.success_metrics):
        assert "{" not in text
        assert "None" not in text
    assert bool(strategy.actions) is ("Nothing is done" not in strategy.rollback_plan)


def test_an_agent_s_name_is_no_template() -> None:
    hostile = "{limit.__class__} {0}"
    strategy = made(Subject(AGENT_RESPONSE_TIME, hostile))
    assert strategy.target == hostile
    assert strategy.success_metrics[0] == f"response time of {hostile} at most 2.00 s"


def test_the_order_is_by_priority_then_expected_improvement_then_age() -> None:
    wanted = [
        strategies.urgency("low", Impact("critical", 0.1), 9),
        strategies.urgency("critical", Impact("high", 0.5), 8),
        strategies.urgency("high", Impact("high", 0.4), 2),
        strategies.urgency("low", Impact("high", 0.4), 3),
        strategies.urgency("high", None, 1),
        strategies.urgency("low", Impact("medium", 9.0), 7),
        strategies.urgency("low", None, 4),
    ]
    shuffled = random.Random(1).sample(wanted, len(wanted))
    assert sorted(shuffled) == wanted
