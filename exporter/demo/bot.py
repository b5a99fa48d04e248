"""The demo bot as the exporter's process sees it: a child that writes the file, and never more than its path.

The exporter must not open the file by other means (locks belong to the process): the writer is another one.
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
from exporter.demo.limits import check

START_SECONDS = 60.0
STOP_SECONDS = 5.0
MESSAGE_BYTES = 4096


class DemoBot:
    """`start()` returns when the history is written and the state is served; `stop()` when all is gone.

    Without a directory the file is in a temporary one that goes with the bot.
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
        check(scenario, seed, speed, history_days, state_port)
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
        self._errors = asyncio.create_task(_last_words(self._process))
        try:
            self._take(await self._first_line(self._process))
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> str:
        """Until the bot ends by itself, which it should not: what it said last."""
        if self._process is None or self._errors is None:
            raise DemoError("the demo bot was not started")
        code = await self._process.wait()
        return await asyncio.shield(self._errors) or f"the demo bot ended with code {code}"

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _end(process)
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

    def _take(self, line: bytes) -> None:
        said = json.loads(line)
        self.database_path = Path(said["database"])
        self.state_url = said["stateUrl"]
        self.pid = said["pid"]


def _environment() -> dict[str, str]:
    """The child finds this very package, also where it is not installed and the working directory differs."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root])}


async def _last_words(process: Process) -> str:
    """The end of what the child said on standard error, without the mark of its own command line."""
    assert process.stderr is not None
    kept = b""
    while chunk := await process.stderr.read(MESSAGE_BYTES):
        kept = (kept + chunk)[-MESSAGE_BYTES:]
    return kept.decode(errors="replace").strip().removeprefix("demo: ")


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
