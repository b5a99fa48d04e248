"""The rules that are generated: for a bottleneck of another kind, and with other addresses."""

import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rulefiles import RULES, UNIT_TESTS, Rule
from tools import needed

from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.base import AlertText, Bottleneck, Severity, Threshold
from rules.tools.bottlenecks import alerts_bottlenecks, recording_bottlenecks
from rules.tools.generate import generated
from rules.tools.links import Settings, load_settings
from rules.tools.thresholds import recording_thresholds

TARGET = 'job="tweetbot",instance="one:9464",bot="one",agent="a"'
SETTINGS = Settings(
    "https://grafana.example.org/path", "https://wiki.example.org/runbooks", "https://alerts.example.org"
)


def three_severities() -> Bottleneck:
    """Of the four that there are, none has three thresholds, and none for which less is better has two."""
    limits: list[Severity] = ["low", "high", "critical"]
    text = AlertText(summary="Slow.", description="Agent {agent} of {bot}: {value}, over {threshold}.")
    thresholds = tuple(
        Threshold(
            series=f"slowness:threshold_{severity}",
            severity=severity,
            alert=text,
            lasting=text if severity == "high" else None,
        )
        for severity in limits
    )
    return replace(AGENT_RESPONSE_TIME, name="slowness", thresholds=thresholds)


@pytest.mark.parametrize(
    ("value", "severity", "alerts"),
    [
        (0.9, None, set()),
        (1.5, "low", {("info", "low")}),
        (2.5, "high", {("info", "low"), ("warning", "high")}),
        (5, "critical", {("info", "low"), ("warning", "high"), ("critical", "critical")}),
    ],
)
def test_each_value_has_one_severity(
    tmp_path: Path, value: float, severity: Severity | None, alerts: set[tuple[str, str]]
) -> None:
    bottleneck = three_severities()
    recording = yaml.safe_load(recording_bottlenecks([bottleneck]))
    recording["groups"][0]["rules"].pop(0)  # whether the window may be judged is given below
    write(tmp_path / "recording.yml", recording)
    (tmp_path / "alerts.yml").write_text(alerts_bottlenecks([bottleneck], SETTINGS))
    given = {"agent:recent_window_judged:group": 1, bottleneck.rules.value: value}
    given |= {
        f"agent:slowness:threshold_{name}": limit
        for name, limit in zip(("low", "high", "critical"), (1, 2, 4), strict=True)
    }
    recorded = [] if severity is None else [sample(severity, value - 1)]
    firing = [
        {"labels": f'ALERTS{{alertname="{bottleneck.rules.alert}",alertstate="firing",bottleneck="slowness",'
         f'bottleneck_severity="{of}",severity="{route}",{TARGET}}}', "value": 1}
        for route, of in alerts
    ]  # fmt: skip
    queries = {"agent:bottleneck_impact:ratio": recorded, 'ALERTS{alertstate="firing"}': firing}
    test = {
        "interval": "1m",
        "input_series": [
            {"series": f"{name}{{{TARGET}}}", "values": f"{number}x10"} for name, number in given.items()
        ],
        "promql_expr_test": [
            {"expr": query, "eval_time": "6m", "exp_samples": expected} for query, expected in queries.items()
        ],
    }
    run_tests(tmp_path / "three_test.yml", ["recording.yml", "alerts.yml"], [test])


def sample(severity: Severity, value: float) -> dict[str, Any]:
    labels = f'{{{TARGET},bottleneck="slowness",bottleneck_severity="{severity}"}}'
    return {"labels": f"agent:bottleneck_impact:ratio{labels}", "value": value}


def run_tests(path: Path, rule_files: list[str], tests: list[dict[str, Any]]) -> None:
    order = ["tweetbot-bottlenecks", "tweetbot-alerts-bottlenecks"]
    write(
        path,
        {"rule_files": rule_files, "evaluation_interval": "1m", "group_eval_order": order, "tests": tests},
    )
    promtool("test", "rules", path)


def write(path: Path, document: Any) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=10**9))


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run([needed("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_threshold_is_in_force_at_the_level_of_its_bottleneck(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.yml"
    rules: list[Rule] = [
        {"record": f"tweetbot:slowness:threshold_{name}", "expr": "vector(1)"} for name in ("low", "high")
    ]
    own = {**rules[0], "labels": {"agent": "slow"}}  # somebody's own, which adds no series
    write(path, {"groups": [{"name": "tweetbot-thresholds-bottlenecks", "rules": [*rules, own]}]})
    (group,) = yaml.safe_load(recording_thresholds(path, [three_severities()]))["groups"]
    assert [rule["record"] for rule in group["rules"]] == [
        "agent:slowness:threshold_low",
        "agent:slowness:threshold_high",
    ]
    with pytest.raises(KeyError, match="slowness:threshold_low"):
        recording_thresholds(path, [AGENT_RESPONSE_TIME])


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The rules of somebody whose Grafana and runbooks are elsewhere."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    (rules / "settings.yml").write_text("".join(f"{key}: {url}/\n" for key, url in asdict(SETTINGS).items()))
    for path, content in generated(rules, tmp_path / "alerts.md").items():
        path.write_text(content)
    return rules


def test_other_addresses_are_everywhere_and_nothing_else_changes(elsewhere: Path) -> None:
    """In the alerts and in what their tests expect: so these pass with any address if they do with the default one."""
    default = load_settings(RULES / "settings.yml")
    for path in [*RULES.glob("alerts/*.yml"), *UNIT_TESTS]:
        expected = path.read_text().replace(default.grafana_url, SETTINGS.grafana_url)
        expected = expected.replace(default.runbooks_url, SETTINGS.runbooks_url)
        assert (elsewhere / path.relative_to(RULES)).read_text() == expected
    alerts = yaml.safe_load((elsewhere / "alerts" / "bottlenecks.yml").read_text())["groups"][0]["rules"]
    notes = alerts[0]["annotations"]
    assert notes["runbook_url"] == "https://wiki.example.org/runbooks/TweetbotAgentResponseTimeHigh.md"
    assert notes["dashboard_url"].startswith(
        "https://grafana.example.org/path/d/tweetbot-agent/agent?var-bot="
    )


@pytest.mark.parametrize("name", ["bottlenecks", "communication"])
def test_unit_tests_pass_with_other_addresses(elsewhere: Path, name: str) -> None:
    promtool("test", "rules", elsewhere / "tests" / f"alerts_{name}_test.yml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "grafana_url: http://localhost:3000\nrunbooks_url: http://a",
        "grafana_url: http://localhost:3000\nrunbooks_url: http://a\nalertmanager_url: http://c\nrunbook_url: http://b",
        "grafana_url: localhost:3000\nrunbooks_url: http://a\nalertmanager_url: http://c",
        "grafana_url: http://a/?orgId=1\nrunbooks_url: http://a\nalertmanager_url: http://c",
        "grafana_url: http://{{ $labels.bot }}/\nrunbooks_url: http://a\nalertmanager_url: http://c",
        "grafana_url: 3000\nrunbooks_url: http://a\nalertmanager_url: http://c",
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match="settings"):
        load_settings(path)
