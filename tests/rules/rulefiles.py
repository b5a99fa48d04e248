"""The rule files, read."""

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rules"
RULE_FILES = [
    RULES / "thresholds.yml",
    *sorted(RULES.glob("recording/*.yml")),
    *sorted(RULES.glob("alerts/*.yml")),
]
UNIT_TESTS = sorted(RULES.glob("tests/*_test.yml"))

Rule = dict[str, Any]


@cache
def _parsed(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def load(path: Path) -> Any:
    """The caller's own copy: reading is slow, changing must not be seen by others."""
    return deepcopy(_parsed(path))


def groups_of(path: Path) -> list[dict[str, Any]]:
    return list(load(path)["groups"])


def rules() -> Iterator[Rule]:
    for path in RULE_FILES:
        for group in groups_of(path):
            yield from group["rules"]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> list[Rule]:
    return [rule for rule in rules() if "record" in rule]


def alert_id(rule: Rule) -> str:
    labels = rule["labels"]
    extra = labels.get("window") or labels.get("bottleneck_severity") or ""
    return "-".join(filter(None, (rule["alert"], labels["severity"], extra)))


def annotation_queries(rule: Rule) -> list[str]:
    """The queries that an alert's texts make, as PromQL."""
    texts = " ".join(rule.get("annotations", {}).values())
    return re.findall(r'printf\s+"([^"]*\{[^"]*\}[^"]*)"', texts)


def runbook_queries(path: Path) -> list[str]:
    """The lines of a runbook's PromQL."""
    blocks = re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
