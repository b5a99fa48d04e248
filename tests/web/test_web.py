"""HTTP, over real sockets on the loopback."""

import asyncio
import base64
import gzip
import hashlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

from exporter import __version__
from exporter.collectors.base import CollectorError
from exporter.collectors.scrape import Scraper
from exporter.config import Web
from exporter.http import server
from exporter.http.sockets import bound_address, open_sockets
from exporter.metrics.exposition import Pages
from exporter.web import app as web
from exporter.web.landing import landing_page

Fake = Any  # the fixture's class: tests/conftest.py


@asynccontextmanager
async def served(*sources: Fake, **config: Any) -> AsyncIterator["Client"]:
    """The exporter with `sources`, and a client for it."""
    sockets = open_sockets(["127.0.0.1:0"])
    scraper = Scraper(sources)
    app = web.make_app(scraper, Web(**config))
    async with server.running(app, sockets), ClientSession(auto_decompress=False) as session:
        yield Client(session, bound_address(sockets[0]).port)
    await scraper.close()


class Client:
    def __init__(self, session: ClientSession, port: int) -> None:
        self.session = session
        self.port = port

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, str]:
        """Status, headers and body; `headers` with _ for -."""
        named = {"Accept-Encoding": "identity"} | {
            key.replace("_", "-"): value for key, value in headers.items()
        }
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, headers=named) as response:
            body = await response.read()
            coding = response.headers.get("Content-Encoding")
            return response.status, response.headers, (gzip.decompress(body) if coding else body).decode()

    async def raw(self, request: bytes) -> bytes:
        """Whatever comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


def values(page: str) -> dict[str, float]:
    """Of series without labels, and of those with a collector, by name{collector}."""
    return {
        sample.name + (f"{{{next(iter(sample.labels.values()))}}}" if sample.labels else ""): sample.value
        for metric in parse_text(page)
        for sample in metric.samples
    }


def held_back(release: asyncio.Event) -> Callable[[float], Any]:
    async def collect(_: float) -> list[Metric]:
        await release.wait()
        return []

    return collect


def large(size: int) -> Callable[[float], Any]:
    async def collect(_: float) -> list[Metric]:
        metric = Metric("large", "Large.", "gauge")
        metric.samples = [Sample("large", {"n": f"{number} {'x' * 80}"}, 1.0) for number in range(size)]
        return [metric]

    return collect


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_page(fake_collector: Fake) -> None:
    async with served(fake_collector("database"), fake_collector("system")) as client:
        status, headers, page = await client.get("/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert headers["Vary"] == "Accept, Accept-Encoding"
        found = values(page)
        assert found["tweetbot_scrape_collector_success{database}"] == 1
        assert found["tweetbot_scrape_collector_success{system}"] == 1
        assert found["promhttp_metric_handler_requests_in_flight"] == 1
        assert found["promhttp_metric_handler_requests_total{200}"] == 0
        assert found["tweetbot_log_lines_dropped_total"] == 0
        assert found["process_cpu_seconds_total"] > 0
        assert "python_info{CPython}" in found
        assert values((await client.get("/metrics"))[2])["promhttp_metric_handler_requests_total{200}"] == 1


async def test_openmetrics_where_it_is_asked_for_first(fake_collector: Fake) -> None:
    async with served(fake_collector()) as client:
        accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        _, headers, page = await client.get("/metrics", Accept=accept)
        assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        names = {each.name for each in openmetrics_parser.text_string_to_metric_families(page)}  # type: ignore[no-untyped-call]
        assert {"tweetbot_executions", "tweetbot_exporter_build", "process_cpu_seconds"} <= names


async def test_several_accept_headers_count_as_one(fake_collector: Fake) -> None:
    async with served(fake_collector()) as client:
        answer = await client.raw(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;q=0.1\r\n"
            b"Accept: application/openmetrics-text\r\nAccept-Encoding: br\r\nAccept-Encoding: gzip\r\n"
            b"Connection: close\r\n\r\n"
        )
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"application/openmetrics-text" in head
        assert gzip.decompress(body).endswith(b"# EOF\n")


async def test_own_metrics_can_be_left_out(fake_collector: Fake) -> None:
    async with served(fake_collector(), disable_exporter_metrics=True) as client:
        found = values((await client.get("/metrics"))[2])
        assert {name.split("_")[0] for name in found} == {"tweetbot"}


async def test_gzip_and_head(fake_collector: Fake) -> None:
    async with served(fake_collector()) as client:
        _, headers, page = await client.get("/metrics", Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip"
        assert int(headers["Content-Length"]) < len(page) / 2
        assert "tweetbot_executions_total" in page
        status, headers, page = await client.get("/metrics", "HEAD")
        assert (status, page) == (200, "")
        assert int(headers["Content-Length"]) > 1000


async def test_filters(fake_collector: Fake) -> None:
    async with served(fake_collector("a"), fake_collector("b"), fake_collector("c")) as client:

        async def collectors(query: str) -> list[str]:
            status, _, page = await client.get(f"/metrics?{query}")
            assert status == 200
            return re.findall(r'tweetbot_scrape_collector_success\{collector="(.)"\}', page)

        assert await collectors("") == ["a", "b", "c"]
        assert await collectors("collect[]=a") == ["a"]
        assert await collectors("collect%5B%5D=c&collect[]=a") == ["a", "c"]
        assert await collectors("exclude[]=a") == ["b", "c"]
        assert await collectors("exclude[]=a&exclude[]=b&exclude[]=c") == []
        assert await collectors("other=1") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("collect[]=x", "Unknown collector 'x'; known: database."),
        ("collect[]=", "Unknown collector ''; known: database."),
        ("exclude[]=database&exclude[]=%1b%0a", "Unknown collector '\\x1b\\n'; known: database."),
        ("collect[]=database&exclude[]=database", "not allowed"),
        ("collect[]=%ff%zz", "Unknown collector"),
    ],
)
async def test_a_wrong_filter_is_refused_with_the_mend(fake_collector: Fake, query: str, told: str) -> None:
    source = fake_collector("database")
    async with served(source) as client:
        status, headers, body = await client.get(f"/metrics?{query}")
        assert (status, headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
        assert told in body
        assert source.timeouts == []


async def test_the_deadline_comes_from_the_header(fake_collector: Fake) -> None:
    source = fake_collector()
    async with served(source) as client:
        for header in ("3", "nonsense"):
            await client.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds=header)
        assert source.timeouts == [2.5, 10.0]


async def test_what_is_not_there_and_what_is_not_allowed(fake_collector: Fake) -> None:
    async with served(fake_collector(), telemetry_path="/a/b") as client:
        assert (await client.get("/a/b"))[0] == 200
        assert [
            (await client.get(path))[0] for path in ("/metrics", "/a/b/", "/-/", "//", "/favicon.ico")
        ] == [404] * 5
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            status, headers, _ = await client.get("/a/b", method)
            assert (status, headers["Allow"]) == (405, "GET,HEAD")


async def test_the_landing_page_links_every_page(fake_collector: Fake) -> None:
    scraper = Scraper([fake_collector()])
    app = web.make_app(scraper, Web(telemetry_path="/m"))
    pages = {resource.canonical for resource in app.router.resources()}
    linked = set(re.findall(r'href="([^"]*)"', landing_page(scraper.statuses(), "/m")))
    assert linked == {path for path in pages if "{" not in path} - {"/"}


async def test_the_landing_page(fake_collector: Fake) -> None:
    async def collect(_: float) -> list[Metric]:
        raise CollectorError('<script>alert("x")</script>')

    broken, new = fake_collector("database", collect), fake_collector("system")
    new.waiting_for = ["trades: <b>12</b> % read"]
    async with served(broken, new, telemetry_path="/m") as client:
        assert "not scraped yet" in (await client.get("/"))[2]
        await client.get("/m")
        status, headers, page = await client.get("/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert __version__ in page
        assert re.findall(r'href="([^"]*)"', page) == [
            "/m",
            "/api/v1/agents",
            "/runbooks/",
            "/-/ready",
            "/-/healthy",
        ]
        assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in page
        assert "trades: &lt;b&gt;12&lt;/b&gt; % read" in page
        assert "<script" not in page
        assert "works" in page
        assert "http" not in page
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{hashed}'" in headers["Content-Security-Policy"]
        assert len(broken.timeouts) == 1


async def test_health_asks_no_source_and_readiness_what_is_pending(fake_collector: Fake) -> None:
    source = fake_collector("database")
    source.waiting_for = ["trades: 12 % read", "decisions: not read"]
    async with served(source) as client:
        assert (await client.get("/-/healthy"))[0] == 200
        status, _, body = await client.get("/-/ready")
        assert status == 503
        assert "- database: trades: 12 % read\n- database: decisions: not read\n" in body
        source.waiting_for = []
        assert (await client.get("/-/ready"))[0] == 200
        assert source.timeouts == []


async def test_health_answers_while_a_scrape_hangs(fake_collector: Fake) -> None:
    release = asyncio.Event()
    source = fake_collector("database", held_back(release))
    async with served(source) as client:
        scrape = asyncio.create_task(client.get("/metrics"))
        await until(lambda: bool(source.timeouts))
        assert (await client.get("/-/healthy"))[0] == 200
        release.set()
        assert (await scrape)[0] == 200


async def test_too_many_requests_are_refused_and_permits_come_back(fake_collector: Fake) -> None:
    release = asyncio.Event()
    source = fake_collector("database", held_back(release))
    async with served(source, max_requests=2) as client:
        scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(2)]
        await until(lambda: bool(source.timeouts))
        # Which of the three comes third is not ours to say.
        scrapes.append(asyncio.create_task(client.get("/metrics")))
        (refused,), others = await asyncio.wait(scrapes, return_when=asyncio.FIRST_COMPLETED)
        status, headers, body = refused.result()
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "(2)" in body
        release.set()
        assert [(await each)[0] for each in others] == [200, 200]
        found = values((await client.get("/metrics"))[2])
        assert found["promhttp_metric_handler_requests_total{503}"] == 1
        assert found["promhttp_metric_handler_requests_total{200}"] == 2
        assert found["promhttp_metric_handler_requests_in_flight"] == 1


async def test_without_a_limit_none_is_refused(fake_collector: Fake) -> None:
    release = asyncio.Event()
    async with served(fake_collector("database", held_back(release)), max_requests=0) as client:
        scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(60)]
        await asyncio.sleep(0.05)
        release.set()
        assert {(await each)[0] for each in scrapes} == {200}


async def test_a_bug_is_a_500_that_is_logged_and_gives_its_permit_back(
    fake_collector: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("secret detail")

    async with served(fake_collector(), max_requests=1) as client:
        monkeypatch.setattr(Pages, "write", broken)
        with capture_logs() as logged:
            for _ in range(3):
                status, headers, body = await client.get("/metrics")
                assert status == 500
                assert "secret" not in body
                assert "X-Content-Type-Options" in headers
        assert [event["log_level"] for event in logged] == ["error"] * 3
        monkeypatch.undo()
        found = values((await client.get("/metrics"))[2])
        assert found["promhttp_metric_handler_requests_total{500}"] == 3


async def test_a_client_that_goes_away_gives_its_permit_back(fake_collector: Fake) -> None:
    release = asyncio.Event()
    source = fake_collector("database", held_back(release))
    async with served(source, max_requests=1) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: bool(source.timeouts))
        writer.transport.abort()
        assert (await client.get("/metrics"))[0] == 503
        release.set()
        await until_served(client)


async def until_served(client: Client) -> None:
    async with asyncio.timeout(60):
        while (await client.get("/metrics"))[0] != 200:
            await asyncio.sleep(0.01)


async def test_a_client_that_does_not_read_hinders_nobody(fake_collector: Fake) -> None:
    source = fake_collector("database", large(50_000))
    async with served(source, max_requests=1, disable_exporter_metrics=True) as client:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", client.port))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: bool(source.timeouts))
            source.given = None
            await until_served(client)


async def test_a_client_that_never_ends_its_request_hinders_nobody(fake_collector: Fake) -> None:
    async with served(fake_collector(), max_requests=1) as client:
        with socket.create_connection(("127.0.0.1", client.port)) as slow:
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
            assert (await client.get("/metrics"))[0] == 200


async def test_pages_are_written_and_packed_outside_the_loops_thread(
    fake_collector: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    real = Pages.write

    def noting(*arguments: Any) -> bytes:
        threads.append(threading.get_ident())
        return real(*arguments)

    monkeypatch.setattr(Pages, "write", noting)
    async with served(fake_collector()) as client:
        await client.get("/metrics", Accept_Encoding="gzip")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_connection_is_kept(fake_collector: Fake) -> None:
    async with served(fake_collector()) as client:
        request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"
        answers = await client.raw(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
        assert answers.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "request_text",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + b"A: a\r\n" * 5000 + b"\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_the_clients_fault(
    fake_collector: Fake, request_text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(fake_collector()) as client:
        answer = await client.raw(request_text)
        assert re.match(rb"HTTP/1.[01] 400 ", answer)
        assert b"Server: tweetbot-exporter\r\n" in answer
        assert b"aiohttp" not in answer.split(b"\r\n\r\n")[0]
        assert len(answer) < 2000
        assert (await client.get("/-/healthy"))[0] == 200
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


async def test_every_answer_is_safe_to_look_at(fake_collector: Fake) -> None:
    async with served(fake_collector()) as client:
        for path in ("/", "/metrics", "/-/ready", "/none", "/metrics?collect[]=<b>"):
            _, headers, _ = await client.get(path)
            assert headers["Server"] == "tweetbot-exporter"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_the_server_ends_during_a_scrape(fake_collector: Fake) -> None:
    source = fake_collector("database", held_back(asyncio.Event()))
    async with ClientSession() as session, asyncio.timeout(60):
        async with served(source) as client:
            scrape = asyncio.create_task(session.get(f"http://127.0.0.1:{client.port}/metrics"))
            await until(lambda: bool(source.timeouts))
        with pytest.raises(OSError, match=r".*"):
            await scrape


@pytest.mark.parametrize(
    ("config", "prefix", "linked"),
    [
        ({"route_prefix": "/bot"}, "/bot", "/bot"),
        ({"route_prefix": "/bot/"}, "/bot", "/bot"),
        ({"external_url": "https://example.org/bot"}, "/bot", "/bot"),
        ({"external_url": "https://example.org/"}, "", ""),
        ({"external_url": "https://example.org/bot/", "route_prefix": "/"}, "", "/bot"),
        ({"external_url": "https://example.org/a/b", "route_prefix": "/c"}, "/c", "/a/b"),
    ],
)
async def test_paths_behind_a_reverse_proxy(
    config: dict[str, str], prefix: str, linked: str, fake_collector: Fake
) -> None:
    async with served(fake_collector(), **config) as client:
        for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/agents"):
            assert (await client.get(prefix + path))[0] == 200
        links = re.findall(r'href="([^"]*)"', (await client.get(f"{prefix}/"))[2])
        paths = ("/metrics", "/api/v1/agents", "/runbooks/", "/-/ready", "/-/healthy")
        assert links == [linked + path for path in paths]
        if prefix:
            assert (await client.get("/metrics"))[0] == 404
            async with client.session.get(f"http://127.0.0.1:{client.port}/", allow_redirects=False) as found:
                assert (found.status, found.headers["Location"]) == (302, f"{linked}/")


async def test_the_runbooks_are_served_without_a_network() -> None:
    async with served() as client:
        status, headers, body = await client.get("/runbooks/TweetbotBotDown.md")
        assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert body.startswith("# TweetbotBotDown")
        assert (await client.get("/runbooks/TweetbotBotDown"))[2] == body
        _, _, listed = await client.get("/runbooks/")
        assert "/runbooks/TweetbotBotDown.md\n" in listed


@pytest.mark.parametrize("name", ["README.md", "none", "..%2F..%2Fsettings", "%2e%2e/settings.yml"])
async def test_there_is_no_other_runbook(name: str) -> None:
    async with served() as client:
        assert (await client.get(f"/runbooks/{name}"))[0] == 404
