"""The demo's process: writes the history, runs live, serves the state document, ends on a signal or closed stdin."""

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

from exporter.demo.actions import ActionExecutor
from exporter.demo.actions_endpoint import ActionsEndpoint, read_token
from exporter.demo.errors import DemoError
from exporter.demo.process_stats import EventLoopLag, process_document, start_time
from exporter.demo.requests import BODY_BYTES
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.simulation import Simulation
from exporter.demo.state_document import state_document
from exporter.demo.transaction import Transaction
from exporter.demo.writer import UNFINISHED, LiveFile, write_history

LOCK = "trading.db.demo-lock"
STEP_SECONDS = 0.2
SUSPENDED_SECONDS = 30.0
"""A step this late means that the machine was suspended; a suspended bot logs nothing."""
HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 1.0
"""Grace period for requests in progress at the end."""


@dataclass(frozen=True)
class Options:
    directory: Path
    scenario: str = "healthy"
    seed: int = 1
    speed: float = 1.0
    history_days: float = 3.0
    state_port: int = 0
    until_stdin_closes: bool = False
    """End with the parent: its pipe closes however it dies."""
    remove_directory: bool = False
    actions_token_file: Path | None = None
    """File with the bearer token for POST /actions; without it actions are disabled."""


@dataclass
class Service:
    options: Options
    lag: EventLoopLag = field(default_factory=EventLoopLag)

    async def run(self) -> None:
        with exclusive_directory(self.options.directory, remove=self.options.remove_directory):
            token_file = self.options.actions_token_file
            token = None if token_file is None else read_token(token_file)
            simulation, path = self._write_history()
            file = LiveFile(path)
            application = self._application(simulation, file, token)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
            try:
                port = await _listen(runner, self.options.state_port)
                _print_addresses(path, port)
                await _run_until_first_ends(
                    self._live(simulation, file), self.lag.measure(), self._stop_requested()
                )
            finally:
                await runner.cleanup()
                file.close()

    def _write_history(self) -> tuple[Simulation, Path]:
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
        previous = simulation.clock.since_start(datetime.now(UTC))
        while True:
            now = simulation.clock.since_start(datetime.now(UTC))
            if now - previous > SUSPENDED_SECONDS * 1000:
                simulation.postpone(now - previous)
            for transaction in simulation.advance(now):
                await asyncio.to_thread(file.commit, transaction)
            previous = now
            await asyncio.sleep(STEP_SECONDS)

    def _application(self, simulation: Simulation, file: LiveFile, token: bytes | None) -> web.Application:
        async def state(_: web.Request) -> web.Response:
            return web.json_response(state_document(simulation, process_document(self.lag), time.time()))

        async def commit(transaction: Transaction) -> None:
            await asyncio.to_thread(file.commit, transaction)

        application = web.Application(client_max_size=BODY_BYTES)
        application.router.add_get("/state", state)
        if token is not None:
            endpoint = ActionsEndpoint(token, ActionExecutor(simulation, commit, start_time()))
            application.router.add_post("/actions", endpoint.post)
        return application

    async def _stop_requested(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        if not self.options.until_stdin_closes:
            await stop.wait()
            return
        await _run_until_first_ends(_stdin_closed(), stop.wait())


async def _run_until_first_ends(*coroutines: Coroutine[object, object, object]) -> None:
    """Runs them concurrently; when one ends, cancels the others and raises its exception, if any."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
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


def _print_addresses(path: Path, port: int) -> None:
    line = {"database": str(path), "stateUrl": f"http://{HOST}:{port}/state", "pid": os.getpid()}
    print(json.dumps(line), flush=True)


@contextmanager
def exclusive_directory(directory: Path, *, remove: bool) -> Iterator[None]:
    """Locks the directory for one demo at a time; removes the lock file at the end, and with `remove` the directory."""
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
