"""Ten million hostile inputs, in one run: `PYTHONPATH=tests python -m tests.bench.hostile`.

Each is answered as it should be, or refused with an error that is made for it: anything else ends the run.
"""

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from collectors.bridge.documents import whole
from collectors.bridge.test_live_schema import collected, places, replaced
from faults.programs import running
from optimizer.alerts.test_webhook import alert, envelope
from oracle.files import UPSTREAM, TableRows, write_database

from exporter.config import ConfigError
from exporter.http.negotiation import accepts_gzip, choose_format
from exporter.http.web_config import CurrentWebConfig
from exporter.optimizer.alerts.webhook import EnvelopeError, TooManyError, parse
from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.store import Ledger

NUMBERS = {"headers": 8_370_000, "webhooks": 800_000, "rows": 700_000, "documents": 30_000}
NUMBERS |= {"configurations": 99_000, "ledgers": 1_000}
JUNK = """CASE abs(random()) % 9 WHEN 0 THEN NULL WHEN 1 THEN random() WHEN 2 THEN 1e308 * (random() % 3)
  WHEN 3 THEN randomblob(abs(random()) % 40) WHEN 4 THEN CAST(randomblob(12) AS TEXT) WHEN 5 THEN ''
  WHEN 6 THEN '{"confidence": 1e999, "signalsGenerated": -1}' WHEN 7 THEN '[[[[{"a":' ELSE '2025-10-10 15:30:00' END"""
"""An SQL expression: a value of any type, anew for each row."""
ACCEPT = b'application/openmetrics-text;version="1.0.0";q=0.9,text/plain;q=0.5,*/*;q=0.1'
WEB_CONFIG = b"rate_limit: {interval: 1s, burst: 2}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n"


def damaged(good: bytes, chance: random.Random, most: int = 6) -> bytes:
    """Some bytes are others, more, or fewer."""
    text = bytearray(good)
    for _ in range(chance.randrange(1, most)):
        place = chance.randrange(len(text))
        text[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(5))
    return bytes(text)


def headers(number: int, chance: random.Random, _folder: Path) -> int:
    """Of requests: there is an answer to each."""
    for _ in range(number):
        header = damaged(ACCEPT, chance).decode("latin-1")
        choose_format(header)
        accepts_gzip(header)
    return 0


def webhooks(number: int, chance: random.Random, _folder: Path) -> int:
    good, refused = envelope(alert()), 0
    for _ in range(number):
        try:
            parse(damaged(good, chance), "main")
        except (EnvelopeError, TooManyError):
            refused += 1
    return refused


def documents(number: int, chance: random.Random, _folder: Path) -> int:
    """Of the bridge: a page of metrics comes of each."""
    junk: tuple[Any, ...] = (None, -1, 1e308, "", "x" * 200, [], {}, [[]], True, "\ud800", 10**400)
    for _ in range(number):
        document = whole()
        for _ in range(chance.randrange(1, 4)):
            document = replaced(document, chance.choice(places(document)[1:]), chance.choice(junk))
        collected(document)
    return 0


def configurations(number: int, chance: random.Random, folder: Path) -> int:
    file, refused = folder / "web.yml", 0
    for _ in range(number):
        file.write_bytes(damaged(WEB_CONFIG, chance))
        try:
            CurrentWebConfig(file)
        except ConfigError:
            refused += 1
    return refused


def ledgers(number: int, chance: random.Random, folder: Path) -> int:
    return asyncio.run(_ledgers(number, chance, folder / "ledger.db"))


async def _ledgers(number: int, chance: random.Random, path: Path) -> int:
    async with Ledger.open(path):
        pass
    good, refused = path.read_bytes(), 0
    for _ in range(number):
        path.write_bytes(damaged(good, chance, 60))
        try:
            async with Ledger.read(path) as ledger:
                await ledger.optimizations()
        except LedgerError:
            refused += 1
    return refused


def rows(number: int, _chance: random.Random, folder: Path) -> int:
    """Of a bot: all are read, and no page is lost meanwhile."""
    database = folder / "bot.db"
    write_database(str(database), {name: TableRows(columns, []) for name, columns in UPSTREAM.items()})
    columns = [name for name, kind in UPSTREAM["agent_executions"].items() if "KEY" not in kind]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            f"INSERT INTO agent_executions ({', '.join(columns)}) WITH RECURSIVE n(i) AS "
            f"(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "
            f"SELECT {', '.join([JUNK] * len(columns))} FROM n"
        )
    pages = 0
    with running("serve", f"--database.path={database}", folder=folder) as program:
        while (program.series("database_rows_total") or 0) < number:
            assert program.get("/metrics")[0] == 200
            pages += 1
            time.sleep(0.5)
        program.end()
    print(f"  {pages} pages while the rows were read")
    return 0


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of ten million")
    share = parser.parse_args().share
    kinds: list[Callable[[int, random.Random, Path], int]]
    kinds = [headers, webhooks, rows, documents, configurations, ledgers]
    total = 0
    for kind in kinds:
        number = max(1, round(NUMBERS[kind.__name__] * share))
        with tempfile.TemporaryDirectory() as folder:
            refused = kind(number, random.Random(1), Path(folder))
        total += number
        print(f"{kind.__name__}: {number}, of them {refused} refused", flush=True)
    print(f"{total} in all; no other error")


if __name__ == "__main__":
    main()
