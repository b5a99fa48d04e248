"""What systemd is told, where it asks (sd_notify(3)): that the program is ready, and still alive."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def notified() -> AsyncIterator[None]:
    """The program is ready when the block begins; with WatchdogSec, systemd restarts it when the event loop is stuck.

    The end is not announced: the block may begin again, with another configuration.
    """
    _notify("READY=1")
    alive = asyncio.create_task(_stay_alive(), name="systemd watchdog")
    try:
        yield
    finally:
        alive.cancel()


async def _stay_alive() -> None:
    seconds = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
    while seconds:
        _notify("WATCHDOG=1")
        await asyncio.sleep(seconds / 2)


def _notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        return
    # An address that begins with @ is in the abstract namespace. A manager that is gone is no reason to end.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_manager:
        to_manager.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
        to_manager.send(state.encode())
