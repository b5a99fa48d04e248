"""The optimizer's HTTP, over real sockets, on a real ledger."""

import asyncio
import gzip
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs
from tools import wait_until

from exporter import __version__
from exporter.http.rate_limiter import RateLimiter
from exporter.http.server import running
from exporter.http.sockets import bound_address, open_sockets
from exporter.metrics.catalogue import FAMILIES
from exporter.optimizer.http import api
from exporter.optimizer.http.app import make_app
from exporter.optimizer.ledger import file as ledgerfile
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.model import Subject
from exporter.optimizer.reconcile.loop import ReconcileLoop
from optimizer import fakes
from optimizer.alerts.test_webhook import LABELS, alert, envelope
from optimizer.fakes import NOON, SLOW, World, world_at

ALERTS, LISTED = "/api/v1/alerts", "/api/v1/optimizations"
SESAME = {"Authorization": "Bearer sesame"}
JSON = {"Content-Type": "application/json"}


class Client:
    """Sends with the token, unless told otherwise."""

    def __init__(
        self, world: World, session: ClientSession, port: int, token_file: Path, loop: ReconcileLoop
    ) -> None:
        self.world, self.session, self.port, self.token_file = world, session, port, token_file
        self.loop = loop

    async def ask(
        self, path: str, body: Any = None, method: str = "", headers: dict[str, str] = SESAME
    ) -> tuple[int, Any, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        method = method or ("GET" if body is None else "POST")
        async with self.session.request(method, url, data=body, headers=headers) as response:
            return response.status, response.headers, await response.text()

    async def post(self, body: Any, **headers: str) -> tuple[int, Any]:
        """To the webhook; status and document."""
        status, _, text = await self.ask(ALERTS, body, headers=SESAME | JSON | headers)
        return status, json.loads(text)

    async def raw(self, request: bytes) -> bytes:
        """The first line of whatever comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.readline(), 60)
        finally:
            writer.close()

    async def metrics(self) -> dict[str, float]:
        """Without buckets: `name{value,value}` → value."""
        page = (await self.ask("/metrics", headers={}))[2]
        return {
            sample.name.removeprefix("tweetbot_optimizer_")
            + (f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""): sample.value
            for family in parse_text(page)
            for sample in family.samples
        }


@asynccontextmanager
async def served(directory: Path, **keys: Any) -> AsyncIterator[Client]:
    token_file = directory / "token"
    token_file.write_text("sesame\n")
    (listener,) = open_sockets(["127.0.0.1:0"])
    async with world_at(directory / "optimizer.db", **keys) as world:
        loop = ReconcileLoop(world.reconciler, 3600)
        app = make_app(world.config, token_file, world.ledger, world.receiver, loop)
        async with running(app, [listener]), ClientSession() as session:
            yield Client(world, session, bound_address(listener).port, token_file, loop)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with served(tmp_path) as made:
        yield made


async def test_an_alert_goes_into_the_ledger(client: Client) -> None:
    status, told = await client.post(envelope(alert(), alert({"alertname": "Watchdog"}), 7))
    assert (status, told) == (200, {"accepted": 1, "rejected": {"not_a_bottleneck": 1, "malformed": 1}})
    (entry,) = await client.world.ledger.optimizations()
    assert (entry.subject, entry.severity, entry.state) == (SLOW, "high", "waiting")
    assert (await client.post(envelope(alert())))[1] == {"accepted": 0, "rejected": {"repeated": 1}}
    assert (await client.post(envelope(alert({**LABELS, "bot": "other"}))))[1]["rejected"] == {"other_bot": 1}
    assert (await client.post(envelope()))[1] == {"accepted": 0, "rejected": {}}
    found = await client.metrics()
    assert found["webhook_requests_total{200}"] == 4
    assert found["alerts_total"] == 5
    rejected = {key: value for key, value in found.items() if key.startswith("alerts_rejected") and value}
    assert rejected == {
        f"alerts_rejected_total{{{reason}}}": 1
        for reason in ("repeated", "other_bot", "not_a_bottleneck", "malformed")
    }
    assert found["open{agent_response_time,waiting}"] == 1


PATHS = [("POST", ALERTS), ("GET", LISTED), ("GET", LISTED + "/1"), ("POST", LISTED + "/1/roll-back")]


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"Authorization": "Bearer sesam"},
        {"Authorization": "Bearer sesame2"},
        {"Authorization": "Bearer Sesame"},
        {"Authorization": "sesame"},
        {"Authorization": "Basic sesame"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer sésame"},
        {"X-Token": "sesame"},
    ],
)
async def test_nothing_without_the_token(client: Client, shown: dict[str, str]) -> None:
    for method, path in PATHS:
        body = envelope(alert()) if method == "POST" else None
        status, headers, text = await client.ask(path, body, method, {**JSON, **shown})
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "sesame" not in text
    assert await client.world.ledger.optimizations() == []
    assert (await client.metrics())["webhook_requests_total{401}"] == 1


async def test_who_comes_without_the_token_is_told_of_once_a_minute(client: Client) -> None:
    with capture_logs() as logged:
        for _ in range(3):
            await client.post(envelope(), Authorization="Bearer guessed")
    assert [(event["peer"], event["path"]) for event in logged] == [("127.0.0.1", ALERTS)]
    assert "guessed" not in str(logged)


async def test_what_needs_no_token(client: Client) -> None:
    for path in ("/metrics", "/-/healthy", "/-/ready"):
        status, headers, _ = await client.ask(path, headers={})
        assert status == 200
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await client.ask(ALERTS, method="GET"))[0] == 405
    assert (await client.ask("/api/v1/other"))[0] == 404


async def test_a_token_can_be_changed_and_taken_away(client: Client) -> None:
    client.token_file.write_text("abracadabra")
    assert (await client.post(envelope()))[0] == 401
    assert (await client.post(envelope(), Authorization="Bearer abracadabra"))[0] == 200
    with capture_logs() as logged:
        for content in ("", "two words", None):
            client.token_file.unlink() if content is None else client.token_file.write_text(content)
            for _ in range(3):
                status, told = await client.post(envelope(), Authorization=f"Bearer {content}")
                assert (status, told) == (
                    503,
                    {"error": "the optimizer's token cannot be read; its log says why"},
                )
    assert [event["error"].partition(") ")[2] for event in logged] == [
        "must hold one token, of visible characters",
        "does not exist",
    ]
    client.token_file.write_text("sesame")
    assert (await client.post(envelope()))[0] == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (envelope(version="3"), {}, 400),
        (envelope(*[7] * 1001), {}, 413),
        (b" " * ((1 << 20) + 1), {}, 413),
        (envelope(alert()), {"Content-Type": "text/plain"}, 415),
        (envelope(alert()), {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (gzip.compress(b" " * (1 << 20)), {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_requests_that_are_refused_as_a_whole(
    client: Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    found, told = await client.post(body, **headers)
    assert (found, list(told)) == (status, ["error"])
    assert await client.world.ledger.optimizations() == []
    assert (await client.metrics())[f"webhook_requests_total{{{status}}}"] == 1


async def test_a_body_without_a_length_is_bounded_too(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * (1 << 16)

    assert (await client.post(endless()))[0] == 413


HEAD = (
    b"POST /api/v1/alerts HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer sesame\r\nContent-Type: application/json\r\n"
)


async def test_bodies_that_do_not_come(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BODY_SECONDS", 0.3)
    with capture_logs() as logged:
        assert await client.raw(HEAD + b"Content-Length: 100\r\n\r\n{") == b"HTTP/1.1 408 Request Timeout\r\n"
        monkeypatch.setattr(api, "BODY_SECONDS", 60)
        broken = await client.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert broken.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.5)
    assert logged == []
    found = await client.metrics()
    assert found["webhook_requests_total{408}"] == 1
    assert found["webhook_requests_total{500}"] == 0


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BODIES = (
    st.binary(max_size=100)
    | ANYTHING.map(lambda found: json.dumps(found).encode())
    | st.lists(ANYTHING | st.builds(alert, ANYTHING), max_size=3).map(lambda found: envelope(*found))
    | st.dictionaries(st.sampled_from(["status", "startsAt", "fingerprint", "labels"]), ANYTHING).map(
        lambda fields: envelope(alert(**fields))
    )
)


async def test_no_body_is_a_500(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RateLimiter, "wait", lambda _: 0.0)
    loop = asyncio.get_running_loop()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(BODIES)
    def each(body: bytes) -> None:
        status, _ = asyncio.run_coroutine_threadsafe(client.post(body), loop).result(30)
        assert status in (200, 400)

    with capture_logs() as logged:
        await asyncio.to_thread(each)
    assert [event for event in logged if event["log_level"] == "error"] == []


async def test_a_flood_is_refused_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes, the budget is not repaid meanwhile.
    monkeypatch.setattr(api, "PER_SECOND", 1e-6)
    async with served(tmp_path) as client:
        await _is_flooded(client)


async def _is_flooded(client: Client) -> None:
    """A scaled-down million: 150,000 alerts as fast as they can be sent, from many at a time."""
    agents = [{**LABELS, "agent": f"forged-{number}"} for number in range(1000)]
    body = envelope(*[alert(each, annotations={}, fingerprint=f"{i:016x}") for i, each in enumerate(agents)])
    await client.world.step()  # so that the agents are known
    statuses: list[int] = []

    async def send() -> None:
        for _ in range(15):
            statuses.append((await client.post(body))[0])

    async with asyncio.TaskGroup() as group:
        senders = [group.create_task(send()) for _ in range(10)]
        answered = 0
        while not all(sender.done() for sender in senders):
            answered += bool(await client.metrics())
            await asyncio.sleep(0.05)
    found = await client.metrics()
    assert set(statuses) == {200, 429}
    taken, refused = statuses.count(200), statuses.count(429)
    assert taken <= 12
    assert found["webhook_requests_total{429}"] == refused == 150 - taken
    assert found["alerts_total"] == found["alerts_rejected_total{unknown_agent}"] == 1000 * taken
    assert answered > 1
    status, headers, _ = await client.ask(ALERTS, body, headers=SESAME | JSON)
    assert status == 429
    assert int(headers["Retry-After"]) > 1


def test_a_budget_is_repaid_with_time() -> None:
    now = [100.0]
    budget = RateLimiter(10, 2, lambda: now[0])
    budget.charge(4)
    assert budget.wait() == 0
    # Whoever comes while something is left may overdraw it.
    budget.charge(9)
    assert budget.wait() == 2
    now[0] += 1.5
    assert budget.wait() == 0.5
    now[0] += 0.5
    assert budget.wait() == 0
    # However long nobody came, no more is left than at first.
    now[0] += 1000
    budget.wait()
    budget.charge(10)
    assert budget.wait() == 0.5


async def test_the_ledger_as_json(client: Client) -> None:
    await client.world.acted()
    status, _, text = await client.ask(LISTED)
    (listed,) = json.loads(text)["optimizations"]
    one = json.loads((await client.ask(LISTED + "/1"))[2])
    assert (status, listed) == (200, one)
    assert (one["bottleneck"], one["agent"], one["state"], one["outcome"]) == (
        *vars_of(SLOW),
        "measuring",
        None,
    )
    assert one["before"]["value"] == 2.8
    assert one["strategy"]["priority"] == "high"
    assert [action["status"] for action in one["actions"]] == ["done"] * len(one["actions"])
    change = one["actions"][0]["changes"][0]
    assert set(change) == {"agent", "path", "from", "to"}
    assert json.loads((await client.ask(LISTED + "?state=closed"))[2]) == {"optimizations": []}
    assert len(json.loads((await client.ask(LISTED + "?state=measuring&limit=1"))[2])["optimizations"]) == 1


def vars_of(subject: Subject) -> tuple[str, str]:
    return subject.bottleneck.name, subject.agent


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/2", 404),
        ("/0", 404),
        ("/x", 404),
        ("/1%27%20OR%201=1", 404),
        ("/" + "9" * 18, 404),
        ("/" + "9" * 19, 404),
        ("?state=open", 400),
        ("?state=", 400),
        ("?limit=0", 400),
        ("?limit=1001", 400),
        ("?limit=-1", 400),
        ("?limit=1e3", 400),
        ("?limit=%D9%A3", 400),
        ("?limit=" + "9" * 5000, 400),
        ("?limit=1000&other=x", 200),
    ],
)
async def test_questions_to_the_ledger(client: Client, path: str, status: int) -> None:
    assert (await client.ask(LISTED + path))[0] == status


async def test_taking_back(client: Client) -> None:
    await client.world.acted()
    before = dict(client.world.bot.levels)
    status, _, text = await client.ask(LISTED + "/1/roll-back", b"{}")
    assert (status, json.loads(text)["state"]) == (202, "restoring")
    again, _, why = await client.ask(LISTED + "/1/roll-back", b"{}")
    assert (again, "already" in json.loads(why)["error"]) == (409, True)
    assert (await client.ask(LISTED + "/7/roll-back", b"{}"))[0] == 404
    assert (await client.ask(LISTED + "/1/roll-back"))[0] == 405
    await client.world.step()
    assert (await client.world.entry()).outcome == "rolled_back"
    assert client.world.bot.levels != before


async def test_an_accepted_alert_is_looked_at_at_once(client: Client) -> None:
    client.world.metrics.sees()
    running = asyncio.create_task(client.loop.run())
    await wait_until(lambda: client.world.reconciler.last_run is not None)
    await client.post(envelope(alert()))
    await wait_until(lambda: bool(client.world.bot.executed))
    running.cancel()


async def test_a_bug_is_not_ready_and_is_logged_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    async def step() -> None:
        steps.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr(client.world.reconciler, "reconcile", step)
    with capture_logs() as logged:
        running = asyncio.create_task(client.loop.run())
        await wait_until(lambda: len(steps) == 1)
        client.loop.wake()
        await wait_until(lambda: len(steps) == 2)
        status, _, text = await client.ask("/-/ready")
    running.cancel()
    assert (status, text) == (503, "Not ready: a bug: RuntimeError; the log has the details\n")
    assert len(logged) == 1


async def test_suspended_and_resumed(client: Client) -> None:
    world = client.world
    assert (await client.ask("/api/v1/suspend", method="POST", headers={}))[0] == 401
    assert (await client.ask("/api/v1/suspend", method="POST"))[0] == 200
    assert (await client.metrics())["suspended"] == 1
    world.metrics.sees()
    await world.receive(fakes.alert())
    await world.step()
    entry = await world.entry()
    assert (entry.state, world.bot.executed) == ("waiting", [])
    assert "suspended since 2027-01-15 08:00:00 UTC: by hand" in entry.reason
    assert (await client.ask("/api/v1/resume", method="POST"))[0] == 200
    await world.step()
    assert (await world.entry()).state == "measuring"
    assert (await client.metrics())["suspended"] == 0


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
async def test_the_scheme_is_taken_in_any_case(client: Client, scheme: str) -> None:
    authorization = {"Authorization": f"{scheme} sesame"}
    assert (await client.ask("/api/v1/optimizations", headers=authorization))[0] == 200


async def test_one_bad_step_is_not_the_last(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    async def step() -> None:
        steps.append(1)
        if len(steps) == 1:
            raise RuntimeError("a bug")
        if len(steps) == 2:
            raise LedgerError("the disk is full")

    monkeypatch.setattr(client.world.reconciler, "reconcile", step)
    with capture_logs() as logged:
        running = asyncio.create_task(client.loop.run())
        for number in (1, 2):
            await wait_until(partial(lambda expected: len(steps) == expected, number))
            client.loop.wake()
            await asyncio.sleep(0.05)
        await wait_until(lambda: len(steps) == 3 and len(logged) == 3)
    running.cancel()
    assert [event["event"] for event in logged] == [
        "reconciliation failed: a bug",
        "the ledger cannot be used",
        "the ledger can be used again",
    ]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes, and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_a_ledger_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgerfile, "PATIENCE", 0.2)
    async with served(tmp_path) as client:
        with locked(client.world.path), capture_logs() as logged:
            for _ in range(2):
                status, told = await client.post(envelope(alert()))
                assert status == 503
                assert "optimizer.db" in told["error"]
            assert (await client.ask("/-/ready", headers={}))[0] == 503
            found = await client.metrics()
            assert (found["webhook_requests_total{503}"], found["webhook_requests_total{500}"]) == (2, 0)
        assert [event["event"] for event in logged] == ["the ledger cannot be used"]
        # What Alertmanager sends again is taken then.
        assert (await client.post(envelope(alert())))[1]["accepted"] == 1


async def test_metrics_without_a_ledger(client: Client) -> None:
    with closing(sqlite3.connect(client.world.path)) as other:
        other.execute("ALTER TABLE optimizations RENAME TO gone")
    found = await client.metrics()
    assert found[f"info{{act,{__version__}}}"] == 1
    assert "webhook_requests_total{200}" in found
    assert not [key for key in found if key.startswith(("open", "optimizations_total"))]
    assert (await client.ask("/-/ready", headers={}))[0] == 503


async def test_who_is_away_is_said_when_asked(client: Client) -> None:
    ready = "The optimizer is ready.\n"
    assert (await client.ask("/-/ready", headers={}))[::2] == (200, ready)
    assert "prometheus_up" not in await client.metrics()
    client.world.metrics.down = True
    await client.world.step()
    assert (await client.ask("/-/ready", headers={}))[::2] == (
        200,
        ready + "- Prometheus did not answer when last asked\n",
    )
    assert (await client.metrics())["prometheus_up"] == 0


async def test_every_family_is_there_and_starts_at_0(client: Client) -> None:
    page = (await client.ask("/metrics", headers={"Accept": "application/openmetrics-text"}))[2]
    families = {
        family.name: family
        for family in openmetrics_parser.text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    }
    ours = [each.name for each in FAMILIES if each.collector == "optimizer"]
    declared = {name.removesuffix("_total").removesuffix("_info") for name in ours}
    when_known = ("actions", "actions_failed", "action_last_timestamp_seconds", "change_timestamp_seconds")
    of_ledger = ("timestamp_seconds", "measured_value", "improvement_ratio")
    later = {
        f"tweetbot_optimizer_{name}"
        for name in (
            *when_known,
            *(f"ledger_{name}" for name in of_ledger),
            "last_run_timestamp_seconds",
            "prometheus_up",
            "bridge_up",
        )
    }
    assert declared - set(families) == later
    assert "process_cpu_seconds" in families
    for name in declared & set(families) - {"tweetbot_optimizer"}:
        assert {sample.value for sample in families[name].samples} == {0}
    await client.world.step()
    found = await client.metrics()
    for action in ("execute_adaptation", "adjust_autonomy", "restore"):
        assert found[f"actions_total{{{action},market-hunter}}"] == 0
        assert found[f"actions_failed_total{{{action},market-hunter}}"] == 0
    assert not [key for key in found if key.startswith("action_last") or "pause" in key]
    await client.world.acted()
    found = await client.metrics()
    assert found["actions_total{execute_adaptation,market-hunter}"] == 1
    assert found["change_timestamp_seconds{market-hunter,measuring,STRATEGY_ADJUSTMENT}"] == NOON
    assert found["actions_failed_total{execute_adaptation,market-hunter}"] == 0
    assert found["action_last_timestamp_seconds{execute_adaptation,market-hunter}"] > 0
    assert found["open{agent_response_time,measuring}"] == 1
    assert found["prometheus_up"] == found["bridge_up"] == 1


async def ledger_series(client: Client) -> dict[str, float]:
    return {name: value for name, value in (await client.metrics()).items() if name.startswith("ledger_")}


async def test_the_ledger_as_series(client: Client) -> None:
    world = client.world
    await world.acted()
    assert await ledger_series(client) == {
        "ledger_timestamp_seconds{market-hunter,agent_response_time,1,measuring,}": NOON,
        "ledger_measured_value{market-hunter,agent_response_time,1,before}": 2.8,
    }
    world.metrics.values[SLOW] = (1.4, 400)
    await world.step(7 * 3600.0)
    entry = await world.entry()
    reason = f"{{market-hunter,agent_response_time,1,succeeded,{entry.reason}}}"
    assert await ledger_series(client) == {
        f"ledger_timestamp_seconds{reason}": NOON + 7 * 3600.0,
        "ledger_measured_value{market-hunter,agent_response_time,1,before}": 2.8,
        "ledger_measured_value{market-hunter,agent_response_time,1,after}": 1.4,
        "ledger_improvement_ratio{market-hunter,agent_response_time,1}": pytest.approx(0.5),
    }


async def test_no_more_of_the_ledger_than_its_newest(client: Client) -> None:
    agents = [f"agent-{number}" for number in range(30)]
    await client.world.receive(
        *(fakes.alert(Subject(SLOW.bottleneck, agent), fingerprint=agent) for agent in agents)
    )
    series = await ledger_series(client)
    assert series == {
        f"ledger_timestamp_seconds{{{agent},agent_response_time,{number},waiting,}}": NOON
        for number, agent in list(enumerate(agents, 1))[-20:]
    }
