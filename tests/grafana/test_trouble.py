"""What Overview says of when the trouble began is never at odds with what it says of the bot."""

import json
import subprocess
from pathlib import Path
from typing import Any

from grafana_files import all_queries
from tools import needed

BOT = 'job="tweetbot", instance="one:9464", bot="tweetbot"'
BOTTLENECK = f'{BOT}, agent="market-hunter", bottleneck="agent_success_rate", bottleneck_severity="medium"'
KNOWN = f"bot:known:group{{{BOT}}}"
IMPACT = f"agent:bottleneck_impact:ratio{{{BOTTLENECK}}}"
PENDING = f'ALERTS_FOR_STATE{{{BOTTLENECK}, alertname="TweetbotAgentSuccessRateLow", severity="warning"}}'
BEGAN = 1_795_880_382
MAY_BE_CHANCE, WELL, WARN = -1, 0, 1


def expected(panel: str, value: float | None, labels: str = "{}") -> dict[str, Any]:
    """The first query of a panel of Overview shows this; None is nothing."""
    where = {query.where: query for query in all_queries() if query.board == "tweetbot-overview"}
    samples = [] if value is None else [{"labels": labels, "value": value}]
    return {"expr": where[panel].filled(), "eval_time": "1m", "exp_samples": samples}


def seen(name: str, series: dict[str, float], *, bot: int, since: float | None) -> dict[str, Any]:
    """A bot of which Prometheus has these series, as the two panels show it."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": each, "values": f"{value}x1"} for each, value in {KNOWN: 1, **series}.items()
        ],
        "promql_expr_test": [
            expected("Bot: A", bot, '{bot="tweetbot"}'),
            expected("Wrong since: A", since),
        ],
    }


def test_trouble_has_a_beginning_or_may_be_chance(tmp_path: Path) -> None:
    tests = [
        seen("nothing is wrong", {}, bot=WELL, since=None),
        seen("a bottleneck", {IMPACT: 0.1, PENDING: BEGAN}, bot=WARN, since=BEGAN * 1000),
        seen("too few runs to tell", {IMPACT: 0.1}, bot=WARN, since=MAY_BE_CHANCE),
    ]
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [], "tests": tests}), "utf-8")
    command = [needed("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
