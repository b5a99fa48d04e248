"""The demo's own process: writes the file, goes on live, serves the state document, ends when told to."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from exporter.demo.actions import Actions
from exporter.demo.clock import Transaction
from exporter.demo.door import Door, read_token
from exporter.demo.errors import DemoError
from exporter.demo.requests import BODY_BYTES
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.simulation import Simulation
from exporter.demo.state import state_document
from exporter.demo.vitals import LoopLag, process_document, start_time
from exporter.demo.writer import UNFINISHED, LiveFile, write_history

LOCK = "trading.db.demo-lock"
STEP_SECONDS = 0.2
SLEPT_SECONDS = 30.0
"""A step that comes so late was a machine asleep, and a sleeping bot logs nothing."""
HOST = "127.0.0.1"
FAREWELL_SECONDS = 1.0
"""So long a request may still take when the demo ends."""


@dataclass(frozen=True)
class Options:
    directory: Path
    scenario: str = "healthy"
    seed: int = 1
    speed: float = 1.0
    history_days: float = 3.0
    state_port: int = 0
    until_stdin_closes: bool = False
    """End with the parent: a pipe to it closes when it dies, however it dies."""
    remove_directory: bool = False
    actions_token_file: Path | None = None
    """Whoever shows this token may act on the bot; without it nobody may."""


@dataclass
class Service:
    options: Options
    lag: LoopLag = field(default_factory=LoopLag)

    async def run(self) -> None:
        with only_one_in(self.options.directory, remove=self.options.remove_directory):
            file_of_token = self.options.actions_token_file
            token = None if file_of_token is None else read_token(file_of_token)
            simulation, path = self._begin()
            file = LiveFile(path)
            application = self._application(simulation, file, token)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=FAREWELL_SECONDS)
            try:
                port = await _listen(runner, self.options.state_port)
                _report(path, port)
                await _first_to_end(self._live(simulation, file), self.lag.measure(), self._told_to_end())
            finally:
                await runner.cleanup()
                file.close()

    def _begin(self) -> tuple[Simulation, Path]:
        options = self.options
        simulation = Simulation(
            SCENARIOS[options.scenario],
            seed=options.seed,
            start=datetime.now(UTC),
            speed=options.speed,
            history_days=options.history_days,
        )
        return simulation, write_history(options.directory, simulation.advance(0))

    async def _live(self, simulation: Simulation, file: LiveFile) -> None:
        before = simulation.clock.since_start(datetime.now(UTC))
        while True:
            now = simulation.clock.since_start(datetime.now(UTC))
            if now - before > SLEPT_SECONDS * 1000:
                simulation.postpone(now - before)
            for transaction in simulation.advance(now):
                await asyncio.to_thread(file.commit, transaction)
            before = now
            await asyncio.sleep(STEP_SECONDS)

    def _application(self, simulation: Simulation, file: LiveFile, token: bytes | None) -> web.Application:
        async def state(_: web.Request) -> web.Response:
            return web.json_response(state_document(simulation, process_document(self.lag), time.time()))

        async def commit(transaction: Transaction) -> None:
            await asyncio.to_thread(file.commit, transaction)

        application = web.Application(client_max_size=BODY_BYTES)
        application.router.add_get("/state", state)
        if token is not None:
            door = Door(token, Actions(simulation, commit, start_time()))
            application.router.add_post("/actions", door.post)
        return application

    async def _told_to_end(self) -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, told.set)
        if not self.options.until_stdin_closes:
            await told.wait()
            return
        await _first_to_end(_stdin_closed(), told.wait())


async def _first_to_end(*works: Coroutine[object, object, object]) -> None:
    """Runs them side by side; when one ends, the others are cancelled, and what it raised is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(1024):
        pass


async def _listen(runner: web.AppRunner, port: int) -> int:
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        raise DemoError(f"cannot listen on {HOST}:{port} for the state document: {error.strerror}") from error
    return int(runner.addresses[0][1])


def _report(path: Path, port: int) -> None:
    line = {"database": str(path), "stateUrl": f"http://{HOST}:{port}/state", "pid": os.getpid()}
    print(json.dumps(line), flush=True)


@contextmanager
def only_one_in(directory: Path, *, remove: bool) -> Iterator[None]:
    """One demo at a time in a directory; afterwards its lock is gone, and a temporary directory, too."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / LOCK).open("w")
    except OSError as error:
        raise DemoError(f"cannot write in {directory}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoError(
                f"another demo is running in {directory}: stop it or choose another directory"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):
                (directory / UNFINISHED).unlink(missing_ok=True)
                (directory / LOCK).unlink()
            if remove:
                shutil.rmtree(directory, ignore_errors=True)
