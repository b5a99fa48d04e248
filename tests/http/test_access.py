"""Who is let in, over real sockets: TLS, certificates, passwords, headers, a rate limit, names of the server."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import bcrypt
import pytest
from aiohttp import web
from certificates import Certificates, certificates
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy
from structlog.testing import capture_logs
from tools import wait_until

from exporter.http import basic_auth, server
from exporter.http.access import Access
from exporter.http.basic_auth import BasicAuth
from exporter.http.sockets import bound_address, open_sockets

PASSWORD = "correct horse"


def hashed(password: str, rounds: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds)).decode()


USERS = f"basic_auth_users: {{prometheus: {hashed(PASSWORD)}}}\n"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


class Client:
    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.folder = folder

    async def get(
        self,
        path: str = "/",
        user: str = "",
        password: str = PASSWORD,
        tls: ssl.SSLContext | None = None,
        **headers: str,
    ) -> tuple[int, CIMultiDictProxy[str]]:
        if user:
            headers["Authorization"] = basic(user, password)
        url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=headers, ssl=tls or True) as response,
        ):
            await response.read()
            return response.status, response.headers

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "ca.pem")


@asynccontextmanager
async def served(folder: Path, text: str | None = None, **options: object) -> AsyncIterator[Client]:
    file = None
    if text is not None:
        file = folder / "web.yml"
        file.write_text(text)
    address = str(options.pop("address", "127.0.0.1:0"))
    app = server.make_application()
    app.router.add_get("/", hello)
    app.router.add_get("/api/v1/x", hello)
    sockets = open_sockets([address])
    client = Client(bound_address(sockets[0]).port, folder)
    async with server.running(app, sockets, Access(file, **options)):  # type: ignore[arg-type]
        yield client


async def test_tls(issued: Certificates) -> None:
    async with served(issued.folder, TLS + "}") as client:
        assert (await client.get(tls=client.trusting()))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.get(tls=ssl.create_default_context())
        with pytest.raises((aiohttp.ClientError, OSError)):
            await client.get()
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert (await client.get(tls=client.trusting()))[0] == 200


@pytest.mark.parametrize(
    ("config", "version", "cipher"),
    [
        (", min_version: TLS13}", "TLSv1.3", None),
        (", max_version: TLS12}", "TLSv1.2", None),
        (", cipher_suites: [TLS_AES_128_GCM_SHA256]}", "TLSv1.3", None),
        (
            ", max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]}",
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
        (
            ", max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]}",
            "TLSv1.2",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
        (
            ", max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA]}",
            "TLSv1.2",
            "ECDHE-ECDSA-AES128-SHA",
        ),
    ],
)
async def test_versions_and_ciphers(
    config: str, version: str, cipher: str | None, issued: Certificates
) -> None:
    async with served(issued.folder, TLS + config) as client:
        context = client.trusting()
        context.set_ciphers("ALL")
        _, writer = await asyncio.open_connection("127.0.0.1", client.port, ssl=context)
        spoken = writer.get_extra_info("ssl_object")
        assert spoken.version() == version
        assert cipher in (None, spoken.cipher()[0])
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("names", "status"), [("[prometheus.example]", 200), ("['192.0.2.7']", 200), ("[other.example]", 403)]
)
async def test_a_clients_certificate(names: str, status: int, issued: Certificates) -> None:
    config = f", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: {names}}}"
    async with served(issued.folder, TLS + config) as client:
        with pytest.raises((aiohttp.ClientError, OSError)):
            await client.get(tls=client.trusting())
        context = client.trusting()
        context.load_cert_chain(issued.folder / "client.pem", issued.folder / "client.key")
        assert (await client.get(tls=context))[0] == status


async def test_a_password(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as client:
        assert (await client.get(user="prometheus"))[0] == 200
        status, headers = await client.get()
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="tweetbot"')
        for user, password in (
            ("prometheus", "wrong"),
            ("nobody", PASSWORD),
            ("prometheus", ""),
            ("", PASSWORD),
        ):
            assert (await client.get(user=user or "x", password=password))[0] == 401
        for path in ("/missing", "/api/v1/x"):
            assert (await client.get(path))[0] == 401


async def test_what_has_a_token_of_its_own_is_not_asked_for_a_password(tmp_path: Path) -> None:
    async with served(tmp_path, USERS, own_token="/api/") as client:
        assert (await client.get("/api/v1/x"))[0] == 200
        for path in ("/", "/api/missing", "/api/../", "//api/v1/x"):
            assert (await client.get(path))[0] == 401


class _Checks:
    """Counts what bcrypt is asked, by the cost of the hash."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.costs: list[str] = []
        check = bcrypt.checkpw

        def counted(password: bytes, hashed: bytes) -> bool:
            self.costs.append(hashed.decode().split("$")[2])
            return check(password, hashed)

        monkeypatch.setattr(bcrypt, "checkpw", counted)


async def test_a_right_password_is_checked_once_and_a_wrong_one_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks, auth, users = _Checks(monkeypatch), BasicAuth(), {"a": hashed(PASSWORD)}
    for _ in range(5):
        assert await auth.check(basic("a", PASSWORD), users)
    assert len(checks.costs) == 1
    for _ in range(5):
        assert not await auth.check(basic("a", "wrong"), users)
    assert len(checks.costs) == 6
    assert not await auth.check(basic("a", PASSWORD), {"a": hashed("another")})


async def test_an_unknown_user_costs_what_a_known_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, auth = _Checks(monkeypatch), BasicAuth()
    users = {"a": hashed(PASSWORD, 5), "b": hashed(PASSWORD, 4)}
    assert not await auth.check(basic("a", "wrong"), users)
    assert not await auth.check(basic("unknown", PASSWORD), users)
    assert checks.costs == ["05", "05"]
    # And is never remembered as somebody.
    assert not await auth.check(basic("unknown", PASSWORD), users)


async def test_a_flood_of_wrong_passwords_keeps_out_nobody_who_was_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = _Checks(monkeypatch)
    monkeypatch.setattr(basic_auth, "CHECKS_PER_SECOND", 0.001)
    async with served(tmp_path, USERS) as client:
        assert (await client.get(user="prometheus"))[0] == 200
        statuses = [
            (await client.get(user="prometheus", password=f"wrong {number}"))[0] for number in range(40)
        ]
        assert set(statuses) == {401, 429}
        assert len(checks.costs) == basic_auth.CHECKS_BURST
        assert (await client.get(user="prometheus"))[0] == 200


async def test_long_passwords_are_what_bcrypt_makes_of_them() -> None:
    auth, users = BasicAuth(), {"a": hashed("x" * 72)}
    assert await auth.check(basic("a", "x" * 100), users)
    assert not await auth.check(basic("a", "x" * 71), users)


async def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic_auth, "CHECKS_BURST", 1000)
    auth, users = BasicAuth(), {"a": hashed("x" * 72)}
    for number in range(basic_auth.MOST_REMEMBERED + 5):
        assert await auth.check(basic("a", "x" * (72 + number)), users)
    assert len(auth._right) == basic_auth.MOST_REMEMBERED


@given(header=st.text() | st.binary().map(lambda raw: "Basic " + base64.b64encode(raw).decode()))
def test_any_header_is_answered(header: str) -> None:
    assert asyncio.run(BasicAuth().check(header, {"a": hashed(PASSWORD)})) is False


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_headers_are_added_to_every_answer(tmp_path: Path) -> None:
    config = (
        "http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=1}}\n"
    )
    async with served(tmp_path, config + USERS) as client:
        for user, status in (("prometheus", 200), ("", 401)):
            found, headers = await client.get(user=user)
            assert found == status
            assert headers.getall("X-Frame-Options") == ["sameorigin"]
            assert headers["Strict-Transport-Security"] == "max-age=1"
            assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_rate_limit(tmp_path: Path) -> None:
    async with served(tmp_path, "rate_limit: {interval: 1h, burst: 3}") as client:
        assert [(await client.get())[0] for _ in range(5)] == [200, 200, 200, 429, 429]


async def test_a_changed_file_counts_at_once_and_a_broken_one_not_at_all(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as client:
        assert (await client.get(user="prometheus"))[0] == 200
        file = tmp_path / "web.yml"
        file.write_text(f"basic_auth_users: {{alice: {hashed('new')}}}\n")
        assert (await client.get(user="prometheus"))[0] == 401
        assert (await client.get(user="alice", password="new"))[0] == 200
        with capture_logs() as logged:
            file.write_text("basic_auth_users: {alice: broken}")
            for _ in range(5):
                assert (await client.get(user="alice", password="new"))[0] == 200
            file.unlink()
            assert (await client.get())[0] == 401
        warnings = [event for event in logged if event["log_level"] == "warning"]
        assert [event["event"] for event in warnings] == [
            "web configuration cannot be used; the one before stays"
        ]
        assert "must hold a bcrypt hash" in warnings[0]["error"]
        file.write_text("")
        assert (await client.get())[0] == 200


async def test_certificates_are_exchanged_under_load_without_a_lost_scrape(tmp_path: Path) -> None:
    issued = certificates(tmp_path)
    seen: set[str] = set()
    async with served(tmp_path, TLS + "}") as client:
        stop, answers = asyncio.Event(), []

        async def scrape() -> None:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            while not stop.is_set():
                reader, writer = await asyncio.open_connection("127.0.0.1", client.port, ssl=context)
                seen.add(str(hash(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))))
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                answers.append((await reader.read()).endswith(b"hello"))
                writer.close()

        scrapes = [asyncio.create_task(scrape()) for _ in range(4)]
        for number in range(10):
            # Certificate and key are never exchanged at the same moment.
            await asyncio.to_thread(issued.renew)
            await wait_until(partial(lambda renewed: len(seen) > renewed, number), 60)
        assert (await client.get(tls=client.trusting()))[0] == 200
        stop.set()
        await asyncio.gather(*scrapes)
    assert all(answers)
    assert len(answers) >= len(seen) >= 10


@pytest.mark.parametrize(
    ("host", "hosts", "status"),
    [
        ("127.0.0.1:9464", (), 200),
        ("127.0.0.1", (), 200),
        ("[::1]:9464", (), 200),
        ("localhost", (), 200),
        ("LOCALHOST:1", (), 200),
        ("192.0.2.1", (), 200),
        ("evil.example:9464", (), 421),
        ("localhost.evil.example", (), 421),
        ("127.0.0.1.evil.example", (), 421),
        ("x", (), 421),
        ("exporter", ("exporter", "a.example"), 200),
        ("A.example.:80", ("exporter", "a.example"), 200),
        ("b.a.example", ("exporter", "a.example"), 421),
        (None, (), 200),
    ],
)
async def test_names_of_the_server(
    host: str | None, hosts: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    async with served(tmp_path, hosts=hosts) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        named = f"Host: {host}\r\n" if host else ""
        writer.write(f"GET / HTTP/1.{1 if host else 0}\r\n{named}Connection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        assert int(answer.split()[1]) == status
        writer.close()


async def test_loopback_is_loopback_on_a_socket_for_all_interfaces(tmp_path: Path) -> None:
    async with served(tmp_path, address=":0") as client:
        assert (await client.get(Host="evil.example"))[0] == 421
        assert (await client.get())[0] == 200
