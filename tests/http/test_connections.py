"""Connections that clients misuse, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs
from tools import wait_until

from exporter.http import connections, server
from exporter.http.access import Access
from exporter.http.sockets import bound_address, open_sockets
from exporter.runtime import limits, log_limiter

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


@asynccontextmanager
async def served(handler: Handler = hello) -> AsyncIterator[int]:
    """The port of a server that answers / with `handler`."""
    app = server.make_application()
    app.router.add_route("*", "/", handler)
    sockets = open_sockets(["127.0.0.1:0"])
    port = bound_address(sockets[0]).port
    async with server.running(app, sockets):
        yield port


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def answer(port: int, request: bytes = REQUEST, *, half_close: bool = False) -> bytes:
    """What comes back until the server closes."""
    reader, writer = await connect(port)
    writer.write(request)
    if half_close:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


def last(request: bytes = REQUEST) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 60) == b""
    except ConnectionError:
        return True


async def test_half_sent_requests_make_room_for_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    async with served() as port:
        half = []
        for _ in range(60):
            half.append(await connect(port))
            half[-1][1].write(REQUEST[:-2])
        for _ in range(8):
            assert b"hello" in await answer(port, last())
        assert await is_closed(half[0][0])
        for _, writer in half:
            writer.close()


async def test_a_kept_connection_that_is_idle_makes_room_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    async with served() as port:
        kept = [await connect(port) for _ in range(3)]
        for reader, writer in kept:
            writer.write(REQUEST)
            await reader.readuntil(b"hello")
        kept[0][1].write(REQUEST)
        await kept[0][0].readuntil(b"hello")
        assert b"hello" in await answer(port, last())
        assert await is_closed(kept[1][0])
        kept[0][1].write(last())
        assert b"hello" in await kept[0][0].read()
        for _, writer in kept:
            writer.close()


async def test_where_all_are_in_use_the_newest_is_refused_and_it_is_logged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    release, started = asyncio.Event(), 0

    async def held(_: web.Request) -> web.Response:
        nonlocal started
        started += 1
        await release.wait()
        return web.Response(text="held")

    async with served(held) as port:
        first = [asyncio.create_task(answer(port, last())) for _ in range(2)]
        await wait_until(lambda: started == 2)
        with capture_logs() as logged:
            for _ in range(5):
                reader, writer = await connect(port)
                assert await is_closed(reader)
                writer.close()
        assert [(event["log_level"], event["event"]) for event in logged] == [
            ("warning", "a connection was refused: all are in use")
        ]
        release.set()
        assert all(b"held" in each for each in await asyncio.gather(*first))


async def test_a_bug_costs_one_connection_and_not_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = iter([ZeroDivisionError(), None])

    def context(_: Access) -> None:
        if error := next(contexts):
            raise error

    monkeypatch.setattr(Access, "context", context)
    with capture_logs() as logged:
        async with served() as port:
            reader, writer = await connect(port)
            assert await is_closed(reader)
            writer.close()
            assert b"hello" in await answer(port, last())
    assert [event["event"] for event in logged] == ["a connection was not established: a bug"]


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\n")
    for number in range(1000):
        writer.write(b"X-%d: x\r\n" % number)
        await asyncio.sleep(0.02)


async def nothing(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("send", [drip, nothing])
@pytest.mark.parametrize("requests_before", [0, 1])
async def test_the_head_of_a_request_must_come_in_time(
    send: Callable[[asyncio.StreamWriter], Awaitable[None]],
    requests_before: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served() as port:
        reader, writer = await connect(port)
        for _ in range(requests_before):
            writer.write(REQUEST)
            await reader.readuntil(b"hello")
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
        if not requests_before:
            # The time of the first connection has begun with the usual limit.
            writer.close()
            reader, writer = await connect(port)
        sending = asyncio.ensure_future(send(writer))
        if send is nothing and requests_before:
            # A kept connection may be idle for as long as Prometheus's scrapes are apart.
            await asyncio.sleep(0.6)
            monkeypatch.undo()
            writer.write(last())
            assert b"hello" in await reader.read()
        else:
            assert await is_closed(reader)
        sending.cancel()
        await asyncio.wait({sending})
        writer.close()


async def test_a_slow_handler_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time

    async def slow(request: web.Request) -> web.Response:
        monkeypatch.setattr(loop, "time", lambda: now() + 2 * connections.HEAD_SECONDS)
        await asyncio.sleep(0.1)
        return await hello(request)

    async with served(slow) as port:
        assert b"hello" in await answer(port, last())


@pytest.mark.parametrize("seconds", [0.0, 0.3])
async def test_a_client_that_half_closes_gets_its_answer(seconds: float) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(text="x" * 1_000_000)

    async with served(slow) as port:
        page = await answer(port, half_close=True)
        assert page.endswith(b"x" * 1_000_000)


async def test_half_a_request_and_half_a_connection_end_at_once() -> None:
    async with served() as port:
        assert await answer(port, REQUEST[:-2], half_close=True) == b""
        assert await answer(port, b"", half_close=True) == b""


async def test_a_body_that_will_not_come_ends_the_request() -> None:
    ended = asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        try:
            await request.read()
        except (ConnectionError, web.RequestPayloadError):
            ended.set()
        return web.Response()

    async with served(read) as port:
        request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"
        assert await answer(port, request, half_close=True) == b""
        await asyncio.wait_for(ended.wait(), 60)


async def test_an_answer_that_is_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)
    transports: list[asyncio.Transport] = []

    async def large(request: web.Request) -> web.Response:
        assert request.transport is not None
        transports.append(request.transport)
        return web.Response(body=b"x" * 20_000_000)

    async with served(large) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(REQUEST)
            await wait_until(lambda: bool(transports) and transports[0].is_closing())


async def test_no_file_left_for_a_connection_is_logged_once_and_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    accept, refused = loop.sock_accept, 0
    monkeypatch.setattr(connections, "ACCEPT_RETRY_SECONDS", 0.001)

    async def exhausted(listener: socket.socket) -> Any:
        nonlocal refused
        if refused < 50:
            refused += 1
            raise OSError(24, "Too many open files")
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", exhausted)
    with capture_logs() as logged:
        async with served() as port:
            assert b"hello" in await answer(port, last())
    assert [(event["event"], event["error"]) for event in logged] == [
        ("a connection could not be accepted", "Too many open files")
    ]


@pytest.mark.parametrize(("files", "most"), [(100_000, 512), (1024, 512), (200, 72), (64, 8)])
def test_files_are_kept_for_other_things(files: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "file_limit", lambda: files)
    assert connections.most_connections() == most


def test_the_file_limit_is_as_high_as_it_may_be() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(500, before[1]), before[1]))
        limits.raise_file_limit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == hard == before[1]
        assert limits.file_limit() > 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_log_line_a_minute_with_the_number_of_those_left_out() -> None:
    import structlog

    now = 100.0
    with capture_logs() as logged:
        limiter = log_limiter.LogLimiter(structlog.get_logger(), lambda: now)
        for second in (0, 1, 59, 60, 61, 200):
            now = 100.0 + second
            limiter.warning("refused", second=second)
    assert [(event["second"], event.get("left_out", 0)) for event in logged] == [(0, 0), (60, 2), (200, 1)]
