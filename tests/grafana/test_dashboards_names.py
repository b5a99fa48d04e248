"""Every metric and label of every query exists: in the catalogue, the rules, or Prometheus itself."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_files import ROOT, Query, all_queries, boards
from promql import read
from series import EXPORTED, RECORDED, TARGET

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
MADE = {"id", "source", "target", "what", "lead", "mainstat", "secondarystat"}
"""Labels that a query makes itself, with label_replace or count_values."""


KNOWN = {
    **{name: labels | TARGET for name, labels in OTHERS.items()},
    **{name: labels | TARGET for name, (_, labels) in EXPORTED.items()},
    **{name: labels | TARGET for name, labels in RECORDED.items()},
}
"""The labels of every series that may be asked for."""


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: f"{query.board}/{query.where}")
def test_metrics_and_labels_exist(query: Query) -> None:
    selectors, grouped = read(query.expr)
    assert selectors
    assert [each.name for each in selectors if each.name not in KNOWN] == []
    for each in selectors:
        assert each.labels.keys() <= KNOWN[each.name], each
        assert each.labels or query.where.startswith("variable"), f"{each.name} of any bot"
    shown = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    available = set().union(*(KNOWN[each.name] for each in selectors)) | MADE
    assert grouped | shown <= available, f"no series of the query has {(grouped | shown) - available}"


def test_no_exception_is_left_over() -> None:
    asked = {each.name for query in all_queries() for each in read(query.expr)[0]}
    assert asked >= OTHERS.keys()
    assert not OTHERS.keys() & (EXPORTED.keys() | RECORDED.keys())


def test_every_expression_of_a_dashboard_is_checked() -> None:
    """Wherever in the JSON it stands."""
    checked = {query.expr for query in all_queries()}
    for board in boards():
        assert set(expressions(board)) <= checked


def expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from expressions(each)


def test_every_board_is_a_dashboard() -> None:
    """Each module of boards/ with a `board` of its own has its file, whether or not the list names it."""
    modules = (ROOT / "grafana" / "boards").glob("*.py")
    made = [
        path.stem for path in modules if re.search(r"^def board\(", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(f"tweetbot-{name}" for name in made) == sorted(board["uid"] for board in boards())
