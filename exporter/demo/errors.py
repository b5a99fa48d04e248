"""What can go wrong, in words for the user."""

from __future__ import annotations

from pathlib import Path


class DemoError(Exception):
    """The demo cannot start or go on; the message says why and what to do."""

    exit_code = 2


class LockedError(DemoError):
    """The fate of the real bot: a reader held the file for too long."""

    exit_code = 3

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(
            f"database is locked: {path} stayed locked for {seconds:g} s; "
            "the real bot dies of this, and so does the demo"
        )
