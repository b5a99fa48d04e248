"""A copy of rules/ in which every duration is shorter, so that a demo or a test takes minutes.

What is scaled: `for`, `keep_firing_for`, group intervals, ranges, subquery steps and offsets in expressions,
the thresholds that are times to wait (`…_silence_seconds`, `…_age_seconds`), Prometheus's and Alertmanager's
intervals. What is not: names (`increase1h` then is a minute's), texts, and thresholds that are measured (a
response time of 2 s).

Start Prometheus with --query.lookback-delta scaled as well (5m / factor).
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from exporter.runtime.share import share

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = r"(?:\d+(?:ms|[smhdw]))+"
_IN_EXPRESSION = re.compile(
    rf"(\[\s*)({_DURATION})(\s*:\s*)?({_DURATION})?(\s*\])|(\boffset\s+)({_DURATION})"
)
_WAITING = re.compile(r":\w+_(silence|age)_seconds:")
_RULE_KEYS = ("for", "keep_firing_for")
_PROMETHEUS_KEYS = ("scrape_interval", "scrape_timeout", "evaluation_interval")
_ALERTMANAGER_KEYS = ("group_wait", "group_interval", "repeat_interval", "resolve_timeout")

Scale = Callable[[str], str]


def milliseconds(duration: str) -> int:
    return sum(int(n) * _MILLISECONDS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", duration))


def shorter(duration: str, factor: float, least: int = 1) -> str:
    """The duration divided, in milliseconds where seconds do not do; never less than `least` milliseconds."""
    if milliseconds(duration) == 0:
        return duration
    value = max(least, round(milliseconds(duration) / factor))
    return f"{value // 1000}s" if value % 1000 == 0 else f"{value}ms"


def scale_expression(text: str, scale: Scale) -> str:
    def replaced(found: re.Match[str]) -> str:
        opening, window, colon, step, closing, offset, by = found.groups()
        if offset:
            return offset + scale(by)
        return opening + scale(window) + (colon or "") + (scale(step) if step else "") + closing

    return _IN_EXPRESSION.sub(replaced, text)


def scale_rules(document: dict[str, Any], factor: float, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """`thresholds` replaces defaults by name."""

    def scale(duration: str) -> str:
        return shorter(duration, factor)

    for group in document["groups"]:
        if "interval" in group:
            group["interval"] = scale(group["interval"])
        for rule in group["rules"]:
            for key in _RULE_KEYS:
                if key in rule:
                    rule[key] = scale(rule[key])
            rule["expr"] = scale_expression(str(rule["expr"]), scale)
            value = re.fullmatch(r"vector\(([\d.]+)\)", rule["expr"])
            name = rule.get("record", "")
            if name in thresholds:
                rule["expr"] = f"vector({thresholds[name]:g})"
            elif value and _WAITING.search(name):
                rule["expr"] = f"vector({float(value[1]) / factor:g})"
    return document


def scale_keys(document: Any, keys: tuple[str, ...], scale: Scale) -> Any:
    """Scales the values of these keys, wherever they stand."""
    if isinstance(document, list):
        return [scale_keys(entry, keys, scale) for entry in document]
    if isinstance(document, dict):
        return {
            key: scale(value) if key in keys else scale_keys(value, keys, scale)
            for key, value in document.items()
        }
    return document


def write_scaled(
    out: Path, factor: float, thresholds: Mapping[str, float] | None = None, least: str = "1s"
) -> None:
    """Writes all that Prometheus and Alertmanager load. `least` is between two scrapes or evaluations."""
    rules = share() / "rules"
    floor = milliseconds(least)

    def interval(duration: str) -> str:
        return shorter(duration, factor, floor)

    def scale(duration: str) -> str:
        return shorter(duration, factor)

    for folder in ("templates", "targets"):
        shutil.copytree(rules / folder, out / folder, dirs_exist_ok=True)
    for path in [rules / "thresholds.yml", *rules.glob("recording/*.yml"), *rules.glob("alerts/*.yml")]:
        document = scale_rules(yaml.safe_load(path.read_text()), factor, thresholds or {})
        for group in document["groups"]:
            if "interval" in group:
                group["interval"] = shorter(group["interval"], 1, floor)
        _write(out / path.relative_to(rules), document)

    prometheus = yaml.safe_load((rules / "prometheus.yml").read_text())
    _write(out / "prometheus.yml", scale_keys(prometheus, _PROMETHEUS_KEYS, interval))
    alertmanager = yaml.safe_load((rules / "alertmanager.yml").read_text())
    _write(out / "alertmanager.yml", scale_keys(alertmanager, _ALERTMANAGER_KEYS, scale))


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000))
