"""Every series that a rule, a text or a runbook names exists, has those labels, and is used as what it is."""

import re
from pathlib import Path

import pytest
from promql import Selector, read
from rulefiles import RULES, Rule, alerts, annotation_queries, recorded

from exporter.metrics.catalogue import FAMILIES, Family

TARGET = {"job", "instance", "bot"}
ON_COUNTERS = {"rate", "irate", "increase", "resets"}
ON_GAUGES = {"avg_over_time", "min_over_time", "max_over_time", "changes", "deriv", "delta"}
ON_EITHER = {"last_over_time"}

OTHERS = {
    "up": set(),
    "scrape_duration_seconds": set(),
    "ALERTS": {"alertname", "alertstate", "agent", "bottleneck_severity"},
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


def series_of(family: Family) -> dict[str, tuple[str, set[str]]]:
    """The names of a family's series, each with its kind and its labels."""
    labels = set(family.labels)
    if family.kind != "histogram":
        return {family.name: ("counter" if family.kind == "counter" else "gauge", labels)}
    return {
        f"{family.name}_bucket": ("counter", labels | {"le"}),
        f"{family.name}_sum": ("counter", labels),
        f"{family.name}_count": ("counter", labels),
    }


EXPORTED = {name: about for family in FAMILIES for name, about in series_of(family).items()}


def recorded_labels() -> dict[str, set[str]]:
    """The level of a name says which labels the series has; a rule may add some."""
    parts = ("agent", "confidence_band", "component", "quantile", "le")
    labels: dict[str, set[str]] = {}
    for rule in recorded():
        level = rule["record"].partition(":")[0]
        known = {part for part in parts if part in level} | ({"agent"} if level == "tweetbot" else set())
        labels.setdefault(rule["record"], set()).update(known, rule.get("labels", {}))
    return labels


RECORDED = recorded_labels()


def labels_of(name: str) -> set[str]:
    if name in EXPORTED:
        return EXPORTED[name][1]
    return RECORDED[name] if name in RECORDED else OTHERS[name]


def known(name: str) -> bool:
    return name in EXPORTED or name in RECORDED or name in OTHERS


def problems(expression: str) -> list[str]:
    found = []
    selectors, _ = read(expression)
    for selector in selectors:
        if not known(selector.name):
            found.append(f"{selector.name} is neither exported nor recorded")
            continue
        unknown = set(selector.labels) - labels_of(selector.name) - TARGET
        found += [f"{selector.name} has no label {label}" for label in sorted(unknown)]
        found += misuse(selector)
    return found


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
    assert [problem for query in annotation_queries(rule) for problem in problems(query)] == []


RUNBOOKS = sorted((RULES / "runbooks").glob("*.md"))


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_series_of_runbooks(path: Path) -> None:
    text = path.read_text()
    names = re.findall(r"\b(?:tweetbot_\w+|(?:agent|bot|optimizer|tweetbot|agent_\w+):\w+:\w+)\b", text)
    names = [name for name in names if not name.endswith("_")]
    assert [
        name for name in names if not known(name) and not any(other.startswith(name) for other in RECORDED)
    ] == []
    for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL):
        for query in filter(None, map(str.strip, block.splitlines())):
            if not query.startswith("{__name__"):
                unknown = [problem for problem in problems(query) if "without rate" not in problem]
                assert unknown == [], query


def test_unit_tests_use_real_series() -> None:
    for path in sorted(RULES.glob("tests/*_test.yml")):
        for series in re.findall(r"series: '([^']+)'", path.read_text()):
            assert [
                problem
                for problem in problems(series)
                if "has no label env" not in problem and "without rate" not in problem
            ] == [], path.name


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(tweetbot_recent_success_ratio[5m])", "rate() over the gauge tweetbot_recent_success_ratio"),
        ("sum(tweetbot_trades_total)", "the counter tweetbot_trades_total without rate() or increase()"),
        ("tweetbot_nothing > 1", "tweetbot_nothing is neither exported nor recorded"),
        ('tweetbot_agent_running{type="x"} == 0', "tweetbot_agent_running has no label type"),
        ("max(tweetbot_trades_total)", "the counter tweetbot_trades_total without rate() or increase()"),
    ],
)  # fmt: skip
def test_mistakes_are_seen(expression: str, problem: str) -> None:
    assert problems(expression) == [problem]
