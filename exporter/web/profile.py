"""GET /api/v1/agents and /api/v1/agents/{agent}: the profiles as JSON, each request from one scrape."""

import time
from typing import Any
from urllib.parse import quote

from aiohttp import web

from exporter.collectors.scrape import Scraper
from exporter.metrics.labels import slugify
from exporter.profile.snapshot import Snapshot

AGENTS_PATH = "/api/v1/agents"


def routes(scraper: Scraper, prefix: str = "", external_path: str = "") -> list[web.RouteDef]:
    """The routes, under `prefix`, which scrape with `scraper`; links begin with `external_path`."""

    async def agents(_: web.Request) -> web.Response:
        snapshot = await take(scraper)
        found = [
            {
                "agent": agent,
                "sources": sources,
                "path": f"{external_path}{AGENTS_PATH}/{quote(agent, safe='')}",
            }
            for agent, sources in snapshot.agents.items()
        ]
        return web.json_response({"time": snapshot.time, "agents": found})

    async def agent(request: web.Request) -> web.Response:
        snapshot = await take(scraper)
        name = slugify(request.match_info["agent"])
        if name not in snapshot.agents:
            return web.json_response(_unknown(snapshot), status=404)
        return web.json_response(snapshot.profile(name).document())

    path = prefix + AGENTS_PATH
    return [web.get(path, agents), web.get(path + "/{agent}", agent)]


async def take(scraper: Scraper) -> Snapshot:
    """One scrape of all collectors, as a snapshot."""
    metrics = await scraper.scrape()
    return Snapshot(metrics, scraper.statuses(), time.time())


def _unknown(snapshot: Snapshot) -> dict[str, Any]:
    return {"error": "there is no such agent", "known": list(snapshot.agents)}
