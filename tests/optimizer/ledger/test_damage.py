"""A ledger that is damaged, deleted or replaced: one clear message, and nothing is done by it."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.optimizer.ledger.errors import LedgerError
from exporter.optimizer.ledger.store import Ledger
from optimizer.fakes import FAILING, HUNTER, OTHER_SLOW, SLOW, alert, world_at

DAMAGES = 60


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """One that did harm, one that is measured, and one that waits."""
    path = tmp_path / "optimizer.db"
    async with world_at(path) as world:
        await world.acted()
        world.metrics.values[SLOW] = (9.0, 60)
        await world.step(600)
        world.metrics.sees(OTHER_SLOW)
        await world.receive(alert(OTHER_SLOW, fingerprint="other"), alert(FAILING, fingerprint="waits"))
        await world.step()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


async def read_all(path: Path) -> None:
    async with Ledger.open(path) as ledger:
        await ledger.optimizations(limit=1000)
        await ledger.open_optimizations()
        await ledger.tally()
        await ledger.past_steps()
        await ledger.last_change(HUNTER)
        await ledger.suspension()
        await ledger.identity()
        await ledger.newest_moment()
        await ledger.view([alert()], 0, 0, "act")


async def test_whatever_is_damaged_is_a_ledger_error(path: Path, tmp_path: Path) -> None:
    chance, whole, refused = random.Random(5), path.read_bytes(), 0
    for number in range(DAMAGES):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4, 40))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (folder / path.name).write_bytes(damaged)
        try:
            await read_all(folder / path.name)
        except LedgerError:
            refused += 1
        shutil.rmtree(folder)
    assert refused > DAMAGES / 20, "some of them did damage"


@pytest.mark.parametrize(
    "damage",
    [
        {"implementation_seconds": "soon"},
        {"implementation_seconds": -1},
        {"implementation_seconds": 1e300},
        {"implementation_seconds": float("nan")},
        {"actions": None},
        {"actions": [{"name": "dance", "agent": ""}]},
        {"actions": [7]},
        {"priority": "mild"},
        {"type": None},
    ],
)
async def test_a_damaged_value_in_a_strategy(path: Path, damage: dict[str, object]) -> None:
    with closing(sqlite3.connect(path)) as database:
        (text,) = database.execute("SELECT strategy FROM optimizations WHERE id = 2").fetchone()
        database.execute(
            "UPDATE optimizations SET strategy = ? WHERE id = 2",
            (json.dumps({**json.loads(text), **damage}),),
        )
        database.commit()
    with pytest.raises(LedgerError, match=r"is damaged: .* \(optimization 2: "):
        await read_all(path)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE optimizations SET strategy = 'x' WHERE id = 1", r"optimization 1"),
        ("UPDATE optimizations SET closed_at = 1e300 WHERE id = 1", r"optimization 1"),
        ("UPDATE optimizations SET track_record = '[]' WHERE id = 1", r"optimization 1"),
        ("UPDATE actions SET changes = '[{}]' WHERE number = 1", r"action '1-1-"),
        ("UPDATE actions SET arguments = '7' WHERE number = 1", r"action '1-1-"),
        ("UPDATE performance_history SET started_at = -1", r"optimization 3|optimization 2"),
    ],
)
async def test_a_damaged_row(path: Path, statement: str, told: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()
    with pytest.raises(LedgerError, match=f"is damaged: .*{told}"):
        await read_all(path)


@pytest.mark.parametrize("name", ["optimizer.db", "optimizer.db.lock"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_deleted_or_replaced_while_it_is_used(
    path: Path, name: str, replaced: bool
) -> None:
    """It would go on in the deleted file, while another optimizer starts beside it."""
    file = path.with_name(name)
    async with world_at(path) as world:
        await world.step()
        if replaced:
            shutil.copy(file, path.with_name("copy"))
            path.with_name("copy").replace(file)
        else:
            file.unlink()
        executed = list(world.bot.executed)
        with pytest.raises(LedgerError, match=f"{name} was deleted or replaced while the optimizer runs"):
            await world.step()
        with pytest.raises(LedgerError):
            await world.receive(alert(starts_at=2.0))
        assert world.bot.executed == executed
