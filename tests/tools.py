"""What tests of several parts use."""

import asyncio
import os
import random
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

ROOT = Path(__file__).resolve().parents[1]
"""Of the repository."""
GOLDEN = ROOT / "tests" / "golden"
REAL_DATA = ROOT.parent / "shared" / "data"
"""SQLite files written by the real bot, which are not in the repository."""
NO_REAL_DATA = "the real bot's files are not beside this checkout"
"""Why a test is skipped that needs them."""
NOT_IN_THE_REPOSITORY = "beside this checkout"
"""Ends the reasons for skipping that hold in CI, too: what is missing is not a program that could be installed."""
PORTS = range(10_000, 32_000)
"""Below those that the system gives to outgoing connections."""
PORTS_OF_A_WORKER = 1000


def needed(*names: str) -> str:
    """The path of a real component, by any of its names. Without it the test is skipped; with CI set it fails."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{names[0]} is not installed")
    return path


def free_port() -> int:
    """A port on loopback that nobody listens on. Never the same twice, and never one of another test worker."""
    return next(filter(_is_free, _own_ports))


def _ports_of_this_worker() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = PORTS[worker * PORTS_OF_A_WORKER :][:PORTS_OF_A_WORKER]
    return iter(random.sample(ports, len(ports)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


_own_ports = _ports_of_this_worker()


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """HOST:PORT of a server that the test itself is."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port, *_ = runner.addresses[0]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


async def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for something that happens in the background."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
