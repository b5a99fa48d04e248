"""Every series of the exporter, the optimizer and the recording rules, with its labels beside the target's."""

from pathlib import Path
from typing import Any

import yaml

from exporter.metrics.catalogue import FAMILIES, Family

ROOT = Path(__file__).parents[1]
TARGET = {"job", "instance", "bot"}
LEVELS = ("agent", "confidence_band", "component", "quantile", "le")
"""Labels that the first part of a recorded name may name."""


def series_of(family: Family) -> dict[str, tuple[str, set[str]]]:
    """The names of a family's series, each with its kind and its labels."""
    labels = set(family.labels)
    if family.kind != "histogram":
        return {family.name: ("counter" if family.kind == "counter" else "gauge", labels)}
    series = {f"{family.name}_bucket": ("counter", labels | {"le"})}
    if family.buckets[0] >= 0:  # OpenMetrics has neither where values may be negative
        series |= {f"{family.name}_{suffix}": ("counter", labels) for suffix in ("sum", "count")}
    return series


def recorded_series() -> dict[str, set[str]]:
    """The labels by name: the level of a name says which a series has, and a rule may add some."""
    labels: dict[str, set[str]] = {}
    for rule in _recording_rules():
        level = rule["record"].partition(":")[0]
        known = {part for part in LEVELS if part in level} | ({"agent"} if level == "tweetbot" else set())
        labels.setdefault(rule["record"], set()).update(known, rule.get("labels", {}))
    return labels


def _recording_rules() -> list[dict[str, Any]]:
    files = [ROOT / "rules" / "thresholds.yml", *(ROOT / "rules").glob("recording/*.yml")]
    groups = [group for path in files for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


EXPORTED = {name: about for family in FAMILIES for name, about in series_of(family).items()}
"""Kind ("counter" or "gauge") and labels by name."""
RECORDED = recorded_series()
