"""Writes docs/alerts.md from the rule files:  python rules/tools/alert_table.py"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parent.parent
PAGE = RULES.parent / "docs" / "alerts.md"

TITLES = {
    "bottlenecks": "Bottlenecks of the optimizer",
    "slo": "Success-rate objective",
    "agents": "Agents and the orchestrator",
    "communication": "Messages between agents",
    "trading": "Money and market",
    "runtime": "The bot's process",
    "optimizer": "The optimizer, where one runs",
    "monitoring": "The monitoring itself",
}

HEAD = """# Alerts

<!-- Written by rules/tools/alert_table.py from the rule files. Do not edit: a test compares. -->

`critical` pages at any hour, `warning` is a ticket (sent outside quiet times), `info` is only shown in
dashboards. An alert fires `after` its condition has held for so long, and is `kept` for so long after it
ended, so that it does not come and go. Each name links to its runbook.

How they hang together: [rules/README.md](../rules/README.md).
"""


def rules_of(path: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(path.read_text())["groups"]:
        yield from group["rules"]


def alert_row(rule: dict[str, Any]) -> str:
    name, labels = rule["alert"], rule["labels"]
    severity = labels["severity"]
    for more in ("bottleneck_severity", "window"):
        if more in labels:
            severity += f" ({labels[more]})"
    cells = [
        f"[{name}](../rules/runbooks/{name}.md)",
        severity,
        rule.get("for", "at once"),
        rule.get("keep_firing_for", ""),
        rule["annotations"]["summary"],
    ]
    return f"| {' | '.join(cells)} |"


def threshold_row(rule: dict[str, Any]) -> str:
    value = re.fullmatch(r"vector\((.+)\)", rule["expr"])
    assert value, rule
    return f"| `{rule['record']}` | {value[1]} |"


def page() -> str:
    parts = [HEAD]
    for name, title in TITLES.items():
        parts.append(
            f"## {title}\n\n| alert | severity | after | kept | what |\n| --- | --- | --- | --- | --- |"
        )
        parts.extend(alert_row(rule) for rule in rules_of(RULES / "alerts" / f"{name}.yml"))
        parts.append("")
    parts.append(
        "## Thresholds\n\nThe defaults of [rules/thresholds.yml](../rules/thresholds.yml), which says how to "
        "change one for everybody, for one agent or for one bot.\n\n| series | default |\n| --- | --- |"
    )
    parts.extend(threshold_row(rule) for rule in rules_of(RULES / "thresholds.yml"))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
