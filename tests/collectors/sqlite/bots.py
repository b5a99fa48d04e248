"""Small files of bots, and what other programs do to them."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from oracle.files import SEED, UPSTREAM, TableRows, append_rows, write_database

__all__ = ["SEED", "UPSTREAM", "TableRows", "write_database"]


def executions(count: int, agent: str = "a") -> list[dict[str, Any]]:
    return [
        {
            "timestamp": f"2025-10-10 15:{number // 60 % 60:02d}:{number % 60:02d}",
            "agent_name": agent,
            "execution_type": "t",
            "success": 1,
            "execution_time_ms": 100,
        }
        for number in range(count)
    ]


def trades(count: int) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": "2025-10-10 15:30:00",
            "trade_type": "BUY",
            "amount_btc": 0.001,
            "total_usd": 100 + number,
            "executed_by": "a",
        }
        for number in range(count)
    ]


def decisions(count: int, outcome: str = "{}") -> list[dict[str, Any]]:
    return [
        {
            "id": f"dec_{number}",
            "timestamp": "2025-10-10T15:30:00.000Z",
            "agent": "a",
            "type": "t",
            "outcome": outcome,
        }
        for number in range(count)
    ]


def write_bot(path: Path, layout: dict[str, dict[str, str]] = UPSTREAM, **rows: list[dict[str, Any]]) -> None:
    """A file with all tables of a layout and some rows."""
    write_database(
        str(path), {name: TableRows(columns, rows.get(name, [])) for name, columns in layout.items()}
    )


def append(path: Path, table: str, rows: list[dict[str, Any]]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        append_rows(connection, table, rows)


def execute(path: Path, *statements: str) -> None:
    """Each in a transaction of its own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


OTHER_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
print("done", flush=True)
sys.stdin.read()
"""


@contextmanager
def program(path: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has executed the statements and has the file open still; ended at exit."""
    command = [sys.executable, "-c", OTHER_PROGRAM, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "done\n"
            yield process
        finally:
            process.kill()
