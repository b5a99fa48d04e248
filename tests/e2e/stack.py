"""The whole way of a page, in real processes: demo bot, exporter, Prometheus, Alertmanager, and a receiver.

All durations of the rules are shortened by FACTOR (exporter/cli/demo_rules.py), and the bot lives as much faster. The
optimizer (loop.py) joins where it is asked for.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp
import yaml
from aiohttp import web
from tools import free_port, needed

from exporter.cli.demo_rules import write_scaled
from exporter.demo import DemoBot

ROOT = Path(__file__).resolve().parents[2]
FACTOR = 30


class Notice(NamedTuple):
    """An alert as the receiver got it."""

    status: str
    alert: str
    severity: str
    agent: str
    bottleneck_severity: str


class Receiver:
    """Alertmanager's webhook at the other end."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.watchdogs = 0

    @property
    def notices(self) -> set[Notice]:
        return {
            Notice(
                alert["status"],
                alert["labels"]["alertname"],
                alert["labels"]["severity"],
                alert["labels"].get("agent", ""),
                alert["labels"].get("bottleneck_severity", ""),
            )
            for alert in self.alerts
        }

    def annotations(self, name: str) -> dict[str, str]:
        """The annotations of the newest notice of an alert."""
        found = [alert["annotations"] for alert in self.alerts if alert["labels"]["alertname"] == name]
        return dict(found[-1])

    async def on_alerts(self, request: web.Request) -> web.Response:
        self.alerts += (await request.json())["alerts"]
        return web.Response()

    async def on_watchdog(self, request: web.Request) -> web.Response:
        self.watchdogs += 1
        return web.Response()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/alerts", self.on_alerts)
        app.router.add_post("/watchdog", self.on_watchdog)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", free_port())
        await site.start()
        try:
            yield str(site.name)
        finally:
            await runner.cleanup()


class Stack:
    """`async with Stack(directory) as stack`; then `await stack.bot("degraded")`, and again with another.

    With a `database` of its own it has no bot, and no bridge. `actions_token_file` lets the bot be acted on; to
    `optimizer_port` go the bottlenecks, with the token of `optimizer_token_file`.
    """

    def __init__(
        self,
        directory: Path,
        database: Path | None = None,
        actions_token_file: Path | None = None,
        optimizer_port: int = 0,
        optimizer_token_file: Path | None = None,
    ) -> None:
        self._directory = directory
        self._database = database
        self._actions_token_file = actions_token_file
        self._optimizer_port, self._optimizer_token_file = optimizer_port, optimizer_token_file
        self._state_port, self._exporter, self._prometheus, self._alertmanager = (
            free_port() for _ in range(4)
        )
        self._bot: DemoBot | None = None
        self._processes: list[asyncio.subprocess.Process] = []
        self.receiver = Receiver()

    async def __aenter__(self) -> Self:
        self._listening = self.receiver.listening()
        receiver = await self._listening.__aenter__()
        self._configure(receiver)
        (self._directory / "bot").mkdir(exist_ok=True)
        try:
            await self._start_processes()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            await process.wait()
        if self._bot is not None:
            await self._bot.stop()
        await self._listening.__aexit__(None, None, None)

    async def bot(self, scenario: str) -> None:
        """Starts the demo bot, in the place of the one before."""
        if self._bot is not None:
            await self._bot.stop()
        self._bot = DemoBot(
            self._directory / "bot",
            scenario,
            speed=FACTOR,
            state_port=self._state_port,
            actions_token_file=self._actions_token_file,
        )
        await self._bot.start()

    @property
    def bridge_url(self) -> str:
        return f"http://127.0.0.1:{self._state_port}/state"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self._prometheus}"

    @property
    def bot_file(self) -> Path:
        return self._directory / "bot" / "trading.db"

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Waits for something to come true at the receiver; what came until then is in the error."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(
                f"not within {seconds:g} s; received {sorted(self.receiver.notices)}"
            ) from None

    async def alertmanager_alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager's API says of all alerts, also of those that are inhibited."""
        return await self._get(f"http://127.0.0.1:{self._alertmanager}/api/v2/alerts")  # type: ignore[no-any-return]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query of Prometheus."""
        answer = await self._get(f"{self.prometheus_url}/api/v1/query", query=expression)
        return answer["data"]["result"]  # type: ignore[no-any-return]

    async def _get(self, url: str, **parameters: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(url, params=parameters) as response:
            response.raise_for_status()
            return await response.json()

    def _configure(self, receiver: str) -> None:
        rules = self._directory / "rules"
        write_scaled(rules, FACTOR)
        (rules / "targets" / "tweetbot.yml").write_text(
            f"- targets: ['127.0.0.1:{self._exporter}']\n  labels: {{bot: demo}}\n"
        )
        (rules / "targets" / "alertmanager.yml").write_text(
            f"- targets: ['127.0.0.1:{self._alertmanager}']\n"
        )
        _replace(rules / "prometheus.yml", "localhost:9090", f"127.0.0.1:{self._prometheus}")
        _replace(rules / "alertmanager.yml", "http://localhost:9099", receiver)
        if self._optimizer_token_file is not None:
            self._send_to_optimizer(rules, self._optimizer_token_file)

    def _send_to_optimizer(self, rules: Path, token_file: Path) -> None:
        """As rules/alertmanager.yml tells."""
        address = f"127.0.0.1:{self._optimizer_port}"
        _replace(rules / "alertmanager.yml", "localhost:9466", address)
        _replace(rules / "alertmanager.yml", "/etc/alertmanager/secrets/optimizer-token", str(token_file))
        alertmanager = yaml.safe_load((rules / "alertmanager.yml").read_text())
        first = alertmanager["route"]["routes"][0]
        assert first["receiver"] == "none"
        first["receiver"] = "optimizer"
        (rules / "alertmanager.yml").write_text(yaml.safe_dump(alertmanager))
        targets = f"- targets: ['{address}']\n  labels: {{bot: demo}}\n"
        (rules / "targets" / "optimizer.yml").write_text(targets)

    async def _start_processes(self) -> None:
        rules = self._directory / "rules"
        bridge = [] if self._database else [f"--bridge.url={self.bridge_url}"]
        await self._start(
            sys.executable, "-m", "exporter", *bridge,
            f"--database.path={self._database or self.bot_file}",
            f"--web.listen-address=127.0.0.1:{self._exporter}",
        )  # fmt: skip
        await self._start(
            needed("prometheus-alertmanager", "alertmanager"), f"--config.file={rules / 'alertmanager.yml'}",
            f"--storage.path={self._directory / 'alertmanager'}", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{self._alertmanager}",
        )  # fmt: skip
        await self._start(
            needed("prometheus"), f"--config.file={rules / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'prometheus'}", f"--query.lookback-delta={300 // FACTOR}s",
            f"--web.listen-address=127.0.0.1:{self._prometheus}", "--rules.alert.resend-delay=2s",
        )  # fmt: skip

    async def _start(self, *command: str) -> None:
        log = (self._directory / f"{Path(command[0]).name}.log").open("wb")
        with log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, cwd=ROOT)
        self._processes.append(process)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
