"""Every series that a rule, a text or a runbook names exists, has those labels, and is used as what it is."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from promql import Selector, read
from rulefiles import RULES, UNIT_TESTS, Rule, alerts, annotation_queries, load, recorded, runbook_queries
from series import EXPORTED, RECORDED, TARGET

ON_COUNTERS = {"rate", "irate", "increase", "resets"}
ON_GAUGES = {"avg_over_time", "min_over_time", "max_over_time", "changes", "deriv", "delta"}
ON_EITHER = {"last_over_time"}

OTHERS = {
    "up": set(),
    "scrape_duration_seconds": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "agent", "bottleneck", "bottleneck_severity"},
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "prometheus_rule_group_last_duration_seconds": {"rule_group"},
    "prometheus_notifications_sent_total": {"alertmanager"},
    "prometheus_notifications_errors_total": {"alertmanager"},
    "prometheus_notifications_dropped_total": set(),
    "prometheus_notifications_alertmanagers_discovered": set(),
    "alertmanager_notifications_total": {"integration"},
    "alertmanager_notifications_failed_total": {"integration", "reason"},
}
"""What is not ours, and its labels."""

LIFETIME = {"tweetbot_decision_resolved_total", "tweetbot_decision_resolved_succeeded_total"}
"""Counters that are read as totals: the calibration curve is about all decisions there are."""


def labels_of(name: str) -> set[str]:
    if name in EXPORTED:
        return EXPORTED[name][1]
    return RECORDED[name] if name in RECORDED else OTHERS[name]


def known(name: str) -> bool:
    return name in EXPORTED or name in RECORDED or name in OTHERS


def problems(expression: str) -> list[str]:
    return [
        problem for selector in read(expression)[0] for problem in [*unknown(selector), *misuse(selector)]
    ]


def unknown(selector: Selector) -> list[str]:
    """What is named and is not there."""
    names = [selector.name] if selector.name else named(selector.labels["__name__"])
    if not names:
        return [f"no series has a name {selector.labels['__name__']}"]
    if strange := [name for name in names if not known(name)]:
        return [f"{name} is neither exported nor recorded" for name in strange]
    lacking = set(selector.labels).difference(*map(labels_of, names), TARGET, {"__name__"})
    return [f"{selector.name or 'nothing named so'} has no label {label}" for label in sorted(lacking)]


def named(matcher: str) -> list[str]:
    """The names that are meant by a matcher such as "=~tweetbot_.+"."""
    parts = re.fullmatch(r"(=~|!~|!=|=)(.*)", matcher)
    assert parts
    every = [*EXPORTED, *RECORDED, *OTHERS]
    match parts[1]:
        case "=":
            return [parts[2]]
        case "=~":
            return [name for name in every if re.fullmatch(parts[2], name)]
        case _:
            return every


def misuse(selector: Selector) -> list[str]:
    kind = EXPORTED[selector.name][0] if selector.name in EXPORTED else ""
    innermost = selector.functions[-1] if selector.functions else ""
    if "group" in selector.functions:
        return []  # asks only whether it is there
    if kind == "gauge" and innermost in ON_COUNTERS:
        return [f"{innermost}() over the gauge {selector.name}"]
    if kind == "counter" and selector.name not in LIFETIME and innermost not in ON_COUNTERS:
        return [f"the counter {selector.name} without rate() or increase()"]
    if selector.ranged and innermost not in ON_COUNTERS | ON_GAUGES | ON_EITHER:
        return [f"{selector.name}: what does {innermost}() do with a range?"]
    return []


def name_of(rule: Rule) -> str:
    return str(rule.get("alert") or rule["record"])


@pytest.mark.parametrize("rule", [*recorded(), *alerts()], ids=name_of)
def test_series_of_rules(rule: Rule) -> None:
    assert problems(str(rule["expr"])) == []


@pytest.mark.parametrize("rule", alerts(), ids=name_of)
def test_series_of_texts(rule: Rule) -> None:
    queries = annotation_queries(rule)
    assert [problem for query in queries for problem in problems(query)] == []
    texts = " ".join(rule["annotations"].values())
    assert len(re.findall(r"\bquery\b", texts)) == len(queries), "a query that this test does not see"


RUNBOOKS = sorted((RULES / "runbooks").glob("*.md"))


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_series_of_runbooks(path: Path) -> None:
    queries = runbook_queries(path)
    assert without_rate(problem for query in queries for problem in problems(query)) == []
    prose = re.sub(r"```promql\n.*?```", "", path.read_text(), flags=re.DOTALL)
    names = re.findall(r"\b(?:tweetbot_\w+|(?:agent|bot|optimizer|tweetbot|agent_\w+):\w+:\w+)\b", prose)
    assert [name for name in names if not known(name) and not name.endswith("_")] == []


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_unit_tests_use_real_series(path: Path) -> None:
    tests = load(path)["tests"]
    series = [each["series"] for test in tests for each in test.get("input_series", [])]
    queries = [case["expr"] for test in tests for case in test.get("promql_expr_test", [])]
    assert series or queries
    found = without_rate(problem for query in [*series, *queries] for problem in problems(query))
    # A label of the target that only somebody's own configuration has.
    assert [problem for problem in found if "has no label env" not in problem] == []


def without_rate(found: Iterable[str]) -> list[str]:
    """People, and inputs of tests, look at counters as they stand."""
    return [problem for problem in found if "without rate" not in problem]


def test_no_exception_is_left_over() -> None:
    expressions = [str(rule["expr"]) for rule in [*alerts(), *recorded()]]
    expressions += [query for path in RUNBOOKS for query in runbook_queries(path)]
    used = {selector.name for expression in expressions for selector in read(expression)[0]}
    assert used >= OTHERS.keys() | LIFETIME
    assert not OTHERS.keys() & (EXPORTED.keys() | RECORDED.keys())


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(tweetbot_recent_success_ratio[5m])", "rate() over the gauge tweetbot_recent_success_ratio"),
        ("sum(tweetbot_trades_total)", "the counter tweetbot_trades_total without rate() or increase()"),
        ("tweetbot_nothing > 1", "tweetbot_nothing is neither exported nor recorded"),
        ('tweetbot_agent_running{type="x"} == 0', "tweetbot_agent_running has no label type"),
        ("max(tweetbot_trades_total)", "the counter tweetbot_trades_total without rate() or increase()"),
        ('{__name__="tweetbot_nothing"}', "tweetbot_nothing is neither exported nor recorded"),
        ('{__name__=~"tweetbot_nothing_.*"}', "no series has a name =~tweetbot_nothing_.*"),
    ],
)  # fmt: skip
def test_mistakes_are_seen(expression: str, problem: str) -> None:
    assert problems(expression) == [problem]
