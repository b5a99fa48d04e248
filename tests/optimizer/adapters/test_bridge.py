"""The bot by its bridge: a real one in Node.js, the demo's, and ones that are not well."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tools import free_port, needed

import exporter
from exporter.collectors.base import CollectorError
from exporter.config import Bridge
from exporter.demo import DemoBot
from exporter.optimizer.adapters import bridge as bot_module
from exporter.optimizer.adapters.bridge import BridgedBot
from exporter.optimizer.model import Action, ActionResult, Change, NotCarriedOutError, UnavailableError

REGISTER = Path(exporter.__file__).parent / "bridge" / "register.mjs"
HUNTER = "market-hunter"
ADAPT = Action("execute_adaptation", HUNTER, ("STRATEGY_ADJUSTMENT",))
LOWER = Action("adjust_autonomy", HUNTER, direction="lower")

# Two of its agents are exported under one name.
ORCHESTRATOR = """
class Agent {
  autonomyLevel = 0.8; goals = { risk: { tolerance: 0.5 } };
  async executeAdaptation(actions) { this.goals.risk.tolerance = actions.length / 10; }
  async updateAutonomyLevel(level) { this.autonomyLevel = level; }
}
class Orchestrator {
  agents = new Map(['Market Hunter', 'twin', 'Twin'].map((id) => [id, new Agent()]));
  autonomyLevels = new Map([['Market Hunter', 0.6]]);
  async executeStrategicOrchestrationCycle() {}
  start() { setInterval(() => this.executeStrategicOrchestrationCycle(), 20); }
}
new Orchestrator().start();
export default Orchestrator;
"""


def token(directory: Path, text: str = "sesame") -> Path:
    file = directory / "actions-token"
    file.write_text(text + "\n")
    return file


@asynccontextmanager
async def reached(url: str, token_file: Path, **aliases: str) -> AsyncIterator[BridgedBot]:
    made = BridgedBot(Bridge(url=url, timeout_seconds=10), token_file, aliases, "ledger-1")
    try:
        yield made
    finally:
        await made.close()


async def started(bot: BridgedBot) -> float:
    """The start time, once there is an agent."""
    async with asyncio.timeout(90):
        while True:
            with suppress(CollectorError):
                if (await bot._bridge.state(5)).document.get("agents"):
                    return await bot.start_time()
            await asyncio.sleep(0.1)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[str]:
    """The url of a bridge in a real Node.js, which allows all but pausing."""
    (tmp_path / "bot.mjs").write_text(ORCHESTRATOR)
    port = free_port()
    environment = {
        **os.environ,
        "TWEETBOT_BRIDGE_PORT": str(port),
        "TWEETBOT_BRIDGE_ACTIONS_TOKEN_FILE": str(token(tmp_path)),
        "TWEETBOT_BRIDGE_ALLOW_ACTIONS": "execute_adaptation,adjust_autonomy",
    }
    process = await asyncio.create_subprocess_exec(
        needed("node"), "--import", str(REGISTER), "bot.mjs", cwd=tmp_path, env=environment
    )
    try:
        yield f"http://127.0.0.1:{port}/state"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.node
async def test_what_is_done_to_a_real_bot_and_rolled_back(node: str, tmp_path: Path) -> None:
    async with reached(node, tmp_path / "actions-token") as bot:
        start = await started(bot)
        assert abs(time.time() - start) < 600
        done = await bot.perform("one-1", ADAPT, start)
        assert done == ActionResult("done", (Change("Market Hunter", "goals.risk.tolerance", 0.5, 0.1),))
        assert await bot.perform("one-1", ADAPT, start) == done

        lowered = await bot.perform("one-2", LOWER, start)
        assert lowered.status == "done"
        changed = {each.path: (each.before, each.after) for each in lowered.changes}
        assert changed["autonomyLevels"] == (0.6, pytest.approx(0.57))
        assert await bot.restore("one-3", "one-2", start) == await bot.restore("one-3", "one-2", start)
        assert (await bot.restore("one-4", "one-1", start)).status == "done"
        assert (await bot.restore("one-5", "nothing", start)).status == "refused"

        for agent, told in (("twin", "several agents"), ("nobody", "no agent"), ("other", "no agent")):
            refused = await bot.perform(
                f"no-{agent}", Action("adjust_autonomy", agent, direction="raise"), start
            )
            assert (refused.status, refused.by_client) == ("refused", True)
            assert told in refused.error
        assert await bot.perform("one-6", Action("pause"), start) == ActionResult(
            "refused", (), "pause is not allowed"
        )
        with pytest.raises(UnavailableError, match="botStart is of another process"):
            await bot.perform("one-7", ADAPT, start - 1)
        other = await bot.perform("one-1", LOWER, start)
        assert (other.status, "from one release" in other.error) == ("refused", True)


@pytest.mark.node
async def test_one_optimizer_at_a_time(node: str, tmp_path: Path) -> None:
    file = tmp_path / "actions-token"
    second = BridgedBot(Bridge(url=node, timeout_seconds=10), file, {}, "ledger-2")
    async with reached(node, file) as first:
        start = await started(first)
        done = await first.perform("one-1", LOWER, start)
        with pytest.raises(NotCarriedOutError, match="another optimizer acts on this bot"):
            await second.perform("two-1", LOWER, start)
        assert (await first.check("look-1", "one-1", start)).changes == ()
        await first.perform("one-2", LOWER, start)
        gone = (await first.check("look-2", "one-1", start)).changes
        assert {each.path for each in gone} == {each.path for each in done.changes}
        both = ["execute_adaptation", "adjust_autonomy"]
        assert await second.abilities() == {"": [], **dict.fromkeys(("Market Hunter", "twin", "Twin"), both)}
    await second.close()


@pytest.mark.node
async def test_the_token_is_read_anew_and_never_shown(node: str, tmp_path: Path) -> None:
    file = tmp_path / "actions-token"
    async with reached(node, file) as bot:
        start = await started(bot)
        file.write_text("abracadabra")
        with pytest.raises(UnavailableError) as caught:
            await bot.perform("one-1", ADAPT, start)
        assert "another token than optimizer.actions_token_file" in str(caught.value)
        assert "abracadabra" not in str(caught.value)
        for text, told in (("", "must hold one token"), ("a b", "must hold one token")):
            file.write_text(text)
            with pytest.raises(UnavailableError, match=told):
                await bot.restore("one-2", "one-1", start)
        file.unlink()
        with pytest.raises(UnavailableError, match=r"optimizer\.actions_token_file\) does not exist"):
            await bot.restore("one-2", "one-1", start)
        token(tmp_path)
        assert (await bot.perform("one-1", ADAPT, start)).status == "done"


@pytest.mark.node
async def test_an_alias_is_the_way_back_to_the_bots_own_name(node: str, tmp_path: Path) -> None:
    async with reached(node, tmp_path / "actions-token", **{"Market Hunter": "scout"}) as bot:
        start = await started(bot)
        assert "no agent" in (await bot.perform("one-1", ADAPT, start)).error
        done = await bot.perform("one-2", Action("adjust_autonomy", "scout", direction="lower"), start)
        assert done.status == "done"


async def test_what_is_done_to_the_demo(tmp_path: Path) -> None:
    file = token(tmp_path)
    demo = DemoBot(directory=tmp_path, history_days=0.5, scenario="degraded", actions_token_file=file)
    async with demo, reached(demo.state_url, file) as bot:
        start = await started(bot)
        done = await bot.perform("one-1", ADAPT, start)
        assert (done.status, done.error) == ("done", "")
        assert (await bot.restore("one-2", "one-1", start)).status == "done"


# A bridge that is not well.


class Fake:
    """Answers what it is told to; notes what it was asked."""

    def __init__(self) -> None:
        self.state: Any = {"agents": [{"id": "Market Hunter"}]}
        self.answer: Any = {}
        self.status = 200
        self.asked: list[Any] = []
        self.url = ""

    async def get(self, _: web.Request) -> web.Response:
        process = {"pid": 7, "startTime": 1000.5}
        return web.json_response({"version": 1, "time": time.time(), "process": process, **self.state})

    async def post(self, request: web.Request) -> web.Response:
        self.asked.append((dict(request.headers), await request.json()))
        if self.answer is None:
            await asyncio.sleep(60)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    made = Fake()
    app = web.Application()
    app.router.add_get("/bot/state", made.get)
    app.router.add_post("/bot/actions", made.post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/bot/state"
    yield made
    await runner.cleanup()


async def test_the_request_is_what_the_bridge_takes(fake: Fake, tmp_path: Path) -> None:
    fake.answer = {"version": 1, "id": "x-1", "status": "running", "changes": [], "added": "later"}
    fake.status = 202
    async with reached(fake.url, token(tmp_path)) as bot:
        assert await bot.start_time() == 1000.5
        assert await bot.perform("x-1", ADAPT, 1000.5) == ActionResult("running")
        await bot.perform("x-1", LOWER, 1000.5)
        await bot.perform("x-1", Action("resume"), 1000.5)
        await bot.restore("x-1", "w-9", 1000.5)
    headers, first = fake.asked[0]
    assert headers["Authorization"] == "Bearer sesame"
    common = {"version": 1, "id": "x-1", "botStart": 1000.5, "owner": "ledger-1"}
    assert [document for _, document in fake.asked] == [
        {
            **common,
            "action": "execute_adaptation",
            "agent": "Market Hunter",
            "adaptations": ["STRATEGY_ADJUSTMENT"],
        },
        {**common, "action": "adjust_autonomy", "agent": "Market Hunter", "direction": "lower"},
        {**common, "action": "resume"},
        {**common, "action": "restore", "restores": "w-9"},
    ]
    assert first["botStart"] == 1000.5


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "another token"),
        (404, "started without actions"),
        (421, "local name"),
        (429, "something else now"),
        (500, "answers with status 500"),
        (302, "redirects elsewhere"),
    ],
)
async def test_who_cannot_be_asked_now_is_asked_again(
    fake: Fake, tmp_path: Path, status: int, told: str
) -> None:
    fake.status = status
    async with reached(fake.url, token(tmp_path)) as bot:
        with pytest.raises(UnavailableError, match=told) as caught:
            await bot.perform("x-1", ADAPT, 1000.5)
    assert "sesame" not in str(caught.value)


async def test_a_conflict_says_which(fake: Fake, tmp_path: Path) -> None:
    fake.status, fake.answer = 409, {"version": 1, "error": "another optimizer acts on this bot, for 7 s"}
    async with reached(fake.url, token(tmp_path)) as bot:
        with pytest.raises(NotCarriedOutError, match="another optimizer acts on this bot, for 7 s"):
            await bot.perform("x-1", ADAPT, 1000.5)


@pytest.mark.parametrize("status", [400, 405, 413, 415])
async def test_what_is_not_understood_is_not_asked_again(fake: Fake, tmp_path: Path, status: int) -> None:
    fake.status = status
    async with reached(fake.url, token(tmp_path)) as bot:
        answer = await bot.perform("x-1", ADAPT, 1000.5)
    assert (answer.status, answer.by_client) == ("refused", True)
    assert f"status {status}; take the bridge and the optimizer from one release" in answer.error


DONE = {"version": 1, "id": "x-1", "status": "done", "changes": []}
CHANGE = {"agent": "a", "path": "p", "from": 1, "to": 2}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([], "does not answer as a bridge does"),
        ({**DONE, "version": 2}, "does not answer as a bridge does"),
        ({**DONE, "status": "fine"}, "does not answer as a bridge does"),
        ({**DONE, "changes": [7]}, "does not answer as a bridge does"),
        ({**DONE, "changes": [{**CHANGE, "to": {"a": 1}}]}, "does not answer as a bridge does"),
        ({**DONE, "changes": [{**CHANGE, "to": "x" * 1001}]}, "does not answer as a bridge does"),
        ({**DONE, "changes": [CHANGE] * 1001}, "does not answer as a bridge does"),
        ({**DONE, "id": "x-2"}, "answers to another request"),
        ("x" * (2 << 20), "more than 1 MiB"),
    ],
)
async def test_an_answer_that_is_none(fake: Fake, tmp_path: Path, answer: Any, told: str) -> None:
    fake.answer = answer
    async with reached(fake.url, token(tmp_path)) as bot:
        with pytest.raises(UnavailableError, match=told):
            await bot.restore("x-1", "w-1", 1000.5)


async def test_a_bridge_that_hangs(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answer = None
    monkeypatch.setattr(bot_module, "ACTION_SECONDS", 0.2)
    async with reached(fake.url, token(tmp_path)) as bot:
        with pytest.raises(UnavailableError, match="did not answer in time") as caught:
            await bot.restore("x-1", "w-1", 1000.5)
    assert not isinstance(caught.value, NotCarriedOutError), "it may have been"


@pytest.mark.parametrize("agents", [None, {}, [7, {"id": 7}, {}], [{"id": "unknown"}]])
async def test_a_state_without_the_agent(fake: Fake, tmp_path: Path, agents: Any) -> None:
    fake.state = {"agents": agents}
    async with reached(fake.url, token(tmp_path)) as bot:
        for label in (HUNTER, "unknown", "other"):
            answer = await bot.perform("x-1", Action("adjust_autonomy", label, (), "raise"), 1.0)
            assert (answer.status, answer.by_client) == ("refused", True)
    assert fake.asked == []


async def test_a_bot_without_a_start_time_and_no_bot(fake: Fake, tmp_path: Path) -> None:
    fake.state = {"process": {"pid": 7}}
    async with reached(fake.url, token(tmp_path)) as bot:
        with pytest.raises(UnavailableError, match="does not say when"):
            await bot.start_time()
    async with reached(f"http://127.0.0.1:{free_port()}/state", token(tmp_path)) as bot:
        pause = bot.perform("x-1", Action("pause"), 1.0)
        restore = bot.restore("x-1", "w-1", 1.0)
        for asked in (bot.start_time(), bot.perform("x-1", ADAPT, 1.0), pause, restore):
            with pytest.raises(NotCarriedOutError, match="cannot connect"):
                await asked
