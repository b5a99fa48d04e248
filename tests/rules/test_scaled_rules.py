"""exporter/cli/demo_rules.py: the same rules, only faster."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rulefiles import RULES, load
from tools import needed

from exporter.cli import demo_rules as scale

FACTOR = 60


@pytest.fixture
def fast(tmp_path: Path) -> Path:
    scale.write_scaled(tmp_path, FACTOR, {"tweetbot:recent_executions:minimum": 3})
    return tmp_path


@pytest.mark.parametrize(
    ("duration", "factor", "expected"),
    [("1h", 60, "60s"), ("1m", 60, "1s"), ("15s", 60, "250ms"), ("1d", 60, "1440s"), ("1h30m", 60, "90s"),
     ("0s", 60, "0s"), ("10ms", 60, "1ms"), ("5m", 1, "300s")],
)  # fmt: skip
def test_durations(duration: str, factor: float, expected: str) -> None:
    assert scale.shorter(duration, factor) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("increase(a_total[1h])", "increase(a_total[60s])"),
        ("changes(round(a, 10)[1h:30s])", "changes(round(a, 10)[60s:500ms])"),
        ("a / a offset 1d", "a / a offset 1440s"),
        ('agent:executions:increase1h{le="0.25"} > 5', 'agent:executions:increase1h{le="0.25"} > 5'),
        ("14.4 * agent:error_budget:ratio", "14.4 * agent:error_budget:ratio"),
    ],
)  # fmt: skip
def test_expressions(expression: str, expected: str) -> None:
    assert scale.scale_expression(expression, lambda duration: scale.shorter(duration, FACTOR)) == expected


def test_scaled_files_load(fast: Path) -> None:
    for command in (
        [needed("promtool"), "check", "config", str(fast / "prometheus.yml")],
        [needed("amtool"), "check-config", str(fast / "alertmanager.yml")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_only_times_to_wait_are_scaled(fast: Path) -> None:
    before = thresholds(RULES / "thresholds.yml")
    after = thresholds(fast / "thresholds.yml")
    changed = {name: after[name] for name in before if before[name] != after[name]}
    assert changed == {
        "tweetbot:recent_executions:minimum": "vector(3)",
        "tweetbot:execution_silence_seconds:minimum": "vector(60)",
        "tweetbot:decision_silence_seconds:minimum": "vector(360)",
        "tweetbot:bot_silence_seconds:minimum": "vector(60)",
        "tweetbot:cycle_silence_seconds:minimum": "vector(60)",
        "tweetbot:portfolio_age_seconds:threshold": "vector(120)",
        "tweetbot:market_data_age_seconds:threshold": "vector(120)",
        "tweetbot:optimizer_silence_seconds:threshold": "vector(10)",
    }


def thresholds(path: Path) -> dict[str, str]:
    return {rule["record"]: rule["expr"] for group in load(path)["groups"] for rule in group["rules"]}


def test_no_duration_is_forgotten(fast: Path) -> None:
    """Whatever has a unit of minutes or more in a rule, a range or an interval has been divided."""
    for path in [*fast.glob("recording/*.yml"), *fast.glob("alerts/*.yml"), fast / "alertmanager.yml"]:
        found = re.findall(
            r"\[\d+[mhd][\]:]|offset \d+[mhd]|(?:for|interval|wait): \d+[mhd]\b", path.read_text()
        )
        assert found == [], path


def test_nothing_waits_for_an_hour_of_the_day(fast: Path) -> None:
    text = (fast / "alertmanager.yml").read_text()
    assert "mute_time_intervals" not in text
    assert "active_time_intervals" not in text


@pytest.mark.parametrize("name", ["alerts_bottlenecks", "alerts_communication"])
def test_scaled_rules_pass_the_scaled_unit_tests(fast: Path, name: str) -> None:
    """An hour's test in a minute: same alerts, same texts, sixty times as soon."""
    document = scaled_test(load(RULES / "tests" / f"{name}_test.yml"))
    path = fast / "tests" / f"{name}_test.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(document, width=10**9))
    scale.write_scaled(fast, FACTOR)
    done = subprocess.run(
        [needed("promtool"), "test", "rules", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def scaled_test(document: dict[str, Any]) -> dict[str, Any]:
    def faster(duration: str) -> str:
        return str(scale.shorter(duration, FACTOR))

    document["evaluation_interval"] = faster(document["evaluation_interval"])
    for test in document["tests"]:
        test["interval"] = faster(test["interval"])
        for series in test["input_series"]:
            if "_timestamp_seconds" in series["series"]:
                series["values"] = re.sub(
                    r"(?<![\dx])\d+(?=[+x ]|$)",
                    lambda found: f"{int(found[0]) / FACTOR:g}",
                    str(series["values"]),
                )
        for case in [*test.get("alert_rule_test", []), *test.get("promql_expr_test", [])]:
            case["eval_time"] = faster(case["eval_time"])
    return document
