"""Nothing is missing and nothing is left over: runbooks, tests, texts, labels, thresholds, the table."""

import importlib.util
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType

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
)
from tools import needed

RUNBOOKS = "https://github.com/tweetbot/tweetbot-exporter/blob/main/rules/runbooks/"
DASHBOARDS = "http://localhost:3000/d/tweetbot-"
BOARDS = {"overview", "agent", "decisions", "trading", "communication", "runtime", "optimizer"}
SEVERITIES = {"critical", "warning", "info", "none"}
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
TARGET_LABELS = {"job", "instance", "bot"}
EVERY_ALERT = pytest.mark.parametrize("rule", alerts(), ids=alert_id)


def pages() -> dict[str, Path]:
    return {path.stem: path for path in (RULES / "runbooks").glob("*.md") if path.stem != "README"}


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, RULES / "tools" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def runbook_queries(path: Path) -> list[str]:
    blocks = re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


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
    assert notes["runbook_url"] == f"{RUNBOOKS}{name}.md"
    board = re.match(re.escape(DASHBOARDS) + r"(\w+)/(\w+)(\?|$)", notes["dashboard_url"])
    assert board
    assert board[1] == board[2]
    assert board[1] in BOARDS
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
    "TweetbotPortfolioReset",
    "TweetbotOptimizerNotTakenBack",
}
"""Always there; and those that are moments, not states."""


@EVERY_ALERT
def test_an_alert_waits(rule: Rule) -> None:
    least = 2 if "window" in rule["labels"] else 5
    waits = re.fullmatch(r"(\d+)([mh])", rule.get("for", "0m"))
    assert waits
    minutes = int(waits[1]) * (60 if waits[2] == "h" else 1)
    assert rule["alert"] in WITHOUT_WAITING or minutes >= least


WITHOUT_KEEPING = {
    "Watchdog",
    "TweetbotDatabaseReplaced",
    "TweetbotExporterAbsent",
    "TweetbotCommandsStuck",
    "TweetbotCatchUpSlow",
    "TweetbotOptimizerNotTakenBack",
}
"""Conditions that do not come and go."""


@EVERY_ALERT
def test_an_alert_does_not_flap(rule: Rule) -> None:
    assert ("keep_firing_for" in rule) is (rule["alert"] not in WITHOUT_KEEPING)


@EVERY_ALERT
def test_rendered_texts_are_read_by_the_tests(rule: Rule) -> None:
    """A value that is a ratio is shown as one; %.0f of it would always be 0 or 1."""
    assert "%.0f" not in str(rule["annotations"])


def test_joins_are_never_on_less_than_the_target() -> None:
    configured = {rule["record"] for rule in recorded() if rule["record"].startswith("tweetbot:")}
    for rule in [*alerts(), *recorded()]:
        expression = str(rule["expr"])
        if any(selector.name in configured for selector in read(expression)[0]):
            continue  # what the user writes has no target
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
    in_force = {
        rule["record"]: rule["expr"] for rule in groups_of(RULES / "recording" / "thresholds.yml")[0]["rules"]
    }
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


def test_every_threshold_is_used() -> None:
    shown_only = {"agent:performance_ratio:threshold_low", "agent:performance_ratio:threshold_high"}
    in_force = {rule["record"] for rule in groups_of(RULES / "recording" / "thresholds.yml")[0]["rules"]}
    used = {selector.name for rule in [*alerts(), *recorded()] for selector in read(str(rule["expr"]))[0]}
    assert in_force - used == shown_only


def test_times_to_wait_are_thresholds() -> None:
    """`time() - x > 3600` in a rule could neither be changed by a user nor be scaled for a test."""
    for rule in [*alerts(), *recorded()]:
        if "time()" in str(rule["expr"]):
            assert re.search(r"time\(\) - [\w:]+\s+[<>] (bool )?on \(", rule["expr"]), rule


def test_the_table_of_alerts_is_in_step() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    assert page == tool("alert_table").page(), "python rules/tools/alert_table.py"
