"""Files that go on where they ended, and an import that is refused."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from collectors.sqlite.bots import executions, write_bot

from exporter.backfill import run
from exporter.backfill.sinks import MANIFEST, BackfillError, Directory, Import

from .histories import write_history

BEGAN = datetime(2025, 10, 10, tzinfo=UTC)
END = (BEGAN + timedelta(hours=9)).timestamp()


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine hours with an execution every ten minutes, and a part every two."""
    monkeypatch.setattr(run, "PART_BYTES", 1)
    rows = [
        row | {"timestamp": f"{BEGAN + timedelta(minutes=10 * number):%Y-%m-%d %H:%M:%S}"}
        for number, row in enumerate(executions(54))
    ]
    write_bot(tmp_path / "bot.db", agent_executions=rows)
    return tmp_path / "bot.db"


def files(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.glob("*.om")}


def samples(directory: Path) -> set[bytes]:
    return {line for path in directory.glob("*.om") for line in path.read_bytes().splitlines()}


async def test_a_part_ends_with_a_block(bot: Path, tmp_path: Path) -> None:
    written = await write_history(bot, tmp_path / "out", END)
    assert sorted(files(tmp_path / "out")) == [f"20251010T{hour:02d}0000Z.om" for hour in (0, 2, 4, 6, 8)]
    assert written.parts == 5
    assert written.size == sum(path.stat().st_size for path in (tmp_path / "out").glob("*.om"))


async def test_what_was_stopped_goes_on_where_it_was(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_history(bot, tmp_path / "whole", END)
    write = Directory.write

    async def stopped(self: Directory, pieces: Iterable[bytes], first: int, after: int) -> None:
        if len(files(tmp_path / "out")) == 2:
            raise KeyboardInterrupt
        await write(self, pieces, first, after)

    monkeypatch.setattr(Directory, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        await write_history(bot, tmp_path / "out", END)
    monkeypatch.setattr(Directory, "write", write)
    before = files(tmp_path / "out")
    written = await write_history(bot, tmp_path / "out", END)
    assert (len(before), written.parts) == (2, 3)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert (await write_history(bot, tmp_path / "out", END)).parts == 0


async def test_more_history_is_added_later(bot: Path, tmp_path: Path) -> None:
    for directory, end in (("out", END - 3600), ("out", END), ("whole", END)):
        await write_history(bot, tmp_path / directory, end, now=END)
    assert samples(tmp_path / "out") == samples(tmp_path / "whole")


async def test_a_directory_with_another_history_is_left_alone(bot: Path, tmp_path: Path) -> None:
    await write_history(bot, tmp_path / "out", END)
    with pytest.raises(BackfillError, match="another directory"):
        await write_history(bot, tmp_path / "out", END, step=300)
    (tmp_path / "out" / MANIFEST).write_text("{")
    with pytest.raises(BackfillError, match="remove the directory"):
        await write_history(bot, tmp_path / "out", END)


async def test_nothing_is_written_beside_the_bots_file(bot: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(bot)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    await write_history(bot, tmp_path / "out", END)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@asynccontextmanager
async def importer(status: int) -> AsyncIterator[tuple[str, list[tuple[str, bytes]]]]:
    """Something that answers like the import API, and what it got."""
    taken: list[tuple[str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((request.path, await request.read()))
        return web.Response(status=status)

    application = web.Application(client_max_size=1 << 30)
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", taken
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", "/api/v1/import/prometheus"), ("/insert/0/prometheus/x", "/insert/0/prometheus/x")],
)
async def test_an_import_gets_the_same_text(path: str, asked: str) -> None:
    pieces = [b"a 1 2\n" * 50_000, b"# EOF\n"]
    async with importer(204) as (url, taken):
        await Import(url + path).write(pieces, 0, 60)
    assert taken == [(asked, b"".join(pieces))]


async def test_an_import_that_is_refused_says_how_to_go_on() -> None:
    async with importer(400) as (url, _):
        with pytest.raises(BackfillError, match=r"status 400.*--start 2025-10-10T00:00:00Z") as caught:
            await Import(url.replace("//", "//user:secret@")).write([b"a 1 2\n"], int(BEGAN.timestamp()), 0)
    assert "secret" not in str(caught.value)


async def test_an_import_that_is_not_there_is_one_clear_message() -> None:
    async with importer(204) as (url, _):
        pass
    with pytest.raises(BackfillError, match=r"did not take the samples .*--start"):
        await Import(url).write([b"a 1 2\n"], 0, 0)
