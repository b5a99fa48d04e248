"""The command line: what it takes, what it says, how it ends. Signals are sent to real processes."""

import io
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tools import ROOT

from exporter import __version__
from exporter.cli import check_table, main, serve
from exporter.collectors import registry
from exporter.collectors.base import CollectorError, Diagnosis
from exporter.config import Config
from exporter.http.sockets import bound_address, open_sockets

Fake = Any  # the fixture's class: tests/conftest.py

# The program with a source that is none, and a demo bot that is none.
PROGRAM = """
import asyncio, sys, threading
from pathlib import Path
sys.path.insert(0, {tests!r})
import conftest
import exporter.demo
from exporter.cli import main
from exporter.collectors import registry

async def hang(_):
    if {hang!r} == "a thread":
        threading.Thread(target=threading.Event().wait, name="stuck").start()
    print("scraping", file=sys.stderr, flush=True)
    await asyncio.Event().wait()

class Bot:
    def __init__(self, **given):
        print("bot", given, flush=True)
        self.database_path = Path("/demo/bot.db")
        self.state_url = "http://127.0.0.1:1/state"
    async def start(self):
        if {bot!r} == "fails": raise exporter.demo.DemoError("no room for the demo")
    async def wait(self):
        if {bot!r} == "lives": await asyncio.Event().wait()
        return "out of memory"
    async def stop(self):
        print("bot stopped", flush=True)

def build(config):
    print("database", config.database.path, flush=True)
    return [conftest.FakeCollector("database", hang if {hang!r} else None)]

registry.build, exporter.demo.DemoBot = build, Bot
raise SystemExit(main.main())
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program; what still runs at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, hang: object = False, bot: str = "lives") -> "subprocess.Popen[str]":
        code = PROGRAM.format(tests=str(ROOT / "tests"), hang=hang, bot=bot)
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=pipe, stderr=pipe, text=True, cwd=tmp_path
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def port_of(process: "subprocess.Popen[str]") -> int:
    """Where the process listens, once its log says so."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"msg=listening address=\S*:(\d+)", line):
            return int(found[1])
    raise AssertionError("the process does not listen")


def fetched(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        page: str = response.read().decode()
        return page


def test_serving_until_a_signal(start: Start, tmp_path: Path) -> None:
    process = start("--database.path", "bot.db", "--web.listen-address=127.0.0.1:0")
    assert "tweetbot_scrape_collector_success" in fetched(port_of(process))
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == f"database {tmp_path}/bot.db\n"
    assert "signal=SIGTERM" in err
    assert "Traceback" not in err


def test_a_hang_up_reads_the_configuration_again(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("database: {path: one.db}")
    process = start("--config.file=config.yml", "--web.listen-address=127.0.0.1:0")
    port = port_of(process)
    assert process.stderr is not None
    for text, expected in (
        (
            "database: {pth: two.db}",
            r"level=error msg=\"configuration not reloaded\" .*did you mean database.path",
        ),
        ("database: {path: two.db}", "msg=listening"),
    ):
        file.write_text(text)
        process.send_signal(signal.SIGHUP)
        assert any(re.search(expected, line) for line in process.stderr)
        assert "tweetbot_scrape_collector_success" in fetched(port)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == f"database {tmp_path}/one.db\ndatabase {tmp_path}/two.db\n"


def test_a_post_reads_the_configuration_again_where_that_is_enabled(start: Start) -> None:
    process = start("--database.path=bot.db", "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle")
    with urlopen(f"http://127.0.0.1:{port_of(process)}/-/reload", data=b"", timeout=60) as response:
        assert response.status == 200
    assert port_of(process)


def test_a_post_reads_nothing_where_that_is_not_enabled(start: Start) -> None:
    process = start("serve", "--database.path=bot.db", "--web.listen-address=127.0.0.1:0")
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"http://127.0.0.1:{port_of(process)}/-/reload", data=b"", timeout=60)


@pytest.mark.parametrize("hang", ["asynchronously", "a thread"])
def test_a_signal_ends_it_during_a_scrape(start: Start, hang: str) -> None:
    process = start("serve", "--database.path=bot.db", "--web.listen-address=127.0.0.1:0", hang=hang)
    port = port_of(process)
    scrape = subprocess.Popen(
        [sys.executable, "-c", f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/metrics')"],
        stderr=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "scraping\n"
    process.send_signal(signal.SIGINT)
    # Without the cut the scrape would take ten seconds, and the thread for ever.
    _, err = process.communicate(timeout=9)
    assert process.returncode == 0
    assert ("did not end by itself" in err) is (hang == "a thread")
    assert "Traceback" not in err
    scrape.wait(10)


def test_a_port_in_use_is_one_clear_line(start: Start) -> None:
    (taken,) = open_sockets(["127.0.0.1:0"])
    with taken:
        address = str(bound_address(taken))
        process = start("--database.path=bot.db", "--web.listen-address", address)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith(
        f"tweetbot-exporter: error: cannot listen on {address}: something else listens there"
    )
    assert "--web.listen-address" in line


def test_the_demo_says_what_to_open_and_stops_its_bot(start: Start) -> None:
    flags = ("--exporter-only", "--log.level=info", "--web.listen-address=:0")
    process = start("demo", *flags, "--scenario=degraded", "--seed=7", "--directory=kept")
    port = port_of(process)
    assert "tweetbot_scrape_collector_success" in fetched(port)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert f"http://localhost:{port}/ " in out
    assert f"http://localhost:{port}/metrics " in out
    assert "/demo/bot.db " in out
    assert "http://127.0.0.1:1/state " in out
    assert "'scenario': 'degraded', 'speed': 1.0, 'seed': 7}" in out
    assert "/kept')" in out
    assert out.endswith("bot stopped\n")


@pytest.mark.parametrize(("bot", "expected"), [("fails", "no room for the demo"), ("dies", "out of memory")])
def test_a_demo_whose_bot_fails_ends_with_its_reason(start: Start, bot: str, expected: str) -> None:
    process = start(
        "demo", "--exporter-only", "--web.listen-address=127.0.0.1:0", "--log.level=error", bot=bot
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.fullmatch(rf"tweetbot-exporter: error: .*{expected}\n", err)
    assert out.endswith("bot stopped\n")


def test_the_package_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"tweetbot-exporter, version {__version__} (python 3.")


class ServedError(Exception):
    """Carries the configuration that would have been served."""


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """The configuration that `serve` comes to with some arguments."""

    def configured(*arguments: str) -> Config:
        def noting(config: Config, *_: object) -> object:
            raise ServedError(config)

        monkeypatch.setattr(serve, "serve", noting)
        monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
        with pytest.raises(ServedError) as caught:
            main.main([*arguments, "--web.listen-address=127.0.0.1:0"])
        config: Config = caught.value.args[0]
        return config

    return configured


def test_serve_is_the_default_and_flags_win(configured: Callable[..., Config], tmp_path: Path) -> None:
    file = tmp_path / "exporter.yml"
    file.write_text("database: {path: a.db}\nweb: {max_requests: 7, telemetry_path: /m}\nlog: {level: warn}")
    assert configured("--database.path=/a.db") == configured("serve", "--database.path", "/a.db")
    config = configured("--log.format=json", "--config.file", str(file), "--web.max-requests=0")
    assert config.database.path == tmp_path / "a.db"
    assert (config.web.max_requests, config.web.telemetry_path) == (0, "/m")
    assert (config.log.level, config.log.format) == ("warn", "json")
    everything = configured(
        *("--database.path=x", "--web.listen-address=127.0.0.2:0", "--web.telemetry-path=/x"),
        *("--web.disable-exporter-metrics", "--log.level=error"),
    )
    assert everything.database.path == Path.cwd() / "x"
    assert everything.web.listen_addresses == ("127.0.0.2:0", "127.0.0.1:0")
    assert everything.web.telemetry_path == "/x"
    assert everything.web.disable_exporter_metrics
    assert everything.log.level == "error"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "no database is given; name the bot's SQLite file with --database.path, or as database.path"),
        (["check"], "no database is given"),
        (["--databse.path=x"], "unknown flag --databse.path; did you mean --database.path?"),
        (["-database.path=x"], "unknown flag -database.path; did you mean --database.path?"),
        (["--database"], "unknown flag --database"),
        (["--zzz"], "unknown flag --zzz; see tweetbot-exporter --help"),
        (["chekc"], "unknown command 'chekc'; did you mean check?"),
        (["--log.level=info", "check"], "unexpected argument 'check' (a command stands before all flags)"),
        (["check", "--web.max-requests=1"], "unknown flag --web.max-requests"),
        (["--log.level=warning"], "invalid choice: 'warning'"),
        (["--web.max-requests=x"], "--web.max-requests: invalid int value"),
        (["--web.max-requests=-1"], "--web.max-requests: must be at least 0"),
        (["--web.listen-address=x"], "--web.listen-address: must be :PORT"),
        (["--web.telemetry-path=/-/ready"], "--web.telemetry-path: is taken"),
        (["--database.path="], "--database.path: must not be empty"),
        (["--database.path"], "--database.path: expected one argument"),
        (["--config.file=/no/such.yml"], "/no/such.yml: there is no such file; check --config.file"),
        (
            ["demo", "--scenario=x"],
            "--scenario: invalid choice: 'x' (choose from 'healthy', 'degraded', 'failing', 'harmful', 'tradeoff')",
        ),
        (["demo", "--speed=-1", "--web.listen-address=127.0.0.1:0"], "speed"),
        (["demo", "--web.listen-address=x"], "--web.listen-address: must be :PORT"),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    try:
        code = main.main(arguments)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("tweetbot-exporter: error: ")
    assert expected in line


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (
            "",
            "--config.file --database.path --web.listen-address --web.telemetry-path --web.max-requests "
            "--web.disable-exporter-metrics --log.level --log.format --version --help serve demo check",
        ),
        (
            "demo",
            "--scenario --directory --seed --speed --web.listen-address --web.telemetry-path "
            "--web.max-requests --web.disable-exporter-metrics --log.level --log.format",
        ),
        ("check", "--config.file --database.path --log.level --log.format"),
    ],
)
def test_help_names_everything_and_fits_the_screen(
    command: str, flags: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main.main([*command.split(), "--help"])
    out = capsys.readouterr().out
    assert [flag for flag in flags.split() if not re.search(rf"^ +.*{flag}\b", out, re.MULTILINE)] == []
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("states", "code"), [([], 0), (["ok", "ok"], 0), (["ok", "missing"], 1), (["missing", "error"], 2)]
)
def test_check_prints_what_was_found(
    fake_collector: Fake,
    states: list[Any],
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = fake_collector("database")
    source.findings = [Diagnosis(f"table {state}", state, "1\x1b[31m\nrow") for state in states]
    monkeypatch.setattr(registry, "build", lambda _: [source])
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    assert main.main(["check", "--database.path=x"]) == code
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["SOURCE", "SUBJECT", "STATE", "DETAIL"]
    assert [re.split("  +", row) for row in rows] == [
        ["database", f"table {state}", state, "1\\x1b[31m\\nrow"] for state in states
    ]
    assert source.calls == ["close"]


def test_only_the_configuration_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    monkeypatch.delattr(registry, "build")
    file = tmp_path / "config.yml"
    file.write_text("database: {path: none.db}")
    assert main.main(["check", "--config-only", f"--config.file={file}"]) == 0
    assert capsys.readouterr().out == "The configuration is valid.\n"
    file.write_text("database: {pth: none.db}")
    assert main.main(["check", "--config-only", f"--config.file={file}"]) == 2


@pytest.mark.parametrize("error", [CollectorError("the file is no database"), TimeoutError()])
async def test_a_collector_that_cannot_be_diagnosed_is_a_finding(
    fake_collector: Fake, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> list[Diagnosis]:
        raise error

    source = fake_collector("database")
    monkeypatch.setattr(source, "diagnose", broken)
    ((name, finding),) = await check_table.diagnose([source])
    assert (name, finding.state) == ("database", "error")
    assert finding.detail in ("the file is no database", "did not answer within 30 seconds")
    assert source.calls == ["close"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_on_a_terminal_a_bar_shows_how_far_the_check_is(fake_collector: Fake) -> None:
    sources = [fake_collector("database"), fake_collector("agents")]
    terminal, pipe = Terminal(), io.StringIO()
    assert await check_table.diagnose(sources, terminal) == await check_table.diagnose(sources, pipe)
    assert "Looking for the bot" in terminal.getvalue()
    assert "100%" in terminal.getvalue()
    assert pipe.getvalue() == ""


def test_on_a_terminal_the_table_is_drawn_and_markup_is_text() -> None:
    out = Terminal()
    check_table.show([("database", Diagnosis("[red]trades[/red]", "missing", "no table"))], out)
    assert "[red]trades[/red]" in out.getvalue()
    assert "│" in out.getvalue()
