"""A short and exact part of the table: promtool notifies with the same rows when the simulation says so."""

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytest
import yaml
from rulefiles import RULES
from tools import needed

from exporter.collectors.sqlite.evidence import ROWS
from simulation.agent import CRITICAL, MEDIUM, SLOW, WINDOW, Draw, Judge, Sums, notifications, succeeds, takes
from simulation.table import CHANCES, CHANGES, Chance, most_found, most_found_slow

TARGET = 'job="tweetbot", instance="one:9464", bot="one"'
FILES = (
    "thresholds",
    "recording/thresholds",
    "recording/activity",
    "recording/bottlenecks",
    "alerts/bottlenecks",
)
GROUPS = (
    "thresholds-bottlenecks", "thresholds-agents", "thresholds-bots", "thresholds-optimizers", "activity",
    "thresholds-in-force", "intervals", "liveness", "bottlenecks", "alerts-bottlenecks",
)  # fmt: skip
SEVERITIES = {MEDIUM: "medium", CRITICAL: "critical", SLOW: "high"}


@pytest.mark.timeout(600)
def test_promtool_agrees(tmp_path: Path) -> None:
    """A row a minute: well, bad, well again."""
    lives: tuple[tuple[Judge, Draw, Draw], ...] = (
        (MEDIUM, succeeds(0.9), succeeds(0.2)),
        (CRITICAL, succeeds(0.9), succeeds(0.1)),
        (SLOW, takes(1.2, 0.28), takes(3.5, 0.28)),
        (MEDIUM, succeeds(0.75), succeeds(0.74)),
    )
    found = []
    shown: list[dict[str, str]] = []
    cases: list[dict[str, object]] = []
    for number, (judge, before, after) in enumerate(lives):
        dice = random.Random(3)
        rows = [draw(dice) for draw, count in ((before, 70), (after, 60), (before, 60)) for _ in range(count)]
        states = [*judge.states(rows)]
        shown += series(judge, rows, f"a{number}")
        cases += expected(judge, states, f"a{number}")
        found.append((any(states), states[-1]))
    assert found == [(True, False), (True, False), (True, False), (False, False)]
    promtool(tmp_path, shown, cases)


def expected(judge: Judge, states: Sequence[bool], agent: str) -> list[dict[str, object]]:
    """Before and at each change, and at the end."""
    changes = [place for place in range(1, len(states)) if states[place] != states[place - 1]]
    series = f'agent:bottleneck_evident:group{{agent="{agent}", bottleneck_severity="{SEVERITIES[judge]}"}}'
    places = {*changes, *(each - 1 for each in changes), len(states) - 1}
    return [
        {
            "expr": f"count({series})",
            "eval_time": f"{place}m",
            "exp_samples": [{"labels": "{}", "value": 1}] if states[place] else [],
        }
        for place in sorted(places)
    ]


def series(judge: Judge, rows: Sequence[int], agent: str) -> list[dict[str, str]]:
    """What the exporter shows after each row, from its own functions."""
    values, bounds = [], []
    for end in range(1, len(rows) + 1):
        newest = rows[:end][::-1]
        bound = judge.bound(newest[:ROWS])
        values.append(f"{judge.value(newest[:WINDOW]):.12g}")
        bounds.append("_" if bound is None else f"{bound:.12g}")
    names = (
        ("recent_response_time_seconds", "recent_response_time_lower_bound_seconds")
        if judge.lower_is_better
        else ("recent_success_ratio", "recent_success_upper_bound_ratio")
    )
    count = len(rows) - 1
    shown = {
        names[0]: " ".join(values),
        names[1]: " ".join(bounds),
        "recent_executions": f"1+1x{WINDOW - 1} {WINDOW}x{count - WINDOW}",
        "execution_last_timestamp_seconds": f"0+60x{count}",
        "recent_window_start_timestamp_seconds": f"0x{WINDOW - 1} 60+60x{count - WINDOW}",
    }
    labels = f'{{{TARGET}, agent="{agent}"}}'
    return [{"series": f"tweetbot_{name}{labels}", "values": each} for name, each in shown.items()]


def promtool(directory: Path, shown: list[dict[str, str]], cases: list[dict[str, object]]) -> None:
    document = {
        "rule_files": [str(RULES / f"{name}.yml") for name in FILES],
        "evaluation_interval": "1m",
        "group_eval_order": [f"tweetbot-{name}" for name in GROUPS],
        "tests": [{"interval": "1m", "input_series": shown, "promql_expr_test": cases}],
    }
    path = directory / "simulation_test.yml"
    path.write_text(yaml.safe_dump(document, width=10**9))
    command = [needed("promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chance", CHANCES, ids=lambda chance: chance.name)
def test_chance_does_not_notify(chance: Chance) -> None:
    """A day of each agent of the table, at an execution every 20 s; before, it notified up to fifteen times."""
    assert chance.per_week([20], 24 * 60 * 3, random.Random(5)) == [0]


def test_changes_are_found_as_the_table_says() -> None:
    delays = {change.name: change.delays(8, random.Random(7)) for change in CHANGES}
    assert max(delays["success 0.90 → 0.35, ticket"]) <= 70
    assert max(delays["success 0.90 → 0, ticket"]) <= 20
    assert max(delays["success 0.90 → 0, page"]) <= 30
    assert max(delays["mean 1.2 → 2.8 s, σ 0.28, ticket"]) <= 60
    assert fmean(delays["success 0.90 → 0.55, ticket"]) < 170


@pytest.mark.parametrize(
    ("judge", "draw"),
    [
        (MEDIUM, succeeds(0.64)),
        (MEDIUM, succeeds(0.3)),
        (CRITICAL, succeeds(0.45)),
        (SLOW, takes(2.4, 0.28)),
        (SLOW, takes(2.6, 1.0)),
    ],
)
def test_evidence_is_what_the_exporters_bounds_say(judge: Judge, draw: Draw) -> None:
    """The simulation does not work the bounds out: it would take many hours."""
    dice = random.Random(4)
    rows = [draw(dice) for _ in range(700)]
    sums, found = Sums(), []
    for end in range(1, len(rows) + 1):
        sums.add(rows[end - 1])
        bound = judge.bound(rows[:end][::-1][:ROWS])
        worse = bound is not None and (bound > judge.well if judge.lower_is_better else bound < judge.well)
        assert judge.has_evidence(sums) == worse
        found.append(worse)
    assert {False, True} == {*found}


def test_an_alert_waits_and_is_kept() -> None:
    states = [False] * 3 + [True] * 10 + [False] * 4 + [True] * 10 + [False] * 40 + [True] * 10
    assert [*notifications(states, 60)] == [4, 68]


def test_no_test_whatever_could_meet_the_goal_of_detection() -> None:
    """Neyman and Pearson: with so few false alarms, half of the changes are not to be seen in 60 executions."""
    assert most_found(0.75, 0.55, 60, 0.2, 20) == pytest.approx(0.495, abs=0.001)
    assert most_found(0.6, 0.35, 40, 0.05, 20) == pytest.approx(0.248, abs=0.001)
    assert most_found(0.75, 0.0, 60, 0.2, 20) == pytest.approx(1)


def test_nor_where_durations_spread_widely() -> None:
    """Also of a test that knows the spread. Where they do not spread, the goal can be met, and is."""
    assert most_found_slow(1.8, 2.8, 1.0, 60, 0.5, 20) == pytest.approx(0.63, abs=0.01)
    assert most_found_slow(1.8, 2.8, 0.28, 60, 0.2, 20) == pytest.approx(1)
