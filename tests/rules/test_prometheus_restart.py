"""A restart of a real Prometheus with the shipped rules: what waited goes on waiting, what was evident still is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from rulefiles import RULES
from tools import free_port, needed, serving

DEADLINE_SECONDS = 120
PENDING_SECONDS = 5
"""Before the restart; an alert that forgot it would begin again at none."""
PENDING = 'ALERTS_FOR_STATE{alertname="TweetbotPositionLosing"}[10m]'
EVIDENT = 'agent:bottleneck_evident:group{agent="hunter", bottleneck_severity="medium"}[10m]'
NO_BOTTLENECK = "(agent:recent_success_ratio:last5m > 0.7)[10m:1s]"


def page(success: float) -> str:
    """A position that loses 12 %, for which an alert waits six hours, and an agent with evidence that it is unwell.

    At 0.72 it is no bottleneck any more, and not yet well.
    """
    now, of_agent = time.time(), '{agent="hunter"}'
    return f"""\
tweetbot_scrape_collector_success{{collector="database"}} 1
tweetbot_position_cost_usd 1000
tweetbot_position_unrealized_profit_usd -120
tweetbot_recent_executions{of_agent} 50
tweetbot_recent_success_ratio{of_agent} {success}
tweetbot_recent_success_upper_bound_ratio{of_agent} 0.74
tweetbot_execution_last_timestamp_seconds{of_agent} {now}
tweetbot_recent_window_start_timestamp_seconds{of_agent} {now - 49 * 60}
"""


class Exporter:
    success = 0.6

    async def answer(self, _: web.Request) -> web.Response:
        return web.Response(text=page(self.success), headers={"Content-Type": "text/plain; version=0.0.4"})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/metrics", self.answer)
        async with serving(app) as address:
            yield address


class Prometheus:
    """The shipped rules, evaluated every second, of one target; its data stay in `directory`."""

    def __init__(self, directory: Path, target: str) -> None:
        self._directory, self._port = directory, free_port()
        copytree(RULES, directory / "rules")
        self._configuration = directory / "rules" / "prometheus.yml"
        document = yaml.safe_load(self._configuration.read_text())
        document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        del document["alerting"]
        self._configuration.write_text(yaml.safe_dump(document))
        (directory / "rules" / "targets" / "tweetbot.yml").write_text(
            f"- targets: ['{target}']\n  labels: {{bot: one}}\n"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with (self._directory / "prometheus.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                needed("prometheus"), f"--config.file={self._configuration}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}", stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            await process.wait()

    async def samples(self, selector: str) -> list[tuple[float, float]]:
        """Times and values of the one series that a range selector finds; none as long as nothing answers."""
        (series,) = (await self._get("query", query=selector))["result"] or [{"values": []}]
        return [(float(moment), float(value)) for moment, value in series["values"]]

    async def failing_rules(self) -> list[str]:
        groups = (await self._get("rules"))["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]

    async def _get(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}"
        try:
            async with aiohttp.ClientSession() as session, session.get(url, params=parameters) as answer:
                return (await answer.json())["data"]
        except aiohttp.ClientError:
            return {"result": [], "groups": []}

    async def first_after(self, moment: float, selector: str) -> tuple[float, float]:
        """The first sample after a moment, waited for."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                later = [each for each in await self.samples(selector) if each[0] > moment]
                if later:
                    return later[0]
                await asyncio.sleep(0.2)


@pytest.mark.slow("a real Prometheus, twice")
@pytest.mark.timeout(600)
async def test_a_restart_of_prometheus_forgets_neither_what_waits_nor_what_is_evident(tmp_path: Path) -> None:
    exporter = Exporter()
    async with exporter.listening() as target:
        prometheus = Prometheus(tmp_path, target)
        async with prometheus.running():
            began, _ = await prometheus.first_after(0, PENDING)
            await prometheus.first_after(0, EVIDENT)
            exporter.success = 0.72
            await prometheus.first_after(0, NO_BOTTLENECK)
            await prometheus.first_after(began + PENDING_SECONDS, PENDING)
        stopped = time.time()
        async with prometheus.running():
            moment, since = await prometheus.first_after(stopped, PENDING)
            await prometheus.first_after(moment, EVIDENT)
            assert await prometheus.failing_rules() == []
            *_, (last, was_since) = (each for each in await prometheus.samples(PENDING) if each[0] < stopped)
    # It does not count the time that it was away, and says since when to the second.
    assert moment - since > last - was_since - 1 >= PENDING_SECONDS - 1
