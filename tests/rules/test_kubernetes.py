"""deploy/kubernetes says what rules/ says; the operator's own schemas were tried by hand (docs/stack.md)."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from rulefiles import ROOT, RULE_FILES, RULES, groups_of, load
from tools import needed

FOLDER = ROOT / "deploy" / "kubernetes"
SPEC: Mapping[str, Any] = load(FOLDER / "alertmanagerconfig.yml")["spec"]


def resources() -> Iterator[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yield from yaml.load_all((FOLDER / "prometheusrules.yml").read_text("utf-8"), loader)


def test_the_rules_are_all_there_and_the_same() -> None:
    found = {each["metadata"]["name"]: each["spec"]["groups"] for each in resources()}
    expected = {
        "-".join(["tweetbot", *path.relative_to(RULES).with_suffix("").parts]): groups_of(path)
        for path in RULE_FILES
    }
    assert found == expected


def as_alertmanager_has_it(value: Any) -> Any:
    """The operator's keys and matchers in Alertmanager's own spelling."""
    if isinstance(value, dict):
        if value.keys() == {"name", "matchType", "value"}:
            return f'{value["name"]}{value["matchType"]}"{value["value"]}"'
        return {snake(key): as_alertmanager_has_it(each) for key, each in value.items()}
    return [as_alertmanager_has_it(each) for each in value] if isinstance(value, list) else value


def snake(key: str) -> str:
    """sourceMatch → source_matchers, groupBy → group_by"""
    key = re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", key)
    return f"{key}ers" if key.endswith("_match") else key


def test_routes_and_inhibition_are_the_same() -> None:
    shipped = load(RULES / "alertmanager.yml")
    assert as_alertmanager_has_it(SPEC["route"]) == shipped["route"]
    assert as_alertmanager_has_it(SPEC["inhibitRules"]) == shipped["inhibit_rules"]


def test_every_receiver_of_a_route_is_there(tmp_path: Path) -> None:
    document = {
        "route": as_alertmanager_has_it(SPEC["route"]),
        "inhibit_rules": as_alertmanager_has_it(SPEC["inhibitRules"]),
        "receivers": [{"name": each["name"]} for each in SPEC["receivers"]],
    }
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(document))
    subprocess.run([needed("amtool"), "check-config", path], check=True, capture_output=True)
    silent = [each["name"] for each in SPEC["receivers"] if "webhookConfigs" not in each]
    assert silent == ["none"]


def test_targets_have_the_labels_that_the_rules_know() -> None:
    (endpoint,) = load(FOLDER / "servicemonitor.yml")["spec"]["endpoints"]
    labels = {each["targetLabel"] for each in endpoint["relabelings"] if "targetLabel" in each}
    (target,) = load(RULES / "targets" / "tweetbot.yml")
    assert labels == {"job", "instance", *target["labels"]}
    (job,) = (each["replacement"] for each in endpoint["relabelings"] if each.get("targetLabel") == "job")
    assert f'up{{job="{job}"}}' in (RULES / "alerts" / "monitoring.yml").read_text("utf-8")
