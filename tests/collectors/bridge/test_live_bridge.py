"""The bridge as the exporter meets it: down, slow, hostile, stale, in need of a token."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.cli import check_table
from exporter.collectors import registry
from exporter.collectors.scrape import Scraper
from exporter.config import Config, load

from .documents import document, series, whole

LIVE = ("agents", "communication", "self_reports", "system")
Serve = Callable[[bytes], Awaitable[str]]


def success(page: dict[str, float]) -> list[float]:
    return [page[f"scrape_collector_success{{{name}}}"] for name in LIVE]


async def errors(config: Config, seconds: float = 5.0) -> set[str]:
    """What the four collectors say; the page does not wait for a bridge that hangs."""
    scraper = Scraper(registry.build(config))
    begun = time.monotonic()
    page = series(await scraper.scrape(seconds=seconds))
    assert time.monotonic() - begun < seconds + 20
    said = {state.error for state in scraper.statuses()}
    assert success(page) == [float(not state.error) for state in scraper.statuses()]
    await scraper.close()
    return said


async def test_one_fetch_feeds_all_four(bridge: Any) -> None:
    bridge.document = whole()
    scraper = Scraper(registry.build(bridge.config()))
    for number in (1, 2, 3):
        assert success(series(await scraper.scrape())) == [1, 1, 1, 1]
        assert len(bridge.requests) == number


async def test_a_cancelled_source_leaves_the_fetch_to_the_others(bridge: Any) -> None:
    release = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await release.wait()
        return web.json_response(document())

    bridge.handler = wait
    first, second, *_ = registry.build(bridge.config())
    cancelled = asyncio.create_task(first.collect(5))
    other = asyncio.create_task(second.collect(5))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    release.set()
    await other
    assert len(bridge.requests) == 1


async def redirect(_: web.Request) -> web.Response:
    raise web.HTTPFound("/elsewhere")


async def huge(_: web.Request) -> web.Response:
    return web.json_response({"version": 1, "x": "y" * (9 << 20)})


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" " * 65536)
    except ConnectionError:
        return response


async def slow(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)
    except ConnectionError:
        return response


async def hanging(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


BOMB = gzip.compress(b'{"version": 1, "x": "' + b"y" * (16 << 20) + b'"}', 1)


async def bomb(_: web.Request) -> web.Response:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return web.Response(body=BOMB, headers=headers)


def answers(text: str, content_type: str = "application/json", status: int = 200) -> Any:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, status=status)

    return handler


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (redirect, "redirects elsewhere, which is not followed"),
        (huge, "answers with more than 8 MiB"),
        (endless, "answers with more than 8 MiB"),
        (slow, "did not answer in time"),
        (hanging, "did not answer in time"),
        (bomb, "compresses its answer"),
        (answers("[" * 100_000), "nested too deeply"),
        (answers('{"a":' * 5000 + "1" + "}" * 5000), "nested too deeply"),
        (answers(""), "something that is not JSON"),
        (answers('{"version": NaN}'), "something that is not JSON"),
        (answers('{"version": 1'), "something that is not JSON"),
        (answers("<html>", "text/html"), "does not answer with JSON"),
        (answers("[]"), "does not answer with a bridge's document"),
        (answers("{}"), "does not answer with a bridge's document"),
        (answers('{"version": 2}'), "answers in a version that this exporter does not know"),
        (answers('{"version": true}'), "answers in a version that this exporter does not know"),
        (answers('{"version": 1}'), "without a time"),
        (answers('{"version": 1, "time": "now"}'), "without a time"),
        (answers('{"version": 1, "time": 5}'), "a stale document, older than 60 seconds"),
        (answers('{"version": 1, "time": 9999999999}'), "a document from the future, by over 60 seconds"),
        (answers("", status=401), "answers with status 401; it wants another token"),
        (answers("", status=404), "answers with status 404; is that the bridge?"),
        (answers("", status=500), "answers with status 500"),
    ],
)
async def test_a_bridge_that_misbehaves(bridge: Any, handler: Any, told: str) -> None:
    bridge.handler = handler
    (said,) = await errors(bridge.config(bridge__timeout_seconds=1.0))
    assert told in said
    assert all(request.path == "/state" for request in bridge.requests), "a redirect was followed"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "broke its answer off"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
            "broke its answer off",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "something other than HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000, "HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "HTTP"),
    ],
)
async def test_answers_that_are_no_http(raw_server: Serve, answer: bytes, told: str) -> None:
    url = await raw_server(answer)
    (said,) = await errors(load(None, {"bridge.url": url}))
    assert told in said or "broke its answer off" in said


async def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        (said,) = await errors(load(None, {"bridge.url": url}))
    assert said == (
        f"cannot connect to {url}/state: connection refused; the bot is down, or runs without the bridge"
    )


async def test_an_unknown_host() -> None:
    (said,) = await errors(load(None, {"bridge.url": "http://bot.invalid:9465"}))
    assert said.startswith("cannot connect to http://bot.invalid:9465/state: ")


async def test_proxies_of_the_environment_are_not_asked(bridge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    bridge.document = document()
    assert await errors(bridge.config()) == {""}


async def test_what_is_sent(bridge: Any) -> None:
    bridge.document = document()
    await errors(bridge.config())
    (request,) = bridge.requests
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers


async def test_the_token_is_read_anew(bridge: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def guarded(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer second":
            return web.Response(status=401)
        return web.json_response(document())

    bridge.handler = guarded
    scraper = Scraper(registry.build(bridge.config(bridge__token_file=str(file))))
    told = []
    for token in (None, b"", b"two words", b"first\n", b"second\n", b"x" * 5000):
        if token is not None:
            file.write_bytes(token)
        await scraper.scrape()
        told.append(scraper.statuses()[0].error)
    assert "does not exist" in told[0]
    assert "must hold one token" in told[1]
    assert "must hold one token" in told[2]
    assert "wants another token" in told[3]
    assert told[4] == ""
    assert "too large" in told[5]
    assert "second" not in "".join(told)


async def test_a_token_in_a_pipe_or_directory_does_not_hold_anything_up(bridge: Any, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("pipe", "is not a regular file"), (".", "cannot be read|is not a regular file")):
        (said,) = await errors(bridge.config(bridge__token_file=str(tmp_path / name)))
        assert any(part in said for part in reason.split("|"))


async def test_down_and_up_again_is_told_once_each(bridge: Any) -> None:
    bridge.document = document()
    scraper = Scraper(registry.build(bridge.config(bridge__timeout_seconds=0.2)))
    with capture_logs() as logs:
        await scraper.scrape()
        bridge.handler = hanging
        for _ in range(3):
            page = series(await scraper.scrape())
        assert success(page) == [0, 0, 0, 0]
        bridge.handler = None
        for _ in range(2):
            page = series(await scraper.scrape())
        assert success(page) == [1, 1, 1, 1]
    told = [(entry["event"], entry["collector"]) for entry in logs]
    expected = [(event, name) for event in ("collector failed", "collector works again") for name in LIVE]
    assert sorted(told) == sorted(expected)


async def test_a_short_scrape_is_not_kept_waiting(bridge: Any) -> None:
    bridge.handler = hanging
    (said,) = await errors(bridge.config(), seconds=0.3)
    assert "did not answer in time" in said


async def test_the_largest_document_is_taken_in_time(bridge: Any) -> None:
    report = {f"key{number}": number for number in range(64)}
    names = [f"agent-{number}" for number in range(1000)]
    bridge.document = document(
        agents=[whole()["agents"][0] | {"id": name} for name in names],
        selfReports=[{"agent": name, "time": 1, "report": report} for name in names],
        communication={
            "startTime": 1,
            "pairs": [{"from": name, "to": "all", "sent": 1, "failed": 0} for name in names],
            "latency": [whole()["communication"]["latency"][0] | {"from": name} for name in names],
        },
    )
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - begun)

    # The test's own server is in the same loop.
    text = json.dumps(bridge.document)
    bridge.handler = answers(text)
    watching = asyncio.create_task(watch())
    config = bridge.config(limits__agents=1000, limits__label_pairs=10_000, bridge__timeout_seconds=30.0)
    assert await errors(config, seconds=60.0) == {""}
    watching.cancel()
    assert longest < 20, "the event loop was held up"


async def test_check_asks_all_collectors_that_share_a_bridge(bridge: Any) -> None:
    """It goes on being read until the last of them has been asked."""
    bridge.document = whole()
    rows = await check_table.diagnose(registry.build(bridge.config()))
    assert [(name, finding.subject) for name, finding in rows if finding.state == "ok"] == [
        ("agents", "agents"),
        ("communication", "communication"),
        ("self_reports", "selfReports"),
        ("system", "bridge"),
    ]


@pytest.mark.parametrize("part", ["agents", "communication", "selfReports"])
async def test_what_is_there_and_what_is_missing_is_found(bridge: Any, part: str) -> None:
    bridge.document = whole()
    del bridge.document[part]
    found = [finding for source in registry.build(bridge.config()) for finding in await source.diagnose()]
    # No process here has that id and that start.
    assert [finding.subject for finding in found if finding.state == "missing"] == [part, "process"]
    assert len(found) == 5
