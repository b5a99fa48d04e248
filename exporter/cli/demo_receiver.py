"""Where the demo's alerts arrive: a webhook that prints what a person would get on the phone."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiohttp import web

from exporter.cli.terminal import printable

WATCHDOG = "watchdog"
_NOTES = (("impact", "Impact: "), ("suggested_fix", "Suggested: "), ("runbook_url", "What to do: "))
_INDENT = " " * 10

Print = Callable[[str], None]


@asynccontextmanager
async def listening(say: Print) -> AsyncIterator[str]:
    """Serves on a free port of loopback while the block runs; gives the address. `say` prints."""
    receiver = _Receiver(say)
    app = web.Application()
    app.router.add_post("/{receiver}", receiver.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (host, port), *_ = runner.addresses
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


class _Receiver:
    def __init__(self, say: Print) -> None:
        self._say = say
        self._watched = False

    async def receive(self, request: web.Request) -> web.Response:
        """Alertmanager's webhook."""
        name, document = request.match_info["receiver"], json.loads(await request.text())
        if name == WATCHDOG:
            if not self._watched:
                self._watched = True
                self._say(f"{_now()}  The way from Prometheus to here works (the alert Watchdog arrived).")
        else:
            self._say("\n".join(message(name, document)))
        return web.Response()


def message(receiver: str, document: Mapping[str, Any]) -> Iterator[str]:
    """The lines for one of Alertmanager's notifications."""
    for alert in document["alerts"]:
        labels, notes = alert["labels"], alert["annotations"]
        kind = receiver.partition("-")[0] if alert["status"] == "firing" else "resolved"
        who = labels.get("agent", labels.get("bot", ""))
        yield printable(f"{_now()}  {kind.upper():8}  {who}: {notes.get('summary', labels['alertname'])}")
        if alert["status"] == "firing":
            yield from (printable(_INDENT + line) for line in _notes(notes))


def _notes(notes: Mapping[str, str]) -> Iterator[str]:
    for key, word in (("description", ""), *_NOTES):
        if note := notes.get(key):
            yield word + note


def _now() -> str:
    return f"{datetime.now().astimezone():%H:%M:%S}"
