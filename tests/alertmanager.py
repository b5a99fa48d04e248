"""A real Alertmanager, by itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tools import free_port, needed

DEADLINE_SECONDS = 120
EXTERNAL_URL = "http://alertmanager.example.org"


@asynccontextmanager
async def alertmanager(directory: Path, configuration: Mapping[str, Any]) -> AsyncIterator[str]:
    """Runs while the block does; gives its address. Its storage is in `directory`, and is found again there."""
    path, port = directory / "alertmanager.yml", free_port()
    path.write_text(yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True))
    with (directory / "alertmanager.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            needed("prometheus-alertmanager", "alertmanager"), f"--config.file={path}",
            f"--storage.path={directory / 'storage'}", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url={EXTERNAL_URL}", "--web.route-prefix=/",
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        await _ready(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _ready(url: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), aiohttp.ClientSession() as session:
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(f"{url}/-/ready") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)


async def post_alerts(url: str, alerts: Sequence[Mapping[str, Any]]) -> None:
    """As Prometheus does."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/v2/alerts", json=alerts) as response,
    ):
        assert response.status == 200, await response.text()
