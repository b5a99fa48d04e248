"""The measure of sanity: three days of a healthy real bot page nobody."""

import subprocess
from pathlib import Path

import pytest
import yaml
from replay import TARGET, Replay
from rulefiles import RULE_FILES, groups_of
from tools import NO_REAL_DATA, REAL_DATA, needed

DATABASE = REAL_DATA / "three-days.db"
UNHEEDING = (
    "autonomous-market-hunter",
    "content-creator",
    "execution-agent",
    "intelligent-execution-agent",
    "market-analyzer",
    "market-hunter",
    "performance-optimizer",
)

ORDER = ["thresholds-bottlenecks", "thresholds-agents", "thresholds-bots", "thresholds-optimizers", "activity",
         "thresholds-in-force", "intervals", "liveness", "agents", "communication", "scores", "bottlenecks", "slo",
         "slo-days", "trading", "trading-days"]  # fmt: skip


@pytest.mark.slow("promtool evaluates all rules over three days")
@pytest.mark.timeout(300)
def test_a_healthy_real_bot_pages_nobody(tmp_path: Path) -> None:
    if not DATABASE.exists():
        pytest.skip(NO_REAL_DATA)
    series, steps = Replay(DATABASE).run()
    series.append({"series": f"up{{{TARGET}}}", "values": f"1x{steps}"})
    others = [group["name"] for path in RULE_FILES for group in groups_of(path)]
    first = [f"tweetbot-{name}" for name in ORDER]
    fired = 'group by (alertname, severity, agent) (count_over_time(ALERTS{alertstate="firing"}[70h]))'
    ticket = {"severity": "warning"}
    expected = [
        {"alertname": "Watchdog", "severity": "none"},
        # True: it was paused twice for hours, and none of those that act heeds that.
        *({"alertname": "TweetbotAgentActsWhilePaused", "agent": agent, **ticket} for agent in UNHEEDING),
    ]
    test = {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {"expr": fired, "eval_time": f"{steps}m", "exp_samples": [sample(labels) for labels in expected]}
        ],
    }
    document = {
        "rule_files": [str(path) for path in RULE_FILES],
        "evaluation_interval": "5m",
        "group_eval_order": first + [name for name in others if name not in first],
        "tests": [test],
    }
    path = tmp_path / "real_bot_test.yml"
    path.write_text(yaml.safe_dump(document, width=10**9))
    done = subprocess.run(
        [needed("promtool"), "test", "rules", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def sample(labels: dict[str, str]) -> dict[str, object]:
    return {
        "labels": "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}",
        "value": 1,
    }
