"""The real programs as processes, where a test asks for it with mounts that nobody else sees."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

T = TypeVar("T")
SECONDS = 90.0
"""For anything that is waited for."""
NAMESPACE = (
    ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
)


class Program:
    """A running exporter or optimizer."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log
        self.port = 0

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def get(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status and text; headers with a hyphen for each underscore."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(f"http://127.0.0.1:{self.port}{path}", body, named)
        try:
            with urlopen(request, timeout=SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def series(self, name: str) -> float | None:
        """The sum of a family on the page; None where the page has none of it."""
        found = re.findall(rf"^tweetbot_{name}(?:{{[^}}]*}})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return sum(map(float, found)) if found else None

    def database_works(self) -> bool:
        return 'scrape_collector_success{collector="database"} 1' in self.get("/metrics")[1]

    def end(self) -> str:
        """Sends SIGTERM and gives the log; the program must end by itself, and without a traceback."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SECONDS) == 0
        assert "Traceback" not in self.log()
        return self.log()


def wait_for(condition: Callable[[], T]) -> T:
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)
    return found


@contextmanager
def running(*arguments: str, folder: Path, prefix: Sequence[str] = ()) -> Iterator[Program]:
    """The program with these arguments, its log in `folder`; `prefix` is what begins its command."""
    log = folder / "log"
    usual = "--optimizer" if arguments[0] == "optimizer" else "--web"
    command = [*prefix, sys.executable, "-m", "exporter", *arguments, f"{usual}.listen-address=127.0.0.1:0"]
    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr, cwd=folder) as process:
        program = Program(process, log)
        try:
            found = wait_for(
                lambda: re.search(r"msg=listening address=\S*:(\d+)", program.log()) or process.poll()
            )
            assert isinstance(found, re.Match), program.log()
            program.port = int(found[1])
            yield program
        finally:
            process.kill()


@contextmanager
def mounts(script: str, *arguments: object) -> Iterator[list[str]]:
    """Runs a shell script in a mount namespace of its own; the value begins the command of what is to run there."""
    if subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("needs root, or user namespaces, to mount")
    command = [
        *NAMESPACE,
        "sh",
        "-euc",
        f"{script}\necho ready; exec sleep infinity",
        "sh",
        *map(str, arguments),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
            yield inside(holder)
        finally:
            holder.kill()


def inside(holder: "subprocess.Popen[str]") -> list[str]:
    """What begins a command that is to see the mounts of `holder`."""
    own = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(holder.pid), *own, "--mount"]
