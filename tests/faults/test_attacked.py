"""The exporter and the optimizer as real processes, with few files to open and a log that nobody reads."""

import fcntl
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from tools import free_port

FILES = 200
CONNECTIONS = 400
PIPE_BYTES = 4096

EXPORTER = ("serve", "--database.path=bot.db", "--web.listen-address=127.0.0.1:0")
OPTIMIZER = ("optimizer", "--optimizer.token-file=token", "--optimizer.listen-address=127.0.0.1:0")
programs = pytest.mark.parametrize("arguments", [EXPORTER, OPTIMIZER], ids=["exporter", "optimizer"])


@contextmanager
def started(
    arguments: tuple[str, ...], folder: Path, level: str = "info"
) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The program, with FILES to open at most, and its port."""
    (folder / "token").write_text("sesame-opens-it-all")
    (folder / "token").chmod(0o600)
    shell = f'ulimit -n {FILES}; exec "$0" -m exporter "$@"'
    away = [f"--optimizer.prometheus-url=http://127.0.0.1:{free_port()}"] if arguments is OPTIMIZER else []
    command = ["sh", "-c", shell, sys.executable, *arguments, *away, f"--log.level={level}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stderr is not None
            found = (re.search(r"msg=listening address=\S*:(\d+)", line) for line in process.stderr)
            yield process, int(next(filter(None, found))[1])
        finally:
            process.kill()


def is_served(port: int) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        return response.status == 200 and b"process_open_fds" in response.read()


@programs
def test_half_sent_requests_cost_no_scrape_and_few_log_lines(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    with started(arguments, tmp_path) as (process, port), ExitStack() as stack:
        for _ in range(CONNECTIONS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
        assert all(is_served(port) for _ in range(8))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in log
        assert len(log.splitlines()) < 20


@programs
def test_a_log_that_nobody_reads_stops_neither_page_nor_signal(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    with started(arguments, tmp_path, "debug") as (process, port):
        assert process.stderr is not None
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        for _ in range(300):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                client.sendall(b"nonsense\r\n\r\n")
                client.recv(100)
        assert is_served(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
