"""Searches for a read that shows half a transaction.

    python -m tests.bench.torn --seconds 3600

A writer moves amounts between rows whose sum is constant, in each journal mode in turn: with a cache of a few pages, so
that it writes to the file long before it commits, with rollbacks of such transactions, and killed in the middle of
some. The exporter's own reads add the rows up. `--unguarded` leaves out what the exporter checks, to show that the
search finds what it is to find.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from exporter.collectors.sqlite import seqlock, session
from exporter.collectors.sqlite.session import (
    BusyError,
    DiscardedError,
    HotJournalError,
    Query,
    ReplacedError,
    Session,
    TooLongError,
)

ROWS = 600
SUM = ROWS * 1000
MODES = ("delete", "truncate", "persist", "memory", "off", "wal")
KILLED = {"delete", "truncate", "persist", "wal"}
"""Where a program that dies in the middle of a commit leaves a file that can be repaired."""

WRITER = """
import random, sqlite3, sys, time
path, mode, exclusive, seed = sys.argv[1:]
chance = random.Random(int(seed))
connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
for pragma in (f"journal_mode = {mode}", f"locking_mode = {exclusive}", "synchronous = OFF",
               f"cache_size = {chance.choice([1, 4, 16, 1000])}", "wal_autocheckpoint = 20"):
    connection.execute(f"PRAGMA {pragma}")
ids = [row[0] for row in connection.execute("SELECT id FROM account")]
while True:
    connection.execute("BEGIN IMMEDIATE")
    touched = chance.sample(ids, chance.choice([2, 20, 300]))
    for source, target in zip(touched[::2], touched[1::2]):
        amount = chance.randint(1, 50)
        connection.execute("UPDATE account SET amount = amount - ? WHERE id = ?", (amount, source))
        padding = "x" * chance.randint(1, 400)
        connection.execute("UPDATE account SET amount = amount + ?, padding = ? WHERE id = ?",
                           (amount, padding, target))
    if chance.random() < 0.1:
        connection.execute("INSERT INTO growth VALUES (zeroblob(?))", (chance.randint(1, 30000),))
    if chance.random() < 0.05:
        connection.execute("DELETE FROM growth")
    # Without a journal there is nothing to roll back from.
    connection.execute("ROLLBACK" if mode != "off" and chance.random() < 0.4 else "COMMIT")
    time.sleep(chance.choice([0, 0.0002, 0.001, 0.004, 0.01]))
"""

CHECK = Query("SELECT sum(amount), count(*), sum(length(padding)) >= 0 FROM account", {}, session.READ_BUDGET)


def make_file(path: Path, page_size: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, padding TEXT)")
        connection.execute("CREATE TABLE growth (filling BLOB)")
        with connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO account VALUES (?, 1000, ?)", [(number, "x" * 200) for number in range(ROWS)]
            )


def search(path: Path, mode: str, seconds: float, chance: random.Random) -> Counter[str]:
    """One writer, and reads beside it for some seconds."""
    exclusive = "exclusive" if chance.random() < 0.1 else "normal"
    command = [sys.executable, "-c", WRITER, str(path), mode, exclusive, str(chance.randrange(2**30))]
    seen: Counter[str] = Counter()
    reads = Session(path, lambda _: None, None)
    attempt = Session._attempt

    def counted(*arguments: Any) -> list[session.Row | Exception]:
        try:
            return attempt(*arguments)
        except DiscardedError:
            seen["discarded"] += 1
            raise

    session.Session._attempt = counted  # type: ignore[method-assign,assignment]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as writer:
        until = time.monotonic() + seconds
        while time.monotonic() < until and writer.poll() is None:
            try:
                row = reads.read(CHECK)
            except (BusyError, HotJournalError, TooLongError, ReplacedError) as error:
                seen[type(error).__name__] += 1
            except sqlite3.Error as error:
                seen[f"{type(error).__name__} {error}"] += 1
            else:
                seen["kept"] += 1
                seen[f"kept {reads.way.name.lower() if reads.way else ''}"] += 1
                if row[:2] != (SUM, ROWS):
                    seen["TORN"] += 1
                    print("TORN", mode, exclusive, row, flush=True)
        died = writer.poll()
        writer.kill()
        if died is not None:
            assert writer.stderr is not None
            seen[f"writer ended: {writer.stderr.read()[-200:]}"] += 1
    session.Session._attempt = attempt  # type: ignore[method-assign]
    # Killed in the middle of anything: what is there is right, or known not to be.
    with suppress(BusyError, HotJournalError, TooLongError, sqlite3.Error):
        seen["after a kill"] += 1
        if mode in KILLED and (row := reads.read(CHECK))[:2] != (SUM, ROWS):
            seen["TORN"] += 1
            print("TORN after a kill", mode, exclusive, row, flush=True)
    reads.close()
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--round", type=float, default=4, help="seconds for one writer (default: 4)")
    parser.add_argument("--directory", type=Path, help="where the files are made")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--unguarded", action="store_true", help="keep every read")
    parsed = parser.parse_args()
    if parsed.unguarded:
        seqlock.DatabaseFile.is_being_changed = lambda self: False  # type: ignore[method-assign]
        seqlock.Stamp.__ne__ = lambda self, other: False  # type: ignore[method-assign]
        seqlock.Stamp.may_be_repeated = lambda self, now: False  # type: ignore[method-assign]
    chance = random.Random(parsed.seed)
    totals: dict[str, Counter[str]] = {mode: Counter() for mode in MODES}
    ended = time.monotonic() + parsed.seconds
    with tempfile.TemporaryDirectory(dir=parsed.directory) as directory:
        while time.monotonic() < ended:
            for number, mode in enumerate(MODES):
                path = Path(directory) / f"{number}-{os.getpid()}-{chance.randrange(2**30)}.db"
                make_file(path, chance.choice([512, 1024, 4096]))
                totals[mode] += search(path, mode, parsed.round, chance)
                for leftover in Path(directory).iterdir():
                    leftover.unlink()
            print(json.dumps(totals), flush=True)
    return 1 if any(total["TORN"] for total in totals.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
