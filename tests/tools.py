"""What tests of several parts use."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
"""Of the repository."""
GOLDEN = ROOT / "tests" / "golden"
REAL_DATA = ROOT.parent / "shared" / "data"
"""SQLite files written by the real bot; tests that use them skip where they are absent."""


def needed(*names: str) -> str:
    """The path of a real component, by any of its names. Without it the test is skipped; with CI set it fails."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{names[0]} is not installed")
    return path


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits for something that happens in the background."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
