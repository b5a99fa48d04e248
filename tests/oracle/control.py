"""system_config, system_commands and system_alerts."""

from collections import Counter

from . import values
from .table import Bound, Labels, Samples, Settings, Table, bounded, spell_kind
from .values import OTHER, UNKNOWN, UnusableError

LEVELS = ("info", "warning", "critical", "error")
STATUSES = ("pending", "processed", "failed")


def put_config(samples: Samples, table: Table) -> None:
    if table.has("key", "value"):
        for row in table.rows:
            if row["key"] == "system_status":
                samples.put_known("tweetbot_system_paused", table.read(row, "value", _paused))


def _paused(value: object) -> int:
    if value not in ("running", "paused"):
        raise UnusableError(value)
    return int(value == "paused")


def put_alerts(samples: Samples, table: Table) -> None:
    if not table.has("level"):
        return
    seen = Counter(_level(table.read(row, "level", values.word)) for row in table.rows)
    for level in {*LEVELS, *seen}:
        samples.put("tweetbot_system_alerts_total", seen[level], level=level)


def _level(text: str | None) -> str:
    if not text:
        return UNKNOWN
    return text.lower() if text.lower() in LEVELS else OTHER


def put_commands(samples: Samples, table: Table, labels: Labels, settings: Settings) -> None:
    if not table.has("status"):
        return
    others = Bound(settings.max_agents)
    seen: Counter[str] = Counter()
    for row in table.rows:
        spelt = spell_kind(table.read(row, "status", values.word))
        status, over = bounded(spelt, lambda label: label in STATUSES or others.admits(label))
        seen[status] += 1
        labels.overflow += over
    for status in {*STATUSES, *seen}:
        samples.put("tweetbot_system_commands", seen[status], status=status)
