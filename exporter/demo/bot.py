"""Runs the demo bot as a child process.

A process of its own, since POSIX locks belong to the process: the exporter's must not open the database it reads again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

from exporter.demo.errors import DemoError
from exporter.demo.validation import validate_options

START_SECONDS = 60.0
STOP_SECONDS = 5.0
MESSAGE_BYTES = 4096


class DemoBot:
    """`start()` returns when the history is written and the state is served, `stop()` when the process has ended.

    Without a directory it uses a temporary one, which is removed at the end.
    """

    def __init__(
        self,
        directory: Path | None = None,
        scenario: str = "healthy",
        seed: int = 1,
        speed: float = 1.0,
        state_port: int = 0,
        history_days: float = 3.0,
        actions_token_file: Path | None = None,
    ) -> None:
        validate_options(scenario, seed, speed, history_days, state_port)
        self._given = directory
        self._flags = [f"--scenario={scenario}", f"--seed={seed}", f"--speed={speed}"]
        self._flags += [f"--state-port={state_port}", f"--history-days={history_days}"]
        if actions_token_file is not None:
            self._flags.append(f"--actions-token-file={actions_token_file}")
        self._process: Process | None = None
        self._errors: asyncio.Task[str] | None = None
        self.directory = directory
        self.database_path = Path()
        self.state_url = ""
        self.pid = 0

    async def start(self) -> None:
        self.directory = self._given or Path(tempfile.mkdtemp(prefix="tweetbot-demo-"))
        flags = [f"--directory={self.directory}", "--until-stdin-closes", *self._flags]
        if self._given is None:
            flags.append("--remove-directory")
        command = (sys.executable, "-m", "exporter.demo", *flags)
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(), start_new_session=True
        )
        self._errors = asyncio.create_task(_stderr_tail(self._process))
        try:
            self._set_addresses(await self._first_line(self._process))
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> str:
        """Waits until the bot ends by itself, which it should not; returns its last error message."""
        if self._process is None or self._errors is None:
            raise DemoError("the demo bot was not started")
        code = await self._process.wait()
        return await asyncio.shield(self._errors) or f"the demo bot ended with code {code}"

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _terminate(process)
        if self._errors is not None:
            await self._errors
        if self._given is None and self.directory is not None:
            await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def __aenter__(self) -> DemoBot:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _first_line(self, process: Process) -> bytes:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            raise DemoError(f"the demo bot did not start within {START_SECONDS:g} s") from None
        if not line:
            raise DemoError(await self.wait())
        return line

    def _set_addresses(self, line: bytes) -> None:
        started = json.loads(line)
        self.database_path = Path(started["database"])
        self.state_url = started["stateUrl"]
        self.pid = started["pid"]


def _environment() -> dict[str, str]:
    """Lets the child import this package where it is not installed and the working directory differs."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root])}


async def _stderr_tail(process: Process) -> str:
    """The end of the child's standard error, without the prefix of its command."""
    assert process.stderr is not None
    tail = b""
    while chunk := await process.stderr.read(MESSAGE_BYTES):
        tail = (tail + chunk)[-MESSAGE_BYTES:]
    return tail.decode(errors="replace").strip().removeprefix("demo: ")


async def _terminate(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
