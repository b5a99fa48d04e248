"""Rows of the control tables: system_config, system_commands, system_alerts."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from exporter.demo.clock import Clock
from exporter.demo.transaction import Statement

INSERT_CONFIG = "INSERT INTO system_config (key, value, last_updated) VALUES ('system_status', 'running', ?)"
UPDATE_CONFIG = "UPDATE system_config SET value = ?, last_updated = ? WHERE key = 'system_status'"
INSERT_COMMAND = (
    "INSERT INTO system_commands (command, parameters, status, created_at) VALUES (?, ?, 'pending', ?)"
)
END_COMMANDS = (
    "UPDATE system_commands SET status = ?, processed_at = ? WHERE status = 'pending' AND command = ?"
)
INSERT_ALERT = "INSERT INTO system_alerts (alert_type, message, level, timestamp) VALUES (?, ?, ?, ?)"
ALERT_TYPES = {
    "info": "EXTREME_FEAR",
    "warning": "INSTITUTIONAL_ACCUMULATION",
    "critical": "EXTREME_FUNDING",
    "error": "API_FAILURE",
}
PAUSE, RESUME = KNOWN_COMMANDS = ("pause_system", "resume_system")
"""The commands that the orchestrator knows; any other fails."""


def alert(at: int, clock: Clock, rng: Random, levels: Mapping[str, float]) -> Statement:
    level = rng.choices(list(levels), list(levels.values()))[0]
    message = f"[Market Hunter] {ALERT_TYPES[level]} seen | Action: watch"
    return Statement(INSERT_ALERT, (ALERT_TYPES[level], message, level, clock.plain(at)))


def command(at: int, clock: Clock, name: str) -> Statement:
    return Statement(INSERT_COMMAND, (name, '{"by":"demo"}', clock.plain(at)))


def end_commands(at: int, clock: Clock, name: str) -> list[Statement]:
    """The orchestrator executes the pending commands; the known ones change the system's status."""
    known = name in KNOWN_COMMANDS
    ended = Statement(END_COMMANDS, ("processed" if known else "failed", clock.plain(at), name))
    if not known:
        return [ended]
    paused = name == PAUSE
    word, level = ("Paused", "warning") if paused else ("Resumed", "info")
    status = Statement(UPDATE_CONFIG, ("paused" if paused else "running", clock.plain(at)))
    announcement = Statement(
        INSERT_ALERT, (f"System {word}", f"System {word.lower()} by command", level, clock.plain(at))
    )
    return [ended, status, announcement]
