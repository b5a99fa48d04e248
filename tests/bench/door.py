"""Measures the HTTP side under load and under attack, in one run: `PYTHONPATH=tests python -m tests.bench.door`.

Clients and exporter share the machine, so times are of both.
"""

import argparse
import asyncio
import random
import re
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import psutil
from certificates import Certificates, certificates

from exporter.config import ConfigError
from exporter.http.web_config import CurrentWebConfig

from .generate import generate

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
WEB_CONFIG = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
USERS = "basic_auth_users: {a: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n"
WARM_UP = 500
KEPT = 8
"""Connections over which the many scrapes go."""


class Exporter:
    """A running exporter, from outside."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, issued: Certificates | None) -> None:
        self.process = process
        self.port = port
        self._context = ssl.create_default_context() if issued else None
        if self._context:
            self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    def resident(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self._context)


async def scrape(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> int:
    """The status of one scrape."""
    reader, writer = connection
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split()[1])


@contextmanager
def running(folder: Path, issued: Certificates | None) -> Iterator[Exporter]:
    log = folder / "log"
    more = [f"--web.config.file={folder / 'web.yml'}"] if issued else []
    command = [sys.executable, "-m", "exporter", f"--database.path={folder / 'bot.db'}", *more]
    with log.open("wb") as stderr:
        process = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stderr=stderr)
        try:
            while not (found := re.search(r"msg=listening address=\S*:(\d+)", log.read_text())):
                time.sleep(0.1)
            yield Exporter(process, int(found[1]), issued)
        finally:
            process.terminate()
            process.wait()
    text = log.read_text()
    print(f"  log lines {len(text.splitlines())}, tracebacks {text.count('Traceback')}")


async def many_clients(exporter: Exporter, clients: int, each: int) -> None:
    """`clients` at the same moment, each with a connection that it keeps."""
    seconds: list[float] = []
    statuses: Counter[int] = Counter()

    async def client() -> None:
        connection = await exporter.connect()
        for _ in range(each):
            began = time.perf_counter()
            statuses[status := await scrape(connection)] += 1
            if status == 200:
                seconds.append(time.perf_counter() - began)
        connection[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    cuts = quantiles(seconds, n=100)
    print(
        f"  {clients} clients: {statuses[200]} scrapes served, p50 {cuts[49]:.3f} s, p99 {cuts[98]:.3f} s",
        end="",
    )
    print(f"; {statuses[503]} refused (503), {statuses.total() - statuses[200] - statuses[503]} others")


async def memory(exporter: Exporter, scrapes: int) -> None:
    """What many scrapes leave in memory."""
    connections = [await exporter.connect() for _ in range(KEPT)]

    async def take(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], number: int) -> int:
        return sum([await scrape(connection) != 200 for _ in range(number)])

    await asyncio.gather(*(take(each, min(WARM_UP, scrapes)) for each in connections))
    before = exporter.resident()
    lost = sum(await asyncio.gather(*(take(each, scrapes // KEPT) for each in connections)))
    after = exporter.resident()
    print(f"  {scrapes} scrapes: lost {lost}, memory {before / 1e6:.1f} to {after / 1e6:.1f} MB", end="")
    print(f" ({(after - before) / before:+.1%})")
    for _, writer in connections:
        writer.close()


async def exchanges(exporter: Exporter, issued: Certificates, number: int) -> None:
    """Certificate and key are exchanged while others scrape, each time over a new connection."""
    stop, taken, lost = asyncio.Event(), 0, 0

    async def client() -> None:
        nonlocal taken, lost
        while not stop.is_set():
            connection = await exporter.connect()
            taken, lost = taken + 1, lost + (await scrape(connection) != 200)
            connection[1].close()

    clients = [asyncio.create_task(client()) for _ in range(4)]
    for _ in range(number):
        await asyncio.sleep(0.2)
        await asyncio.to_thread(issued.renew)
    stop.set()
    await asyncio.gather(*clients)
    print(f"  {number} exchanges of the certificate, {taken} scrapes meanwhile: lost {lost}")


async def hostile(exporter: Exporter, number: int) -> None:
    """Requests of random bytes and with random headers; a page is served between them."""
    chance = random.Random(1)
    served = refused = 0
    for index in range(number):
        reader, writer = await exporter.connect()
        noise = chance.randbytes(chance.randrange(1, 200))
        head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" if chance.random() < 0.5 else b""
        name = chance.choice(
            [b"Accept", b"Accept-Encoding", b"Authorization", b"X-Prometheus-Scrape-Timeout-Seconds"]
        )
        writer.write(head + name + b": " + noise + b"\r\n\r\n")
        writer.write_eof()
        refused += b" 200 " not in (await reader.read())[:20]
        writer.close()
        if index % 100 == 0:
            connection = await exporter.connect()
            served += await scrape(connection) == 200
            connection[1].close()
    print(
        f"  {number} hostile requests, {refused} refused: {served} of {(number + 99) // 100} pages between them"
    )


def hostile_configurations(folder: Path, number: int) -> None:
    """Web configurations with random bytes in them: a configuration or one clear error."""
    chance = random.Random(2)
    file = folder / "hostile.yml"
    good = (WEB_CONFIG + USERS + "rate_limit: {interval: 1s, burst: 2}\n").encode()
    refused = 0
    for _ in range(number):
        text = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(text))
            text[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        file.write_bytes(text)
        try:
            CurrentWebConfig(file)
        except ConfigError:
            refused += 1
    print(f"  {number} hostile web configurations: {refused} refused, each with one message")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--scrapes", type=int, default=100_000)
    parser.add_argument("--exchanges", type=int, default=50)
    parser.add_argument("--hostile", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        generate(folder / "bot.db", 1000, 100)
        issued = certificates(folder)
        (folder / "web.yml").write_text(WEB_CONFIG)

        def phase(name: str, over_tls: bool, work: Callable[[Exporter], Awaitable[None]]) -> None:
            print(name)
            with running(folder, issued if over_tls else None) as exporter:
                asyncio.run(work(exporter))  # type: ignore[arg-type]

        phase("without TLS", False, lambda each: many_clients(each, options.clients, 10))
        phase("with TLS", True, lambda each: many_clients(each, options.clients, 10))
        phase("memory over TLS", True, lambda each: memory(each, options.scrapes))
        phase("certificates", True, lambda each: exchanges(each, issued, options.exchanges))
        phase("hostile requests", False, lambda each: hostile(each, options.hostile))
        print("configurations")
        hostile_configurations(folder, options.hostile)


if __name__ == "__main__":
    main()
