"""POST /actions of the real process: what it answers, what it lets nobody do, and what the file then says."""

import http.client
import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest
from jsonschema.protocols import Validator
from tools import free_port

import exporter
from demo.simulated import Json, Row
from exporter.demo import DemoBot, DemoError

ROOT = Path(exporter.__file__).parents[1]
SCHEMA = json.loads((ROOT / "exporter" / "bridge" / "actions.schema.json").read_text())
TOKEN = "the key of the actions"  # not a secret
HUNTER = "market-hunter"
EXECUTIONS = "SELECT count(*) FROM agent_executions"
STATUS = "SELECT value FROM system_config WHERE key = 'system_status'"
COMMANDS = "SELECT command, status FROM system_commands WHERE id > ? ORDER BY id"
NEWEST = """
SELECT count(*), avg(execution_time_ms), avg(success) FROM
  (SELECT * FROM agent_executions WHERE agent_name = 'market-hunter' AND id > ? ORDER BY id DESC LIMIT 50)
"""

Answer = tuple[int, bytes, Message]
"""Status, body and headers."""


def validator(part: str) -> Validator:
    """Of a part of what the bridge in a real bot promises."""
    return jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{part}"})


REQUEST = validator("request")
ANSWERS = {200: validator("answer"), **dict.fromkeys((400, 409, 429), validator("problem"))}


class Client:
    """Talks to one bot over HTTP, and looks into its file. What it is answered must be as from the bridge."""

    def __init__(self, output: dict[str, str]) -> None:
        self.database = Path(output["database"])
        self.address = urlsplit(output["stateUrl"]).netloc
        self.start = self.state()["process"]["startTime"]
        self.ids = 0

    def request(
        self, method: str, path: str, body: str | bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        with closing(http.client.HTTPConnection(self.address, timeout=20)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read(), response.headers

    def state(self) -> Json:
        document: Json = json.loads(self.request("GET", "/state")[1])
        return document

    def send(self, body: str | bytes, **headers: str | None) -> Answer:
        """`body` as it is, with the headers that are right unless others are given."""
        usual: dict[str, str | None] = {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
        }
        usual.update({name.replace("_", "-"): value for name, value in headers.items()})
        given = {name: value for name, value in usual.items() if value is not None}
        status, answer, answered = self.request("POST", "/actions", body, given)
        if status in ANSWERS:
            ANSWERS[status].validate(json.loads(answer))
        return status, answer, answered

    def asked(self, action: str, **more: object) -> Json:
        self.ids += 1
        usual = {"version": 1, "id": f"test-{id(self):x}-{self.ids}", "botStart": self.start}
        return {**usual, "action": action, **more}

    def act(self, action: str, **more: object) -> Json:
        """The answer to a request that must be understood."""
        asked = self.asked(action, **more)
        REQUEST.validate(asked)
        status, body, _ = self.send(json.dumps(asked))
        assert status == 200, body
        answer: Json = json.loads(body)
        return answer

    def autonomy(self, agent: str = HUNTER) -> float:
        levels: dict[str, float] = {each["id"]: each["autonomy"] for each in self.state()["agents"]}
        return levels[agent]

    def row(self, sql: str, *parameters: object) -> Row:
        return self.rows(sql, *parameters)[0]

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        uri = f"{self.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "did not happen in time"
            time.sleep(0.1)


@contextmanager
def running(
    directory: Path, scenario: str = "degraded", token: str | None = TOKEN, speed: float = 1
) -> Iterator[Client]:
    line = [sys.executable, "-m", "exporter.demo", f"--directory={directory}", f"--scenario={scenario}"]
    line += ["--history-days=0.5", f"--speed={speed}", "--until-stdin-closes"]
    if token is not None:
        (directory / "token").write_text(f"{token}\n")
        line.append(f"--actions-token-file={directory / 'token'}")
    process = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        try:
            assert process.stdout
            yield Client(json.loads(process.stdout.readline()))
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(timeout=20)


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One for all tests that do not wait for an effect."""
    with running(tmp_path_factory.mktemp("bot")) as client:
        yield client


def test_an_adaptation_says_what_it_changed_and_a_restore_changes_it_back(bot: Client) -> None:
    before = bot.autonomy()
    done = bot.act(
        "execute_adaptation", agent=HUNTER, adaptations=["STRATEGY_ADJUSTMENT", "INCREASE_AUTONOMY"]
    )
    depth, level = done.pop("changes")
    assert done == {"version": 1, "id": done["id"], "status": "done"}
    assert depth == {"agent": HUNTER, "path": "goals.analysisDepth", "from": 64, "to": 32}
    assert level == {"agent": HUNTER, "path": "autonomyLevel", "from": before, "to": bot.autonomy()}
    assert bot.autonomy() == pytest.approx(before * 1.05)
    back = bot.act("restore", restores=done["id"])
    assert back["status"] == "done"
    assert back["changes"] == [
        {**change, "from": change["to"], "to": change["from"]} for change in (level, depth)
    ]
    assert bot.autonomy() == before


def test_autonomy_is_lowered_in_the_state(bot: Client) -> None:
    before = bot.autonomy("market-analyzer")
    (change,) = bot.act("adjust_autonomy", agent="market-analyzer", direction="lower")["changes"]
    assert change == {
        "agent": "market-analyzer",
        "path": "autonomyLevel",
        "from": before,
        "to": pytest.approx(before * 0.95),
    }
    assert bot.autonomy("market-analyzer") == change["to"]


def test_an_unknown_agent_is_refused(bot: Client) -> None:
    answer = bot.act("execute_adaptation", agent="nobody", adaptations=["GOAL_ADAPTATION"])
    assert (answer["status"], answer["changes"]) == ("refused", [])
    assert answer["error"] == "there is no such agent"


def test_an_id_is_carried_out_once_and_answered_the_same_again(bot: Client) -> None:
    asked = bot.asked("adjust_autonomy", agent="content-creator", direction="lower")
    first = bot.send(json.dumps(asked))
    level = bot.autonomy("content-creator")
    again = bot.send(json.dumps(asked, indent=2))
    assert (first[0], again[0]) == (200, 200)
    assert first[1] == again[1]
    assert bot.autonomy("content-creator") == level
    status, body, _ = bot.send(json.dumps({**asked, "direction": "raise"}))
    assert (status, json.loads(body)["error"]) == (400, "id: was another request's")
    assert bot.autonomy("content-creator") == level


def test_another_process_is_not_meant(bot: Client) -> None:
    level = bot.autonomy()
    asked = bot.asked("adjust_autonomy", agent=HUNTER, direction="lower")
    status, body, _ = bot.send(json.dumps({**asked, "botStart": bot.start - 0.01}))
    assert (status, json.loads(body)["error"]) == (409, "botStart: this is another process")
    assert bot.autonomy() == level
    # Nothing was done, so the id is still free.
    assert bot.send(json.dumps(asked))[0] == 200


LACKING = ("version", "id", "botStart", "action", "agent", "adaptations")
WRONG: dict[str, tuple[object, ...]] = {
    "version": (2, 0, True, "1", 1.5, None),
    "id": ("", "a b", "a" * 81, "ä", "../x", 7, None),
    "botStart": ("1", True, None, [1], -1),
    "action": ("", "stop", "EXECUTE_ADAPTATION", None, 1, ["pause"], "x" * 5000),
    "agent": ("", "a" * 129, 1, None),
    "adaptations": ([], ["REBOOT"], ["GOAL_ADAPTATION"] * 2, "GOAL_ADAPTATION", [1], None, {}),
    "direction": ("lower",),
    "restores": ("a",),
    "extra": (1,),
    "bot_start": (1.0,),
}


def good(bot: Client) -> Json:
    return bot.asked("execute_adaptation", agent=HUNTER, adaptations=["GOAL_ADAPTATION"])


@pytest.mark.parametrize("lacking", LACKING)
def test_a_request_that_lacks_a_key_is_bad(bot: Client, lacking: str) -> None:
    asked = good(bot)
    del asked[lacking]
    assert not REQUEST.is_valid(asked)
    assert_bad(bot, json.dumps(asked), lacking)


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_a_request_with_a_wrong_or_unknown_key_is_bad(bot: Client, key: str, value: object) -> None:
    asked = {**good(bot), key: value}
    assert not REQUEST.is_valid(asked)
    assert_bad(bot, json.dumps(asked), key)


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "adjust_autonomy", "agent": HUNTER, "direction": "up"},
        {"action": "adjust_autonomy", "agent": HUNTER},
        {"action": "adjust_autonomy", "direction": "lower"},
        {"action": "pause", "agent": HUNTER},
        {"action": "resume", "direction": "lower"},
        {"action": "restore"},
        {"action": "restore", "restores": "a b"},
        {"action": "restore", "restores": "a", "agent": HUNTER},
    ],
)
def test_each_action_has_its_own_keys(bot: Client, asked: Json) -> None:
    assert not REQUEST.is_valid(bot.asked(**asked))
    assert_bad(bot, json.dumps(bot.asked(**asked)), "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"1",
        b'"pause"',
        b'{"id":"\\ud800"}',
        b"[" * 10_000,
        b'{"botStart":NaN}',
        b"x" * 16_384,
    ],
)
def test_what_is_no_request_is_bad(bot: Client, body: bytes) -> None:
    assert_bad(bot, body, "")


def test_an_unknown_key_is_reported_in_plain_text(bot: Client) -> None:
    assert_bad(bot, json.dumps({**good(bot), "\x1b[31m\n": 1}), "x1b")


def test_an_id_ends_where_its_last_letter_does(bot: Client) -> None:
    assert_bad(bot, json.dumps({**good(bot), "id": "a\n"}), "id")


def test_a_moment_that_is_no_number_is_bad(bot: Client) -> None:
    assert_bad(bot, json.dumps({**good(bot), "botStart": float("nan")}), "")
    assert_bad(bot, json.dumps({**good(bot), "botStart": float("inf")}), "")


def assert_bad(bot: Client, body: str | bytes, names: str) -> None:
    before = bot.autonomy()
    status, body, _ = bot.send(body)
    message = json.loads(body)["error"]
    assert status == 400
    assert names in message
    assert 0 < len(message) <= 200
    assert message.isprintable()
    assert bot.autonomy() == before


def test_a_body_that_is_too_large_is_refused(bot: Client) -> None:
    asked = json.dumps(good(bot))
    assert bot.send(asked.ljust(16_384))[0] == 200
    assert bot.send(json.dumps(good(bot)).ljust(16_385))[0] == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_only_json_is_taken(bot: Client, content_type: str | None) -> None:
    assert bot.send(json.dumps(good(bot)), Content_Type=content_type)[0] == 415
    assert bot.send(json.dumps(good(bot)), Content_Type="application/json; charset=utf-8")[0] == 200


def test_nothing_compressed_is_taken(bot: Client) -> None:
    assert bot.send(b"junk", Content_Encoding="gzip")[0] == 415


@pytest.mark.parametrize(
    "shown", [None, "", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"bearer {TOKEN}", "Bearer \xe9"]
)
def test_without_the_token_nothing_is_done_or_revealed(bot: Client, shown: str | None) -> None:
    before = bot.autonomy()
    asked = json.dumps(bot.asked("adjust_autonomy", agent=HUNTER, direction="lower"))
    status, _, headers = bot.send(asked, Authorization=shown)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert bot.send(b"{", Authorization=shown)[0] == 401
    assert bot.autonomy() == before


def test_actions_are_posted(bot: Client) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert [bot.request(method, "/actions", headers=headers)[0] for method in ("GET", "PUT")] == [405, 405]


def test_without_a_token_file_there_is_no_way_in(tmp_path: Path) -> None:
    with running(tmp_path, token=None) as bot:
        status, _, _ = bot.send(json.dumps(good(bot)))
        assert status == 404


def test_too_many_actions_in_a_minute_come_later(tmp_path: Path) -> None:
    with running(tmp_path) as bot:
        asked = [json.dumps(good(bot)) for _ in range(61)]
        answers = [bot.send(each) for each in asked]
        assert {status for status, _, _ in answers[:60]} == {200}
        status, body, headers = answers[60]
        assert status == 429
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert json.loads(body) == {"version": 1, "error": "no more than 60 actions a minute"}
        # A result is returned even then.
        assert bot.send(asked[0])[1] == answers[0][1]


@pytest.mark.parametrize("content", [b"", b" \n", None])
def test_a_file_without_a_token_is_named_before_anything_is_written(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    (tmp_path / "bot").mkdir()
    line = [sys.executable, "-m", "exporter.demo", f"--directory={tmp_path / 'bot'}"]
    done = subprocess.run(
        [*line, f"--actions-token-file={path}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("demo: ")
    assert str(path) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list((tmp_path / "bot").iterdir()) == []


def test_a_body_that_never_ends_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    with running(tmp_path) as bot:
        host, port = bot.address.split(":")
        hanging = socket.create_connection((host, int(port)), timeout=20)
        head = f"POST /actions HTTP/1.1\r\nHost: {bot.address}\r\nAuthorization: Bearer {TOKEN}\r\n"
        hanging.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert bot.act("adjust_autonomy", agent=HUNTER, direction="lower")["status"] == "done"
        begin = time.monotonic()
    assert time.monotonic() - begin < 40
    hanging.close()


@pytest.mark.slow("a bot lives for a while, so that the effect can be measured")
@pytest.mark.parametrize(
    ("scenario", "milliseconds", "success"),
    [("degraded", 1150, 0.96), ("harmful", 5000, 0.4), ("tradeoff", 900, 0.24)],
)
def test_the_effect_is_in_the_file_and_goes_with_a_restore(
    tmp_path: Path, scenario: str, milliseconds: float, success: float
) -> None:
    with running(tmp_path, scenario, speed=100) as bot:
        done = bot.act("execute_adaptation", agent=HUNTER, adaptations=["STRATEGY_ADJUSTMENT"])
        assert next_sixty(bot) == (
            pytest.approx(milliseconds, rel=0.08),
            pytest.approx(success, abs=0.05),
        )
        assert bot.act("restore", restores=done["id"])["status"] == "done"
        assert next_sixty(bot) == (pytest.approx(2800), pytest.approx(0.62))


def next_sixty(bot: Client) -> Row:
    """Of the agent's next 60 executions, the newest 50: none of them is from before."""
    since, _ = bot.row("SELECT max(id), 0 FROM agent_executions")
    mine = "SELECT count(*) FROM agent_executions WHERE agent_name = 'market-hunter' AND id > ?"
    bot.until(lambda: bot.row(mine, since)[0] >= 60, seconds=60)
    rows, *means = bot.row(NEWEST, since)
    assert rows == 50
    return tuple(means)


@pytest.mark.parametrize("by", ["resume", "restore"])
def test_a_pause_is_commanded_then_carried_out_then_ended(tmp_path: Path, by: str) -> None:
    with running(tmp_path, speed=50) as bot:
        (last,) = bot.row("SELECT max(id) FROM system_commands")
        paused = bot.act("pause")
        assert paused["status"] == "done"
        assert paused["changes"] == [
            {"agent": "", "path": "system_commands", "from": None, "to": "pause_system"}
        ]
        assert "pause_system" in [command for command, _ in bot.rows(COMMANDS, last)]
        bot.until(lambda: bot.row(STATUS) == ("paused",))
        assert ("pause_system", "processed") in bot.rows(COMMANDS, last)
        assert bot.row(
            "SELECT level FROM system_alerts WHERE alert_type = 'System Paused' ORDER BY id DESC"
        ) == ("warning",)
        assert_nothing_happens(bot)
        # Also a paused bot can be asked, and the command that ends the pause reaches it.
        assert bot.act("adjust_autonomy", agent=HUNTER, direction="lower")["status"] == "done"
        before = bot.row(EXECUTIONS)
        ended = bot.act("resume") if by == "resume" else bot.act("restore", restores=paused["id"])
        assert ended["status"] == "done"
        assert ended["changes"] == [{**paused["changes"][0], "to": "resume_system"}]
        bot.until(lambda: bot.row(STATUS) == ("running",))
        assert ("resume_system", "processed") in bot.rows(COMMANDS, last)
        bot.until(lambda: bot.row(EXECUTIONS)[0] > before[0] + 20)
        for each in (ended, {"id": paused["id"]}) if by == "restore" else (ended,):
            assert bot.act("restore", restores=each["id"])["status"] == "refused"


def assert_nothing_happens(bot: Client) -> None:
    """In a time in which else there were hundreds of rows, once the step that was under way has ended."""
    counts = [f"SELECT count(*) FROM {table}" for table in ("agent_executions", "market_data", "trades")]

    def nothing() -> bool:
        before = [bot.row(count) for count in counts]
        time.sleep(2)
        return [bot.row(count) for count in counts] == before

    bot.until(nothing)


async def test_the_demo_bot_takes_the_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with pytest.raises(DemoError, match=r"cannot read the actions' token from .*token: No such file"):
        await DemoBot(history_days=0.5, actions_token_file=token).start()
    token.write_text(TOKEN)
    async with DemoBot(history_days=0.5, actions_token_file=token) as bot:
        client = Client({"database": str(bot.database_path), "stateUrl": bot.state_url})
        assert client.act("adjust_autonomy", agent=HUNTER, direction="lower")["status"] == "done"


def test_the_demo_command_announces_the_state_and_takes_actions(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    port = free_port()
    line = [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0"]
    line += [f"--state-port={port}", "--actions-token-file=token", "--scenario=harmful", "--log.level=error"]
    process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout
            output: list[str] = []
            while not output or output[-1] != "Ctrl-C ends it.":
                output.append(process.stdout.readline().strip())
                assert output[-1], output
            url = f"http://127.0.0.1:{port}/state"
            assert [each for each in output if each.startswith(f"{url} ")]
            client = Client({"database": "not looked at", "stateUrl": url})
            assert client.act("adjust_autonomy", agent=HUNTER, direction="lower")["status"] == "done"
        finally:
            process.terminate()
            process.wait(timeout=20)
