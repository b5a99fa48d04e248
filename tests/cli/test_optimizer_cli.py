"""The optimizer as a program: how it starts, what it says, how it ends; and what is printed of its ledger."""

import io
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml
from certificates import certificates
from optimizer.adapters.history import remembering
from optimizer.adapters.test_prometheus import ONE, impact, lately
from optimizer.alerts.test_webhook import alert, envelope
from optimizer.fakes import HUNTER, OTHER_SLOW, world_at
from optimizer.fakes import alert as made_up
from tools import free_port, needed

from exporter.cli import main as cli
from exporter.cli import optimizations_table as command
from exporter.runtime import logging as logs

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the optimizer, with a token and a ledger; what still runs at the end of the test is killed."""
    secret(tmp_path / "token", "open-sesame-1")
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        usual = ["--optimizer.token-file=token", "--optimizer.listen-address=127.0.0.1:0"]
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "optimizer", *usual, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def line_of(process: "subprocess.Popen[str]", pattern: str) -> "re.Match[str]":
    """The first line of the log in which the pattern is found."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found
        seen.append(line)
    raise AssertionError("".join(seen))


def port_of(process: "subprocess.Popen[str]") -> int:
    return int(line_of(process, r"msg=listening address=\S*:(\d+)")[1])


def asked(port: int, path: str, body: bytes | None = None) -> str:
    headers = {"Authorization": "Bearer open-sesame-1", "Content-Type": "application/json"}
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", body, headers), timeout=20) as response:
        answer: str = response.read().decode()
        return answer


def metric(port: int, series: str) -> float:
    found = re.search(
        rf"^tweetbot_optimizer_{re.escape(series)} (\S+)$", asked(port, "/metrics"), re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def until(condition: Callable[[], Any], seconds: float = 40.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_systemd_is_told_when_the_ledger_is_there(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        start()
        assert manager.recv(100) == b"READY=1"
    assert (tmp_path / "optimizer.db").exists()


def test_it_serves_without_prometheus_until_a_signal(start: Start, tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    process = start(f"--optimizer.prometheus-url={away}", "--optimizer.bot=main")
    port = port_of(process)
    line_of(process, f'level=warn msg="Prometheus is not available" why="cannot connect to {away}')
    assert json.loads(asked(port, "/api/v1/alerts", envelope(alert())))["accepted"] == 1
    assert "Prometheus did not answer" in asked(port, "/-/ready")
    assert metric(port, "prometheus_up") == 0
    assert (tmp_path / "optimizer.db").stat().st_mode & 0o777 == 0o600
    with (
        pytest.raises(HTTPError, match="401"),
        urlopen(f"http://127.0.0.1:{port}/api/v1/optimizations", timeout=20),
    ):
        pass
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    # Said once, although asked again when the alert came.
    assert "Prometheus is not available" not in err
    assert "Traceback" not in err
    assert "open-sesame-1" not in err


def test_two_on_one_ledger(start: Start) -> None:
    first = start()
    port_of(first)
    second = start()
    out, err = second.communicate(timeout=30)
    assert (second.returncode, out) == (1, "")
    assert "error: " in err
    assert "in use by another optimizer" in err
    assert "Traceback" not in err
    # The lock ends with the process, however that ends.
    first.kill()
    first.wait()
    port_of(start())


def test_a_port_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(f"--optimizer.listen-address=127.0.0.1:{port}")
        _, err = process.communicate(timeout=30)
    (line,) = err.splitlines()
    assert process.returncode == 1
    assert line.endswith(
        "something else listens there; stop it, or choose another with --optimizer.listen-address"
    )


def test_another_programs_file_is_left_alone(start: Start, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "trading.db")) as database:
        database.execute("CREATE TABLE trades (id INTEGER)")
    before = (tmp_path / "trading.db").read_bytes()
    process = start("--optimizer.ledger=trading.db")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "trading.db is another program's SQLite file" in err.splitlines()[-1]
    assert (tmp_path / "trading.db").read_bytes() == before


def test_beyond_this_machine_is_said(start: Start) -> None:
    process = start("--optimizer.listen-address=:0")
    line_of(process, 'level=warn msg="listening beyond this machine: the token goes over the network')


def test_observing_touches_no_bot(start: Start, tmp_path: Path) -> None:
    """Not even with all that acting needs: what listens there hears nothing."""
    (tmp_path / "history").mkdir()
    secret(tmp_path / "actions", "abracadabra-1")
    made = {
        f'agent:known:group{ONE},agent="{HUNTER}"}}': lately(1),
        impact("agent", "agent_response_time", "high", HUNTER): lately(0.4),
        f'agent:recent_response_time_seconds:threshold_high{ONE},agent="{HUNTER}"}}': lately(2),
    }
    with remembering(tmp_path / "history", made) as prometheus, socket.create_server(("127.0.0.1", 0)) as bot:
        bot.settimeout(0.1)
        process = start(
            f"--optimizer.prometheus-url={prometheus}", "--optimizer.bot=one", "--optimizer.mode=observe",
            f"--bridge.url=http://127.0.0.1:{bot.getsockname()[1]}", "--optimizer.actions-token-file=actions",
        )  # fmt: skip
        port = port_of(process)
        labels = {
            "bottleneck": "agent_response_time",
            "bottleneck_severity": "high",
            "agent": HUNTER,
            "bot": "one",
        }
        asked(port, "/api/v1/alerts", envelope(alert(labels)))
        until(
            lambda: metric(port, 'optimizations_total{bottleneck="agent_response_time",outcome="observed"}')
        )
        with pytest.raises(TimeoutError):
            bot.accept()
    (entry,) = json.loads(asked(port, "/api/v1/optimizations"))["optimizations"]
    assert entry["strategy"]["impact_ratio"] == 0.4
    assert {action["status"] for action in entry["actions"]} <= {"planned", "dropped"}


@pytest.mark.slow("a real Alertmanager, until it has sent")
def test_what_a_real_alertmanager_sends(start: Start, tmp_path: Path) -> None:
    process = start(f"--optimizer.prometheus-url=http://127.0.0.1:{free_port()}", "--optimizer.bot=main")
    port, own = port_of(process), free_port()
    webhook = {
        "url": f"http://127.0.0.1:{port}/api/v1/alerts",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials_file": str(tmp_path / "token")}},
    }
    route = {"receiver": "optimizer", "group_by": ["bot"], "group_wait": "0s", "group_interval": "1s"}
    written = {"route": route, "receivers": [{"name": "optimizer", "webhook_configs": [webhook]}]}
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(written))
    alertmanager = subprocess.Popen(
        [
            needed("prometheus-alertmanager", "alertmanager"), f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'alertmanager'}", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{own}",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def add(*arguments: str) -> bool:
        command = [needed("amtool"), "alert", "add", f"--alertmanager.url=http://127.0.0.1:{own}", *arguments]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0

    slow = (
        *("TweetbotAgentResponseTimeHigh", "bot=main", f"agent={HUNTER}", "severity=warning"),
        *("bottleneck=agent_response_time", "bottleneck_severity=high", "--annotation=summary=Too slow."),
    )
    try:
        until(lambda: add(*slow))
        until(lambda: metric(port, "alerts_total") >= 1)
        add("Watchdog", "severity=none", "bot=main")
        until(lambda: metric(port, 'alerts_rejected_total{reason="not_a_bottleneck"}') >= 1)
        accepted = json.loads(asked(port, "/api/v1/optimizations"))["optimizations"]
        assert [(each["agent"], each["bottleneck"], each["state"]) for each in accepted] == [
            (HUNTER, "agent_response_time", "waiting")
        ]
        assert abs(accepted[0]["alert"]["starts_at"] - time.time()) < 120
        before = metric(port, "alerts_total")
        add(*slow, f"--end={datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        until(lambda: metric(port, "alerts_total") > before)
        with closing(sqlite3.connect(tmp_path / "optimizer.db")) as ledger:
            until(lambda: ledger.execute("SELECT resolved FROM alerts").fetchall() == [(1,)])
        assert metric(port, 'webhook_requests_total{code="200"}') >= 2
        for code in ("400", "401", "500"):
            assert metric(port, f'webhook_requests_total{{code="{code}"}}') == 0
    finally:
        alertmanager.terminate()
        alertmanager.wait()


# What is missing is said before anything starts.


def ran(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = cli.main(arguments)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    return code, *capsys.readouterr()


ACT = ["--optimizer.mode=act", "--bridge.url=http://127.0.0.1:1", "--optimizer.actions-token-file=actions"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            [],
            "optimizer.token_file is needed (who sends alerts shows the token in it); name the file with --opt",
        ),
        (["--optimizer.token-file=none"], "none (optimizer.token_file) does not exist"),
        (["--optimizer.token-file=empty"], "empty (optimizer.token_file) must hold one token"),
        (["--optimizer.token-file=."], "(optimizer.token_file)"),
        (
            ["--optimizer.token-file=token", *ACT[:1]],
            "optimizer.mode act needs the bridge in the bot's process",
        ),
        (["--optimizer.token-file=token", *ACT[:2]], "optimizer.actions_token_file is needed"),
        (["--optimizer.token-file=token", *ACT], "actions (optimizer.actions_token_file) does not exist"),
        (
            ["--optimizer.token-file=token", *ACT[:2], "--optimizer.actions-token-file=token"],
            "different tokens",
        ),
        (["--optimizer.token-file=open"], "can be read by everybody on this machine: chmod 600 it"),
        (["--optimizer.token-file=short"], "holds a token that can be guessed: put at least 12 characters"),
        (["--optimizer.mode=acting"], "--optimizer.mode: invalid choice"),
        (
            ["--optimizer.prometheus-url=prometheus"],
            "--optimizer.prometheus-url: must be Prometheus's address",
        ),
        (["--optimizer.listen-address=9466"], "--optimizer.listen-address: must be :PORT"),
        (["--web.listen-address=:1"], "unknown flag --web.listen-address; did you mean"),
        (["--optimizer.bot="], "--optimizer.bot: must not be empty"),
        (
            ["--config.file=boredom.yml", "--optimizer.token-file=token"],
            "optimizer.implementation_seconds: unknown bottleneck 'boredom'; known: agent_response_time, ",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    Path("boredom.yml").write_text("optimizer: {implementation_seconds: {boredom: 5}}")
    secret(tmp_path / "token", "open-sesame-1")
    secret(tmp_path / "empty", "\n")
    secret(tmp_path / "short", "x")
    (tmp_path / "open").write_text("open-sesame-1")
    (tmp_path / "open").chmod(0o644)
    code, out, err = ran(["optimizer", *arguments], capsys)
    (line,) = err.splitlines()
    assert (code, out) == (2, "")
    assert told in line
    assert "open-sesame-1" not in line
    assert not (tmp_path / "optimizer.db").exists()


# The ledger, printed.


@pytest.fixture
async def ledger(tmp_path: Path) -> Path:
    """One that is measured, and one that waits."""
    async with world_at(tmp_path / "optimizer.db") as world:
        await world.acted()
        await world.receive(made_up(OTHER_SLOW, fingerprint="f2"))
    return tmp_path / "optimizer.db"


def test_the_ledger_is_printed(
    ledger: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    base = ["optimizations", f"--optimizer.ledger={ledger}"]
    code, out, _ = ran(base, capsys)
    head, second, first = (line.split("\t") for line in out.splitlines())
    assert code == 0
    assert dict(zip(head, first, strict=True)) == {
        "ID": "1",
        "CREATED": "2027-01-15T08:00:00Z",
        "BOTTLENECK": "agent_response_time",
        "AGENT": HUNTER,
        "SEVERITY": "high",
        "STATE": "measuring",
        "OUTCOME": "-",
        "BEFORE": "2.8",
        "AFTER": "-",
        "IMPROVEMENT": "-",
        "REASON": first[-1],
    }
    assert (second[0], second[5]) == ("2", "waiting")
    documents = json.loads(ran([*base, "--json"], capsys)[1])
    assert [each["id"] for each in documents] == [2, 1]
    assert [each["id"] for each in json.loads(ran([*base, "--json", "--limit=1"], capsys)[1])] == [2]
    assert [each["id"] for each in json.loads(ran([*base, "--json", "--state=measuring"], capsys)[1])] == [1]
    assert len(ran([*base, "--state=closed"], capsys)[1].splitlines()) == 1
    for wrong in ("--limit=0", "--limit=x", "--state=open", "--roll-back=one", "--roll-back=-1"):
        assert ran([*base, wrong], capsys)[0] == 2


def test_on_a_terminal_a_table_is_drawn(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", "160")
    command.show(ledger, None, 20, as_json=False)
    assert "2.80 s" in out.getvalue()
    assert "measuring" in out.getvalue()
    command.show(ledger, "closed", 20, as_json=False)
    assert "nothing of that kind" in out.getvalue()


def test_the_plan_says_what_would_be_done_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    made = {
        impact("agent", "agent_response_time", "high", HUNTER): lately(0.4),
        f'agent:recent_response_time_seconds:threshold_high{ONE},agent="{HUNTER}"}}': lately(2),
    }
    history = tmp_path / "history"
    history.mkdir()
    with remembering(history, made) as prometheus:
        config = tmp_path / "config.yml"
        config.write_text(f"optimizer: {{prometheus_url: '{prometheus}', bot: one, loss_cap_usd: 100}}")
        base = ["optimizations", "plan", f"--config.file={config}"]
        code, out, _ = ran([*base, f"--optimizer.ledger={tmp_path / 'none.db'}"], capsys)
        assert code == 0
        assert f"{HUNTER}: agent_response_time, high" in out
        assert "would do: nothing\n" in out
        assert "the portfolio's value is not known, and under 100.00 USD nothing but a pause is done" in out
        config.write_text(f"optimizer: {{prometheus_url: '{prometheus}', bot: one}}")
        out = ran([*base, f"--optimizer.ledger={tmp_path / 'none.db'}"], capsys)[1]
        assert f"would do: {HUNTER}: execute_adaptation STRATEGY_ADJUSTMENT\n" in out
        assert "Mode observe: nothing of this is done." in out
    code, _, err = ran([*base, f"--optimizer.ledger={tmp_path / 'none.db'}"], capsys)
    assert (code, "cannot connect" in err) == (1, True)


def test_no_ledger_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    code, out, err = ran(["optimizations", f"--optimizer.ledger={tmp_path / 'none.db'}"], capsys)
    assert (code, out) == (1, "")
    assert "none.db does not exist" in err
    assert list(tmp_path.iterdir()) == []


def test_rollback_over_tls(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    certificates(tmp_path).renew("optimizer.example")
    Path("web.yml").write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}")
    port = port_of(
        start(f"--optimizer.prometheus-url=http://127.0.0.1:{free_port()}", "--web.config.file=web.yml")
    )
    base = ["optimizations", "--optimizer.token-file=token", f"--optimizer.listen-address=:{port}"]
    assert (
        "there is no optimization 7" in ran([*base, "--roll-back=7", "--web.config.file=web.yml"], capsys)[2]
    )
    assert "does the optimizer run?" in ran([*base, "--roll-back=7"], capsys)[2]


def test_rollback_asks_the_running_optimizer(
    ledger: Path,
    start: Start,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    secret(tmp_path / "actions", "abracadabra-1")
    away = f"http://127.0.0.1:{free_port()}"
    process = start(f"--optimizer.prometheus-url={away}", *ACT)
    port = port_of(process)
    base = ["optimizations", "--optimizer.token-file=token", f"--optimizer.listen-address=:{port}"]
    code, out, _ = ran([*base, "--roll-back=1"], capsys)
    assert (code, out) == (0, "optimization 1 is restoring: a rollback was requested\n")
    for number, told in ((1, "already"), (2, ""), (7, "there is no optimization 7")):
        code, out, err = ran([*base, f"--roll-back={number}"], capsys)
        assert (code, out) == (1, "")
        assert told in err
    secret(tmp_path / "token2", "other")
    for what, said in (("suspend", "the optimizer is suspended\n"), ("resume", "the optimizer is resumed\n")):
        assert ran([base[0], what, *base[1:]], capsys)[:2] == (0, said)
    assert (
        "it has another optimizer.token_file"
        in ran([*base, "--roll-back=1", "--optimizer.token-file=token2"], capsys)[2]
    )
    process.kill()
    process.wait()
    assert "does the optimizer run?" in ran([*base, "--roll-back=1"], capsys)[2]
    for missing, told in (([], "token_file is needed"), (["--optimizer.token-file=none"], "does not exist")):
        code, _, err = ran(["optimizations", *missing, "--roll-back=1"], capsys)
        assert (code, told in err) == (2, True)
