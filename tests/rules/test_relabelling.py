"""Rules survive whatever happens to a target's labels: renamed, moved, labelled, doubled.

promtool evaluates all of them over what the golden bot's exporter shows, and fails if a rule does, such as by a join
that finds two series for one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from promtool import Series, check
from tools import GOLDEN

TARGET = {"job": "tweetbot", "instance": "one:9464", "bot": "one"}
CHANGE, END = 40, 100
"""Minutes: when the labels change, and how long it goes on."""
COUNTERS = ("_total", "_bucket", "_count", "_sum")


LIVE = """\
tweetbot_messages_total{from_agent="market-hunter",to_agent="content-creator"} 100
tweetbot_messages_failed_total{from_agent="market-hunter",to_agent="content-creator"} 0
tweetbot_negotiations_total{agent="content-creator"} 100
tweetbot_negotiations_succeeded_total{agent="content-creator"} 50
"""
"""The golden bot has no bridge."""


def shown(target: Mapping[str, str], begin: int = 0, end: int = END) -> Iterator[Series]:
    """What the golden bot's exporter shows from one minute to another; counters rise."""
    for family in text_string_to_metric_families((GOLDEN / "page.txt").read_text("utf-8") + LIVE):
        for sample in family.samples:
            labels = ", ".join(f'{key}="{value}"' for key, value in {**target, **sample.labels}.items())
            rising = "+1" if sample.name.endswith(COUNTERS) else ""
            before, after = f"_x{begin} " if begin else "", " stale" if end < END else ""
            values = f"{before}{sample.value:.9f}{rising}x{end - begin}{after}"
            yield {"series": f"{sample.name}{{{labels}}}", "values": values}


def changed(**labels: str) -> list[Series]:
    """The same exporter under other labels, without a pause in between."""
    return [*shown(TARGET, end=CHANGE), *shown({**TARGET, **labels}, begin=CHANGE + 1)]


def count(expression: str, target: Mapping[str, str], minute: int, expected: int) -> dict[str, Any]:
    matchers = ", ".join(f'{key}="{value}"' for key, value in target.items())
    samples = [{"labels": "{}", "value": expected}] if expected else []
    return {"expr": f"count({expression}{{{matchers}}})", "eval_time": f"{minute}m", "exp_samples": samples}


def well(target: Mapping[str, str], minute: int) -> list[dict[str, Any]]:
    """What is known of a bot is known under these labels."""
    return [
        count("agent:known:group", target, minute, 4),
        count("agent:coordination:ratio_increase1h", target, minute, 2),
        count("bot:overall_score:avg", target, minute, 1),
    ]


SCENARIOS: Mapping[str, tuple[list[Series], list[dict[str, Any]]]] = {
    "renamed": (changed(bot="other"), well({**TARGET, "bot": "other"}, CHANGE + 10)),
    "moved": (changed(instance="two:9464"), well({**TARGET, "instance": "two:9464"}, CHANGE + 10)),
    "labelled": (changed(team="trading"), well({**TARGET, "team": "trading"}, CHANGE + 10)),
    "two bots": (
        [*shown(TARGET), *shown({**TARGET, "instance": "two:9464", "bot": "two"})],
        [*well({"bot": "one"}, 90), *well({"bot": "two"}, 90)],
    ),
    "two exporters of one bot": (
        [*shown(TARGET), *shown({**TARGET, "instance": "two:9464"})],
        [*well(TARGET, 90), *well({**TARGET, "instance": "two:9464"}, 90)],
    ),
}


@pytest.mark.slow("promtool evaluates all rules for a hundred minutes")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rules_survive(scenario: str, tmp_path: Path) -> None:
    series, cases = SCENARIOS[scenario]
    check(tmp_path, series, cases)
