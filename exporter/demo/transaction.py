"""What the simulated bot writes: SQL statements in transactions."""

from __future__ import annotations

from typing import NamedTuple

Value = str | int | float | None


class Statement(NamedTuple):
    sql: str
    parameters: tuple[Value, ...]


class Transaction(NamedTuple):
    """What the bot commits at one time, in milliseconds since the start."""

    at: int
    statements: tuple[Statement, ...]
