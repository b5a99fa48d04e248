"""Every metric and label of every query exists: in the catalogue, the rules, or Prometheus itself."""

import re

import pytest
import yaml
from grafana_files import ROOT, Query, all_queries

from exporter.metrics.catalogue import FAMILIES

TARGET = {"job", "instance", "bot"}
FILE_SYSTEM = {"device", "fstype", "mountpoint"}
ALERTS = {"alertname", "alertstate", "severity", "agent", "bottleneck", "bottleneck_severity"}
# Of the exporter as a program, of Prometheus about itself, and of node_exporter.
OTHERS = {
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "ALERTS": ALERTS,
    "ALERTS_FOR_STATE": ALERTS,
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "prometheus_rule_group_iterations_missed_total": {"rule_group"},
    "prometheus_rule_group_last_duration_seconds": {"rule_group"},
    "prometheus_rule_group_interval_seconds": {"rule_group"},
    "prometheus_notifications_sent_total": {"alertmanager"},
    "prometheus_notifications_errors_total": {"alertmanager"},
    "prometheus_notifications_dropped_total": set(),
    "node_cpu_seconds_total": {"cpu", "mode"},
    "node_load5": set(),
    "node_memory_MemAvailable_bytes": set(),
    "node_memory_MemTotal_bytes": set(),
    "node_filesystem_avail_bytes": FILE_SYSTEM,
    "node_filesystem_size_bytes": FILE_SYSTEM,
    "node_disk_io_time_seconds_total": {"device"},
}
MADE = {"id", "source", "target", "what"}
"""Labels that a query makes itself, with label_replace."""


def known_series() -> dict[str, set[str]]:
    """Every series that may be asked for, with its labels."""
    known = {name: labels | TARGET for name, labels in OTHERS.items()}
    for family in FAMILIES:
        labels = {*family.labels, *TARGET}
        if family.kind == "histogram":
            known[f"{family.name}_bucket"] = labels | {"le"}
            if family.buckets[0] >= 0:  # OpenMetrics has neither where values may be negative
                known[f"{family.name}_sum"] = known[f"{family.name}_count"] = labels
        else:
            known[family.name] = labels
    for path in (ROOT / "rules" / "recording").glob("*.yml"):
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            for rule in group["rules"]:
                level = rule["record"].split(":")[0]
                made = {
                    label
                    for label in ("agent", "component", "confidence_band", "le", "quantile")
                    if label in level
                }
                known.setdefault(rule["record"], set(TARGET)).update(made | set(rule.get("labels", {})))
    return known


KNOWN = known_series()
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: f"{query.board}/{query.where}")
def test_metrics_and_labels_exist(query: Query) -> None:
    selectors = SELECTOR.findall(query.expr)
    names = [name for name, _ in selectors] or [query.expr]
    assert [name for name in names if name not in KNOWN] == []
    for name, matchers in selectors:
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= KNOWN[name], f"{name} has no label {labels - KNOWN[name]}"
    available = set().union(*(KNOWN[name] for name in names)) | MADE
    used = {
        label.strip()
        for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", query.expr)
        for label in group.split(",")
    }
    used |= set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    assert used <= available, f"no series of the query has {used - available}"


def test_no_series_is_named_without_its_selector() -> None:
    for query in all_queries():
        if query.where.startswith("variable"):
            continue
        for name in KNOWN:
            found = re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:{{])", query.expr)
            assert not found, f"{query.board}/{query.where}: {name} without labels"
