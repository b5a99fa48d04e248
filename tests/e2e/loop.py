"""The optimizer beside the stack: its process, its ledger as its users read it, and the bot as plain SQL sees it."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from tools import free_port

from .stack import FACTOR, ROOT, Stack

Optimization = dict[str, Any]
AGENT = "market-hunter"
TOKEN = "of-the-webhook"
ACTIONS_TOKEN = "of-the-actions"
KINDS = ("agent_response_time", "agent_success_rate", "coordination_efficiency", "system_performance")


class Loop:
    """`async with Loop(directory, "act", "degraded") as loop`: everything runs, and the optimizer, too.

    With `bridge_away` nothing answers at the bridge's address that the optimizer knows, until `bridge_back()`.
    """

    def __init__(self, directory: Path, mode: str, scenario: str, bridge_away: bool = False) -> None:
        self._directory, self._mode, self._scenario = directory, mode, scenario
        self._port = free_port()
        self._bridge_port = free_port() if bridge_away else 0
        self._token_file = directory / "token"
        self._actions_token_file = directory / "actions-token"
        self._config_file = directory / "optimizer.yml"
        self._process: asyncio.subprocess.Process | None = None
        self._leaving = AsyncExitStack()
        self.stack = Stack(
            directory,
            actions_token_file=self._actions_token_file,
            optimizer_port=self._port,
            optimizer_token_file=self._token_file,
        )

    async def __aenter__(self) -> Self:
        for file, text in ((self._token_file, TOKEN), (self._actions_token_file, ACTIONS_TOKEN)):
            file.touch(mode=0o600)
            file.write_text(text)
        async with AsyncExitStack() as entering:
            await entering.enter_async_context(self.stack)
            self._configure()
            await self.stack.bot(self._scenario)
            entering.push_async_callback(self.kill)
            await self.start()
            self._leaving = entering.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leaving.aclose()

    async def start(self) -> None:
        with (self._directory / "optimizer.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "exporter", "optimizer", f"--config.file={self._config_file}",
                f"--optimizer.mode={self._mode}", stdout=log, stderr=log, cwd=ROOT,
            )  # fmt: skip
        async with asyncio.timeout(120):
            while await self.status("/-/healthy") != 200:
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """As kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def bridge_back(self) -> None:
        """From now on the address that the optimizer knows leads to the bot."""
        server = await asyncio.start_server(self._forward, "127.0.0.1", self._bridge_port)
        await self._leaving.enter_async_context(_closing(server))

    async def optimizations(self) -> list[Optimization]:
        """By the command that people have for it, which reads the ledger also while the optimizer is dead."""
        said = await self._command("optimizations", "--json")
        return json.loads(said) if said else []

    async def roll_back(self, optimization: Optimization) -> str:
        return await self._command("optimizations", f"--roll-back={optimization['id']}")

    async def until(
        self, condition: Callable[[list[Optimization]], bool], seconds: float
    ) -> list[Optimization]:
        """Waits for the ledger to be so; gives it."""
        found: list[Optimization] = []
        try:
            async with asyncio.timeout(seconds):
                while not condition(found):
                    await asyncio.sleep(0.5)
                    found = await self.optimizations()
        except TimeoutError:
            log = (self._directory / "optimizer.log").read_text()[-3000:]
            raise AssertionError(f"not within {seconds:g} s: {found}\n{log}") from None
        return found

    async def status(self, path: str, token: str = "") -> int:
        """Of the optimizer's answer to somebody with a token; 0 without an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self._port}{path}"
        try:
            async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
                return response.status
        except aiohttp.ClientError:
            return 0

    def response_seconds(self, rows: int = 25) -> float:
        """The mean of AGENT's newest executions, as the bot's file has it."""
        with sqlite3.connect(f"file:{self.stack.bot_file}?mode=ro", uri=True) as connection:
            (mean,) = connection.execute(
                "SELECT avg(execution_time_ms) / 1000 FROM (SELECT execution_time_ms FROM agent_executions "
                "WHERE agent_name = ? ORDER BY id DESC LIMIT ?)",
                (AGENT, rows),
            ).fetchone()
        connection.close()
        return float(mean)

    def _configure(self) -> None:
        bridge = f"http://127.0.0.1:{self._bridge_port}" if self._bridge_port else self.stack.bridge_url
        optimizer = {
            "bot": "demo",
            "prometheus_url": self.stack.prometheus_url,
            "listen_addresses": [f"127.0.0.1:{self._port}"],
            "token_file": str(self._token_file),
            "actions_token_file": str(self._actions_token_file),
            "ledger": str(self._directory / "optimizer.db"),
            "interval_seconds": 0.5,
            "measure_seconds": 3600 / FACTOR,
            "measure_within_seconds": 60,
            "cooldown_seconds": 6 * 3600 / FACTOR,
            "implementation_seconds": dict.fromkeys(KINDS, 8),
        }
        document = {"bridge": {"url": bridge}, "optimizer": optimizer}
        self._config_file.write_text(yaml.safe_dump(document))

    async def _command(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "exporter", *arguments, f"--config.file={self._config_file}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        out, errors = await process.communicate()
        assert process.returncode == 0 or b"does not exist" in errors, errors.decode()
        return out.decode()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.stack.bridge_url.removeprefix("http://").partition("/")[0].partition(":")
        there, to_there = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, to_there), _copy(there, writer), return_exceptions=True)


@asynccontextmanager
async def _closing(server: asyncio.Server) -> AsyncIterator[None]:
    try:
        yield
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()
