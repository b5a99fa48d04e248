"""What systemd is told over its socket."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools import wait_until

from exporter.runtime.systemd import notified


@pytest.fixture(params=["a path", "an abstract name"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """systemd's end of the socket."""
    name = str(tmp_path / "notify") if request.param == "a path" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(name.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield manager


def told(manager: socket.socket) -> list[str]:
    messages = []
    try:
        while True:
            messages.append(manager.recv(100).decode())
    except BlockingIOError:
        return messages


async def test_it_is_ready_and_never_said_to_end_by_a_reload(manager: socket.socket) -> None:
    for _ in range(2):
        async with notified():
            await asyncio.sleep(0)
        assert told(manager) == ["READY=1"]


async def test_the_watchdog_is_fed(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    heard: list[str] = []

    def often_enough() -> bool:
        heard.extend(told(manager))
        return heard.count("WATCHDOG=1") > 2

    async with notified():
        await wait_until(often_enough)


async def test_without_systemd_nobody_is_told() -> None:
    async with notified():
        pass


async def test_a_manager_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    async with notified():
        pass
