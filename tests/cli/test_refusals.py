"""What the user or the system gets in the way with: one line that names it, never a traceback."""

import asyncio
import io
import os
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from optimizer.fakes import NOON, alert
from optimizer.ledger.test_ledger import triaged
from tools import free_port

from exporter.cli import main as cli
from exporter.optimizer.ledger.store import Ledger

PROGRAM = [sys.executable, "-m", "exporter"]
LONG = "/" + "x" * 5000
UNKNOWN_HOST = "http://no-such-host.invalid:9465"
Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """The one line that a command ends with, and exit code 1."""
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)

    def refused(*arguments: str, code: int = 1) -> str:
        ended: int | str | None
        try:
            ended = cli.main(arguments)
        except SystemExit as exit_:
            ended = exit_.code
        out, err = capsys.readouterr()
        assert (ended, out) == (code, "")
        (line,) = err.splitlines()
        assert line.startswith("tweetbot-exporter: error: ")
        return line

    return refused


@pytest.mark.parametrize("arguments", [["help"], ["help", "check"], ["version"], ["-v"]])
def test_what_people_try_first_works(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(arguments)
    assert "tweetbot-exporter" in capsys.readouterr().out


def test_help_is_of_the_command_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["help", "check"])
    assert capsys.readouterr().out.startswith("usage: tweetbot-exporter check ")


@pytest.mark.parametrize("url", ["127.0.0.1:9464", "localhost", "ftp://here", "http://", "http://[::1"])
def test_an_address_needs_its_scheme(refused: Refused, url: str) -> None:
    line = refused("profile", "--url", url, code=2)
    assert "--url: must be an address such as http://127.0.0.1:9464" in line


def test_a_host_that_is_not_known(refused: Refused) -> None:
    line = refused("profile", "--url", UNKNOWN_HOST)
    assert "the host name is not known; check its spelling" in line


def test_tabs_in_yaml(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "tabs.yml"
    file.write_text("database:\n\tpath: x\n")
    line = refused("check", "--config.file", str(file), code=2)
    assert "tabs.yml: line 2: a tab, where YAML takes only spaces; indent with spaces" in line


@pytest.mark.parametrize("more", [[], ["--copy"]])
def test_a_bot_in_a_directory_that_is_not_there(refused: Refused, tmp_path: Path, more: list[str]) -> None:
    assert "gone is not a directory; name the one" in refused("bridge", str(tmp_path / "gone"), *more)


def test_a_directory_that_may_not_be_entered(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root may enter all, the refusal is made."""

    def closed(path: Path, *_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    line = refused("bridge", str(tmp_path))
    assert line.endswith("true-agentic-orchestrator.js: permission denied")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not enter")
def test_check_of_a_directory_that_may_not_be_entered(tmp_path: Path) -> None:
    """The interpreter's own folder may be closed to others, too: the process changes its user when it has started."""
    code = "import os, sys; from exporter.cli import check_table, main; from exporter.collectors import registry; "
    code += "os.setgid(65534); os.setuid(65534); raise SystemExit(main.main())"
    tmp_path.chmod(0o700)
    command = [sys.executable, "-c", code, "check", "--database.path", str(tmp_path / "closed" / "bot.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, "")
    assert "permission denied" in done.stdout.lower()


@pytest.mark.parametrize("arguments", [["bridge", LONG], ["bridge", LONG, "--copy"]])
def test_a_path_that_is_too_long_is_cut_in_the_message(refused: Refused, arguments: list[str]) -> None:
    line = refused(*arguments)
    assert line.endswith("xxx… (5001 characters): file name too long")
    assert len(line) < 300


def test_check_of_a_path_that_is_too_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    assert cli.main(["check", "--database.path", LONG]) == 2
    assert "too long" in capsys.readouterr().out


def test_several_collectors_with_the_same_trouble_are_one_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    assert cli.main(["check", "--bridge.url", f"http://127.0.0.1:{free_port()}"]) == 2
    _, row = capsys.readouterr().out.splitlines()
    assert row.startswith("agents, communication, self_reports, system  bridge   error  cannot connect to ")
    assert row.endswith("connection refused; the bot is down, or runs without the bridge")


def test_check_of_a_host_that_is_not_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    assert cli.main(["check", "--bridge.url", UNKNOWN_HOST]) == 2
    assert capsys.readouterr().out.endswith("the host name is not known; check its spelling\n")


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a server does that waits for TLS, or speaks none."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


async def answer_of(url: str) -> str:
    from exporter.http.client import FetchError, fetch_json

    with pytest.raises(FetchError) as caught:
        await fetch_json(url, 10)
    return str(caught.value)


async def test_https_where_http_is_spoken() -> None:
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await answer_of(f"https://127.0.0.1:{port}/")).endswith(
            "it does not speak TLS; write http:// for https://"
        )


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's, with a certificate of its own."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made += ["-subj", "/CN=bot", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_http_where_https_is_spoken(tls: ssl.SSLContext) -> None:
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await answer_of(f"http://127.0.0.1:{port}/")
    assert answer.endswith("; if it speaks TLS, write https:// for http://")


@pytest.mark.parametrize("command", [["bridge"], ["check", "--database.path=none.db"], ["check", "--help"]])
def test_a_full_disk_under_the_output(command: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *command], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60
        )
    assert done.returncode == 1
    expected = "tweetbot-exporter: error: cannot write the output: no space left on device\n"
    assert done.stderr == expected


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("command", [["--help"], ["--version"], *([each, "--help"] for each in cli.COMMANDS)])
def test_a_full_disk_under_the_help(
    command: list[str],
    unbuffered: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Written at once, as with PYTHONUNBUFFERED, or at the end."""
    with Path("/dev/full").open("wb", buffering=0) as raw:
        full = io.TextIOWrapper(raw if unbuffered else io.BufferedWriter(raw), write_through=unbuffered)
        monkeypatch.setattr("sys.stdout", full)
        monkeypatch.setattr(cli, "_discard_output", lambda: None)
        assert cli.main(command) == 1
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
    expected = "tweetbot-exporter: error: cannot write the output: no space left on device\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    script = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *PROGRAM, "bridge"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_while_it_imports(tmp_path: Path) -> None:
    (tmp_path / "structlog.py").write_text(
        # Where the tests run in the background, Python would leave the signal ignored.
        "import os, signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*PROGRAM, "check"], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("damage", ["strategy = '{'", "strategy = '[]'"])
def test_a_damaged_ledger(refused: Refused, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger.db"
    asyncio.run(_fill(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE optimizations SET {damage}")
    assert "ledger.db is damaged" in refused("optimizations", "--optimizer.ledger", str(path))


async def _fill(path: Path) -> None:
    async with Ledger.open(path) as ledger:
        await ledger.record(triaged(alert()), NOON)
