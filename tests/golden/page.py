"""The page that the exporter shows of the small bot in bot.sql, without what depends on the machine."""

import sqlite3
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from tools import wait_until

from exporter.collectors.sqlite.collector import DatabaseCollector
from exporter.config import Config
from exporter.metrics.catalogue import DATABASE_READ_DURATION

_FOLDER = Path(__file__).parent
GOLDEN_PAGE = _FOLDER / "page.txt"
NOW = 1760110200.0
"""2025-10-10 15:30:00 UTC."""


class _Registry:
    def __init__(self, metrics: list[Metric]) -> None:
        self.collect = lambda: metrics


async def golden_page(directory: Path) -> str:
    """The text of the page. The bot's database is made in `directory`."""
    path = directory / "trading.db"
    connection = sqlite3.connect(path)
    connection.executescript((_FOLDER / "bot.sql").read_text())
    connection.close()
    source = DatabaseCollector(path, Config(), clock=lambda: NOW)
    await source.start()
    try:
        await wait_until(lambda: not source.readiness())
        metrics = [*await source.collect(5), *source.self_metrics()]
    finally:
        await source.close()
    return generate_latest(_Registry([m for m in metrics if m.name != DATABASE_READ_DURATION.name])).decode()
