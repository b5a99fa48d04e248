"""Writing SQLite files in the layouts of real bots.

Declared types are those of the real layouts, since they decide what SQLite stores; NOT NULL and CHECK are
left out, so that everything can be written.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEY = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT"}
SEED = {
    "agent_executions": KEY
    | {
        "timestamp": "DATETIME DEFAULT CURRENT_TIMESTAMP",
        "agent_name": "VARCHAR(100)",
        "execution_type": "VARCHAR(50)",
        "input_data": "TEXT",
        "output_data": "TEXT",
        "success": "BOOLEAN DEFAULT 1",
        "execution_time_ms": "INTEGER",
        "error_message": "TEXT",
    },
    "agent_decisions": {
        "id": "VARCHAR(50) PRIMARY KEY",
        "timestamp": "DATETIME DEFAULT CURRENT_TIMESTAMP",
        "agent": "VARCHAR(100)",
        "type": "VARCHAR(100)",
        "context": "TEXT",
        "reasoning": "TEXT",
        "outcome": "TEXT",
        "agent_state": "TEXT",
        "system": "TEXT",
        "feedback": "TEXT",
    },
    "portfolio": {
        "id": "INTEGER PRIMARY KEY",
        "btc_balance": "REAL",
        "usd_balance": "REAL",
        "last_updated": "DATETIME",
    },
    "portfolio_history": {
        "timestamp": "DATETIME DEFAULT CURRENT_TIMESTAMP",
        "btc_balance": "REAL",
        "usd_balance": "REAL",
        "btc_price_usd": "REAL",
        "total_value_usd": "REAL",
    },
    "trades": {
        "timestamp": "DATETIME DEFAULT CURRENT_TIMESTAMP",
        "trade_type": "VARCHAR(4)",
        "amount_btc": "DECIMAL(10,8)",
        "price_usd": "DECIMAL(10,2)",
        "total_usd": "DECIMAL(12,2)",
        "agent_decision_reason": "TEXT",
        "executed_by": "VARCHAR(50)",
    },
    "market_data": {
        "timestamp": "DATETIME DEFAULT CURRENT_TIMESTAMP",
        "price_usd": "DECIMAL(10,2)",
        "volume_24h": "DECIMAL(15,2)",
        "price_change_24h": "DECIMAL(5,2)",
        "fear_greed_index": "INTEGER",
    },
}
UPSTREAM = SEED | {
    "portfolio_history": KEY | SEED["portfolio_history"],
    "trades": KEY | SEED["trades"] | {"fee_usd": "DECIMAL(8,2) DEFAULT 0", "market_conditions": "TEXT"},
    "market_data": KEY
    | SEED["market_data"]
    | {"market_cap": "DECIMAL(15,2)", "rsi_value": "DECIMAL(5,2)", "moving_avg_50": "DECIMAL(10,2)"},
    "system_config": {"key": "TEXT PRIMARY KEY", "value": "TEXT", "last_updated": "TIMESTAMP"},
    "system_commands": KEY
    | {
        "command": "TEXT",
        "parameters": "TEXT",
        "status": "TEXT DEFAULT 'pending'",
        "created_at": "TIMESTAMP",
    },
    "system_alerts": KEY
    | {"alert_type": "TEXT", "message": "TEXT", "level": "TEXT DEFAULT 'info'", "timestamp": "TIMESTAMP"},
}
LAYOUTS = (UPSTREAM, SEED)


@dataclass(frozen=True)
class TableRows:
    columns: Mapping[str, str]
    rows: list[dict[str, Any]]


def write_database(path: str, tables: Mapping[str, TableRows]) -> None:
    connection = sqlite3.connect(path)
    try:
        with connection:
            for name, table in tables.items():
                declared = ", ".join(f"{column} {type_}" for column, type_ in table.columns.items())
                connection.execute(f"CREATE TABLE {name} ({declared})")
                append_rows(connection, name, table.rows)
    finally:
        connection.close()


def append_rows(connection: sqlite3.Connection, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        if not row:
            connection.execute(f"INSERT INTO {name} DEFAULT VALUES")
            continue
        columns, places = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {name} ({columns}) VALUES ({places})", tuple(row.values()))


@dataclass(frozen=True)
class Patch:
    rowid: int
    document: str


def apply_patches(path: str, patches: Iterable[Patch]) -> None:
    """As the bot does it; an outcome that is no JSON cannot be patched and stays."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            for patch in patches:
                connection.execute(
                    "UPDATE agent_decisions SET outcome = json_patch(outcome, ?) "
                    "WHERE rowid = ? AND typeof(outcome) = 'text' AND json_valid(outcome)",
                    (patch.document, patch.rowid),
                )
    finally:
        connection.close()
