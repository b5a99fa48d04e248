"""Errors of the demo, with messages for the user."""

from __future__ import annotations

from pathlib import Path


class DemoError(Exception):
    """The demo cannot start or continue; the message says why and what to do."""

    exit_code = 2


class LockedError(DemoError):
    """A reader held its lock on the database for too long, which kills the real bot."""

    exit_code = 3

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(
            f"database is locked: {path} stayed locked for {seconds:g} s; "
            "the real bot dies of this, and so does the demo"
        )
