"""What tests of several parts use."""

import asyncio
import os
import shutil
from collections.abc import Callable

import pytest


def needed(program: str) -> str:
    """The path of a real component. Without it the test is skipped, and fails where CI is set."""
    path = shutil.which(program)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    return str(path)


async def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits for something that happens in the background."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
