"""Validation of the demo's options, with messages that name its flags."""

from __future__ import annotations

import math

from exporter.demo.errors import DemoError
from exporter.demo.scenarios import SCENARIOS

SPEEDS = (0.1, 100.0)
HISTORY_DAYS = (0.5, 30.0)


def validate_options(scenario: str, seed: int, speed: float, history_days: float, state_port: int) -> None:
    if scenario not in SCENARIOS:
        raise DemoError(f"unknown scenario '{scenario}': one of {', '.join(SCENARIOS)}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise DemoError(f"seed must be a whole number, not {seed!r}")
    _within("speed", speed, SPEEDS)
    _within("history-days", history_days, HISTORY_DAYS)
    _within("state-port", state_port, (0, 65535))


def _within(name: str, value: float, bounds: tuple[float, float]) -> None:
    if not math.isfinite(value) or not bounds[0] <= value <= bounds[1]:
        raise DemoError(f"{name} must be between {bounds[0]:g} and {bounds[1]:g}, not {value:g}")
