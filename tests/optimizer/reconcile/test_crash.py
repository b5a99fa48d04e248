"""Killed with SIGKILL at any moment and started again: nothing is forgotten, and nothing is done twice."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from exporter.optimizer.ledger.store import Ledger
from optimizer.reconcile.crash import AGENTS


class Bot:
    """Carries each id out once, and remembers in which order. Every action changes 1 into 2, and back."""

    def __init__(self) -> None:
        self.values = dict.fromkeys(AGENTS, 1)
        self.executed: list[str] = []
        self._answers: dict[str, Any] = {}
        self._changed: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, json.JSONDecodeError):
            request = json.loads(await reader.readline())
            await asyncio.sleep(random.uniform(0, 0.01))
            answer = self._answer(request)
            await asyncio.sleep(random.uniform(0, 0.01))
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _answer(self, request: dict[str, str]) -> Any:
        if request["what"] == "start":
            return 1000.0
        name = request["id"]
        if name not in self._answers:
            self.executed.append(name)
            restore = request["what"] == "restore"
            agent = self._changed[request["restores"]] if restore else request["agent"]
            self._changed[name] = agent
            before, self.values[agent] = self.values[agent], 1 if restore else 2
            self._answers[name] = ["done", [[agent, "value", before, self.values[agent]]]]
        return self._answers[name]


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Bot]:
    found = Bot()
    server = await asyncio.start_unix_server(found.serve, tmp_path / "bot")
    async with server:
        yield found


async def run_until_killed(ledger: Path, alerts: str, steps: int, seconds: float) -> None:
    """Kills it `seconds` after so many steps; without any, while it starts and opens or makes its ledger."""
    child = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "optimizer.reconcile.crash",
            str(ledger),
            str(ledger.with_name("bot")),
            alerts,
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            while steps and (line := await child.stdout.readline()):
                steps -= line == b"step\n"
        await asyncio.sleep(seconds)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        _, errors = await child.communicate()
    assert b"Error" not in errors, errors.decode()


@pytest.mark.parametrize(
    "kills",
    [4, pytest.param(40, marks=[pytest.mark.slow("as many processes as kills"), pytest.mark.timeout(580)])],
)
async def test_killed_at_random(tmp_path: Path, bot: Bot, kills: int) -> None:
    ledger = tmp_path / "optimizer.db"
    chance = random.Random(kills)
    interrupted: Counter[str] = Counter()
    killed = 0
    # It is killed in the middle of everything, however long that takes to come about.
    while killed < kills or (kills > 20 and not interrupted.keys() >= {"acting", "measuring", "restoring"}):
        killed += 1
        steps = chance.randrange(4)
        await run_until_killed(ledger, "new", steps, chance.uniform(0, 0.3 if steps else 0.8))
        assert max(Counter(bot.executed).values(), default=0) <= 1
        if ledger.exists():
            async with Ledger.read(ledger) as found:
                interrupted.update(entry.state for entry in await found.optimizations(limit=8))
    # And one that is left alone until all is done.
    await run_until_killed(ledger, "old", 16, 0)
    async with Ledger.read(ledger) as found:
        entries = await found.optimizations(limit=1_000_000)
    assert {(entry.state, entry.outcome) for entry in entries} == {("closed", "rolled_back")}, entries
    assert set(bot.values.values()) == {1}
    asked = Counter(action.id for entry in entries for action in entry.actions)
    assert Counter(bot.executed) == asked, "what was done is what stands in the ledger, each once"
    assert all(action.status == "done" for entry in entries for action in entry.actions)
