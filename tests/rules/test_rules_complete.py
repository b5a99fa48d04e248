"""Nothing is missing and nothing is left over: runbooks, tests, texts, labels, thresholds, the table."""

import json
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from promql import read
from rulefiles import (
    ROOT,
    RULE_FILES,
    RULES,
    UNIT_TESTS,
    Rule,
    alert_id,
    alerts,
    groups_of,
    load,
    recorded,
    runbook_queries,
)
from tools import needed

from exporter.optimizer.bottlenecks import BOTTLENECKS
from rules.tools.links import load_settings

SETTINGS = load_settings(RULES / "settings.yml")
BOARDS = {path.stem for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
THRESHOLDS_IN_FORCE = RULES / "recording" / "thresholds.yml"
SEVERITIES = {"critical", "warning", "info", "none"}
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
TARGET_LABELS = {"job", "instance", "bot"}
EVERY_ALERT = pytest.mark.parametrize("rule", alerts(), ids=alert_id)


def pages() -> dict[str, Path]:
    return {path.stem: path for path in (RULES / "runbooks").glob("*.md") if path.stem != "README"}


def test_groups_have_different_names() -> None:
    names = [group["name"] for path in RULE_FILES for group in groups_of(path)]
    assert len(names) == len(set(names))
    assert all(name.startswith("tweetbot-") for name in names), "RuleEvaluationFailing knows them by this"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert set(pages()) == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("path", pages().values(), ids=pages())
def test_a_runbook_says_what_is_needed(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {path.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    for target in re.findall(r"\]\(([\w.]+\.md)(?:#[\w-]+)?\)", text):
        assert (path.parent / target).exists(), target
    assert len(text) < 3000, "too long for three in the morning"


def test_queries_of_runbooks_are_valid(tmp_path: Path) -> None:
    queries = [query for path in pages().values() for query in runbook_queries(path)]
    assert len(queries) > 80
    lines = [f"  - {{record: 'a:b:{number}', expr: {query!r}}}" for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text("groups:\n- name: queries\n  rules:\n" + "\n".join(lines))
    done = subprocess.run(
        [needed("promtool"), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@cache
def expected_alerts() -> Counter[tuple[str, ...]]:
    """Which alerts the unit tests see firing, by name and their own labels."""
    seen: Counter[tuple[str, ...]] = Counter()
    for path in UNIT_TESTS:
        for test in load(path)["tests"]:
            for case in test.get("alert_rule_test", []):
                for alert in case["exp_alerts"]:
                    labels = alert["exp_labels"]
                    key = (labels.get(name, "") for name in ("severity", "bottleneck_severity", "window"))
                    seen[case["alertname"], *key] += 1
    return seen


@EVERY_ALERT
def test_every_alert_is_seen_firing(rule: Rule) -> None:
    labels = rule["labels"]
    key = (labels.get(name, "") for name in ("severity", "bottleneck_severity", "window"))
    assert expected_alerts()[rule["alert"], *key], "no unit test expects it"


def test_every_tested_alert_exists_and_is_seen_silent() -> None:
    cases = [
        (case["alertname"], bool(case["exp_alerts"]))
        for path in UNIT_TESTS
        for test in load(path)["tests"]
        for case in test.get("alert_rule_test", [])
    ]
    names = {rule["alert"] for rule in alerts()}
    assert {name for name, _ in cases} == names
    assert {name for name, fires in cases if not fires} == names - {"Watchdog"}


def test_every_alert_is_tested_with_two_bots() -> None:
    """Where an alert is about a bot, a test that sees it firing has a second bot beside it."""
    tested = set()
    for path in UNIT_TESTS:
        for test in load(path)["tests"]:
            series = " ".join(entry["series"] for entry in test.get("input_series", []))
            if 'bot="one"' in series and 'bot="two"' in series:
                tested |= {
                    case["alertname"] for case in test.get("alert_rule_test", []) if case["exp_alerts"]
                }
    not_about_a_bot = {
        "TweetbotExporterAbsent",
        "TweetbotRuleEvaluationFailing",
        "TweetbotAlertmanagerUnreachable",
        "TweetbotNotificationsFailing",
        "Watchdog",
    }
    assert {rule["alert"] for rule in alerts()} - tested == not_about_a_bot


@EVERY_ALERT
def test_an_alert_has_what_its_reader_needs(rule: Rule) -> None:
    name, notes, labels = rule["alert"], rule["annotations"], rule["labels"]
    assert re.fullmatch(r"Tweetbot[A-Z]\w+|Watchdog", name)
    assert labels["severity"] in SEVERITIES
    assert notes["runbook_url"] == f"{SETTINGS.runbooks_url}/{name}.md"
    board = re.match(
        re.escape(SETTINGS.grafana_url) + r"/d/tweetbot-(\w+)/(\w+)(\?|$)", notes["dashboard_url"]
    )
    assert board
    assert board[1] == board[2]
    assert f"tweetbot-{board[1]}" in BOARDS
    assert "{{" not in notes["summary"], "the summary is a static sentence"
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    if "$labels.agent" in notes["description"]:
        assert "var-agent={{ $labels.agent | urlquery }}" in notes["dashboard_url"]
    if "bottleneck" in labels:
        assert {"impact", "suggested_fix"} <= notes.keys()
        assert labels["bottleneck_severity"] in {"critical", "high", "medium", "low"}


WITHOUT_WAITING = {
    "Watchdog",
    "TweetbotDatabaseReplaced",
    "TweetbotDatabaseRowsRewritten",
    "TweetbotPortfolioReset",
    "TweetbotOptimizerRollbackFailed",
}
"""Always there; and those that are moments, not states."""


def test_alerts_wait() -> None:
    assert {rule["alert"] for rule in alerts() if waited(rule) < least(rule)} == WITHOUT_WAITING


def waited(rule: Rule) -> int:
    """Minutes."""
    found = re.fullmatch(r"(\d+)([mh])", rule.get("for", "0m"))
    assert found
    return int(found[1]) * (60 if found[2] == "h" else 1)


def least(rule: Rule) -> int:
    """Minutes. A window of its own smooths already."""
    return 2 if "window" in rule["labels"] else 5


WITHOUT_KEEPING = {
    "Watchdog",
    "TweetbotDatabaseReplaced",
    "TweetbotDatabaseRowsRewritten",
    "TweetbotExporterAbsent",
    "TweetbotCommandsStuck",
    "TweetbotCatchUpSlow",
    "TweetbotOptimizerRollbackFailed",
}
"""Conditions that do not come and go."""


def test_alerts_do_not_flap() -> None:
    assert {rule["alert"] for rule in alerts() if "keep_firing_for" not in rule} == WITHOUT_KEEPING


@EVERY_ALERT
def test_rendered_texts_are_read_by_the_tests(rule: Rule) -> None:
    """A value that is a ratio is shown as one; %.0f of it would always be 0 or 1."""
    assert "%.0f" not in str(rule["annotations"])


def test_joins_are_never_on_less_than_the_target() -> None:
    in_force = groups_of(THRESHOLDS_IN_FORCE)[0]["rules"]
    for rule in [*alerts(), *recorded()]:
        expression = str(rule["expr"])
        # What the user writes has no target, and only the thresholds in force read it.
        if any(selector.name.startswith("tweetbot:") for selector in read(expression)[0]):
            assert rule in in_force
            continue
        for labels in re.findall(r"\bon \(([^)]*)\)", expression):
            assert {"job", "instance"} <= set(labels.split(", ")), rule
        assert not re.search(r"\bby \(", expression), f"`by` drops the target's labels: {rule}"


def test_names_of_recorded_series() -> None:
    for rule in recorded():
        assert re.fullmatch(r"(tweetbot|bot|optimizer|agent(_\w+)?):[a-z0-9_]+:[a-z0-9_]+", rule["record"]), (
            rule
        )


def test_thresholds_in_force_have_one_shape() -> None:
    """A copy of a line with a name forgotten in it would let an agent have another's threshold."""
    given = [
        rule["record"].removeprefix("tweetbot:")
        for rule in recorded()
        if rule["record"].startswith("tweetbot:")
    ]
    in_force = {rule["record"]: rule["expr"] for rule in groups_of(THRESHOLDS_IN_FORCE)[0]["rules"]}
    assert {name.partition(":")[2] for name in in_force} == set(given)
    for name, expression in in_force.items():
        level, _, threshold = name.partition(":")
        known, source = f"{level}:known:group", f"tweetbot:{threshold}"
        if level == "agent":
            expected = (
                f'{known} * on (bot, agent) group_left () {source}{{bot!="", agent!=""}}\n'
                f'or {known} * on (agent) group_left () {source}{{bot="", agent!=""}}\n'
                f'or {known} * on (bot) group_left () {source}{{bot!="", agent=""}}\n'
                f'or {known} * on () group_left () {source}{{bot="", agent=""}}\n'
            )
        else:
            expected = (
                f'{known} * on (bot) group_left () {source}{{bot!=""}}\n'
                f'or {known} * on () group_left () {source}{{bot=""}}\n'
            )
        assert expression == expected


def test_bottlenecks_have_their_thresholds() -> None:
    (group,) = [
        group for group in groups_of(RULES / "thresholds.yml") if group["name"].endswith("bottlenecks")
    ]
    defaults = [rule["record"] for rule in group["rules"] if "labels" not in rule]
    expected = {f"tweetbot:{threshold.series}" for each in BOTTLENECKS for threshold in each.thresholds}
    assert sorted(defaults) == sorted(expected)


FOR_USERS = {
    "agent:executions_errored_per_execution:ratio_increase1h",
    "bot:portfolio_growth:ratio1d",
    "bot:portfolio_week_goal_progress:ratio",
    "bot:trades:increase1d",
    "bot:trades:increase1h",
}
"""For users' own dashboards and alerts. Nothing here reads them; what is read is no exception."""


def test_every_recorded_series_is_read() -> None:
    queries = [str(rule["expr"]) for rule in [*alerts(), *recorded()]]
    queries += [query for path in pages().values() for query in runbook_queries(path)]
    queries += [query for name in BOARDS for query in dashboard_queries(name)]
    read_somewhere = {selector.name for query in queries for selector in read(query)[0]}
    assert {rule["record"] for rule in recorded()} - read_somewhere == FOR_USERS


def dashboard_queries(name: str) -> list[str]:
    def expressions(node: Any) -> list[str]:
        if isinstance(node, list):
            return [found for each in node for found in expressions(each)]
        if isinstance(node, dict):
            own = [node["expr"]] if isinstance(node.get("expr"), str) else []
            return own + [found for each in node.values() for found in expressions(each)]
        return []

    return expressions(json.loads((ROOT / "grafana" / "dashboards" / f"{name}.json").read_text()))


def test_times_to_wait_are_thresholds() -> None:
    """`time() - x > 3600` in a rule could neither be changed by a user nor be scaled for a test."""
    for rule in [*alerts(), *recorded()]:
        if "time()" in str(rule["expr"]):
            assert re.search(r"time\(\) - [\w:]+\s+[<>] (bool )?on \(", rule["expr"]), rule
