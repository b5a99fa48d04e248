"""`alerts test`, through a real Alertmanager."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from alertmanager import alertmanager
from tools import free_port, serving

from exporter.cli import main as cli


@asynccontextmanager
async def service() -> AsyncIterator[str]:
    """Takes what is sent to /fine, and refuses what is sent to /refused."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.path == "/fine" else 400)

    app = web.Application()
    app.router.add_post("/{name}", answer)
    async with serving(app) as address:
        yield f"http://{address}"


def configuration(page: dict[str, Any], ticket: dict[str, Any]) -> dict[str, Any]:
    route = {
        "receiver": "ticket",
        "group_by": ["bot", "alertname"],
        "group_wait": "0s",
        "routes": [{"receiver": "page", "matchers": ['severity="critical"']}],
    }
    return {"route": route, "receivers": [{"name": "page", **page}, {"name": "ticket", **ticket}]}


def webhook(url: str) -> dict[str, Any]:
    return {"webhook_configs": [{"url": url}]}


def slack(url: str) -> dict[str, Any]:
    return {"slack_configs": [{"api_url": url}]}


async def send(url: str) -> int:
    """The exit code."""
    return await asyncio.to_thread(cli.main, ["alerts", "test", f"--alertmanager-url={url}"])


async def test_both_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with service() as address:
        configured = configuration(webhook(f"{address}/fine"), webhook(f"{address}/fine"))
        async with alertmanager(tmp_path, configured) as url:
            assert await send(url) == 0
    out = capsys.readouterr().out
    assert "TweetbotTestPage → page (webhook): delivered\n" in out
    assert "TweetbotTestTicket → ticket (webhook): delivered\n" in out


async def test_what_is_refused_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with service() as address:
        configured = configuration(webhook(f"{address}/fine"), slack(f"{address}/refused"))
        async with alertmanager(tmp_path, configured) as url:
            assert await send(url) == 1
    out = capsys.readouterr().out
    assert "page (webhook): delivered\n" in out
    assert "ticket (slack): not delivered, failed requests: 1; Alertmanager's log says why\n" in out


async def test_an_alert_that_goes_to_nobody_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        service() as address,
        alertmanager(tmp_path, configuration(webhook(f"{address}/fine"), {})) as url,
    ):
        assert await send(url) == 1
    assert "TweetbotTestTicket: no receiver that sends anything\n" in capsys.readouterr().out


def test_without_alertmanager(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert cli.main(["alerts", "test", f"--alertmanager-url={url}"]) == 1
    assert f"error: no Alertmanager answers at {url}" in capsys.readouterr().err
