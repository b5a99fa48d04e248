"""Makes files as the bot would have after a day or after years: `python -m tests.bench.generate PATH`.

Rows are made inside SQLite from a few hundred shapes, about a million in ten seconds.
"""

import argparse
import sqlite3
from pathlib import Path

from exporter.demo.schema import SCHEMA

from . import shapes

END = 1_760_000_000
"""When the last generated row is from, in seconds since 1970."""
STEPS = {"agent_executions": 3, "agent_decisions": 60}
"""Seconds from one row to the next."""
OTHER_ROWS = 2_000
"""Rows of each of the small tables."""

_NUMBERS = "WITH RECURSIVE number(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM number WHERE n < :last)"
_SECOND = ":moment + (n - :at) * :step"

EXECUTIONS = f"""
INSERT INTO agent_executions (timestamp, agent_name, execution_type, input_data, output_data, success,
  execution_time_ms, error_message)
{_NUMBERS}
SELECT datetime({_SECOND}, 'unixepoch'), shape.* FROM number
JOIN execution_shape AS shape ON shape.rowid = 1 + n % (SELECT count(*) FROM execution_shape)
"""
DECISIONS = f"""
INSERT INTO agent_decisions
{_NUMBERS}
SELECT format('dec_%d_%09x', ({_SECOND}) * 1000, n * 2654435761 % 68719476736),
  strftime('%Y-%m-%dT%H:%M:%S.000Z', {_SECOND}, 'unixepoch'), shape.* FROM number
JOIN decision_shape AS shape ON shape.rowid = 1 + n % (SELECT count(*) FROM decision_shape)
"""
SMALL_TABLES = f"""
INSERT INTO portfolio VALUES (1, 0.05, 6800, datetime({END}, 'unixepoch'));
CREATE TEMP TABLE moment AS
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {OTHER_ROWS})
SELECT n, datetime({END} - ({OTHER_ROWS} - n) * 300, 'unixepoch') AS time, 64000 + n % 97 * 10 AS price
FROM number;
INSERT INTO trades (timestamp, trade_type, amount_btc, price_usd, fee_usd, total_usd, executed_by)
SELECT time, iif(n % 2, 'BUY', 'SELL'), 0.001, price, 0.06, price / 1000.0, 'Intelligent Execution Agent'
FROM moment;
INSERT INTO portfolio_history (timestamp, btc_balance, usd_balance, btc_price_usd, total_value_usd)
SELECT time, 0.05, 6800, price, 6800 + 0.05 * price FROM moment;
INSERT INTO market_data (timestamp, price_usd, volume_24h, price_change_24h, fear_greed_index)
SELECT time, price, 1000000, 1.5, 50 FROM moment;
INSERT INTO system_config (key, value) VALUES ('system_status', 'running');
"""


def generate(path: Path, executions: int, decisions: int) -> None:
    """A new file. The indexes come last, as that is faster."""
    tables, first_index, indexes = SCHEMA.partition("CREATE INDEX")
    writer = Writer(path)
    writer.database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + tables)
    writer.append(executions, decisions)
    writer.database.executescript(SMALL_TABLES + first_index + indexes)
    writer.close()


class Writer:
    """Adds rows to a file, as the bot does: in rollback-journal mode."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path)
        self._load("execution_shape", shapes.executions())
        self._load("decision_shape", shapes.decisions())

    def append(self, executions: int, decisions: int) -> None:
        """Adds rows after those that are there, and commits once."""
        self._append("agent_executions", EXECUTIONS, executions)
        self._append("agent_decisions", DECISIONS, decisions)
        self.database.commit()

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    def _load(self, name: str, rows: list[shapes.Shape]) -> None:
        columns = [f"c{place}" for place in range(len(rows[0]))]
        self.database.execute(f"CREATE TEMP TABLE {name} ({', '.join(columns)})")
        self.database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
        self.database.commit()

    def _append(self, table: str, statement: str, rows: int) -> None:
        if not rows:
            return
        newest = self.database.execute(
            f"SELECT rowid, unixepoch(timestamp) FROM {table} ORDER BY rowid DESC LIMIT 1"
        ).fetchone()
        at, moment = newest or (rows, END)
        first = 1 + (newest[0] if newest else 0)
        span = {"first": first, "last": first + rows - 1, "at": at, "moment": moment, "step": STEPS[table]}
        self.database.execute(statement, span)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.generate", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--executions", type=int, default=10_000_000)
    parser.add_argument("--decisions", type=int, default=500_000)
    options = parser.parse_args()
    generate(options.path, options.executions, options.decisions)


if __name__ == "__main__":
    main()
