"""What an exporter has counted that follows a file through its changes, kept as plain rows.

A row counts when it is first seen, as it is then. It is recognised by its number and by the columns that never change;
a decision by its id. A table whose rows are no longer those that were seen starts anew, and mostly all others with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .expected import LIVE, READ
from .table import Table, rowid

IDENTITIES = {
    "agent_executions": ("timestamp", "agent_name", "execution_type", "execution_time_ms"),
    "agent_decisions": ("id", "timestamp", "agent"),
    "portfolio_history": ("timestamp", "btc_price_usd", "total_value_usd"),
    "trades": ("timestamp", "trade_type", "amount_btc", "total_usd"),
    "market_data": ("timestamp", "price_usd"),
    "system_alerts": ("timestamp", "alert_type", "level"),
}
Row = dict[str, Any]


@dataclass
class Account:
    """One table that grows: its rows in the order in which they were counted."""

    identity: tuple[str, ...]
    columns: frozenset[str]
    rows: list[Row] = field(default_factory=list)
    seen: dict[int, Row] = field(default_factory=dict)
    by_id: dict[Any, Row] = field(default_factory=dict)
    position: int | None = None
    ends: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The marks of the first row and of the last one counted, as they were at the last look."""
    others: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The marks of rows that are now in the place of some that were counted."""
    new_others: bool = False
    """Whether there are any since the look before."""

    def mark(self, row: Row) -> tuple[str, ...]:
        return tuple(_short(row.get(column)) for column in self.identity)

    def is_same(self, row: Row) -> bool:
        return self.mark(self.seen[rowid(row)]) == self.mark(row)


def _ours(table: Table) -> frozenset[str]:
    """Its columns that are read."""
    ours = {*READ[table.name], *IDENTITIES[table.name], "error_message"}
    return frozenset(ours.intersection(table.columns))


def _short(cell: Any) -> str:
    return repr(cell[:100] if isinstance(cell, str | bytes) else cell)


class Ledger:
    """All tables of one file."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def new_others(self) -> set[str]:
        """The tables in which rows were found to be others at the last look."""
        return {name for name, account in self.accounts.items() if account.new_others}

    def forget(self) -> None:
        """The file is another one."""
        self.accounts = {}

    def look(self, tables: Mapping[str, Table], sequences: Mapping[str, int], now: float) -> dict[str, Table]:
        """Takes the file as it is: tables in which also those rows are that were counted and are gone."""
        growing = {name: table for name, table in tables.items() if name not in LIVE and table.is_numbered}
        self._drop_lost(growing)
        self._restart_others(growing, sequences)
        counted = {name: table for name, table in tables.items() if name in LIVE}
        for name, table in growing.items():
            columns = _ours(table)
            identity = tuple(column for column in IDENTITIES[name] if column in columns)
            account = self.accounts.setdefault(name, Account(identity, columns))
            account.columns = columns
            _take(account, table, now)
            counted[name] = Table(name, table.columns, account.rows)
            counted[name].there = table.rows
        return counted

    def _drop_lost(self, growing: Mapping[str, Table]) -> None:
        lost = [
            name
            for name, account in self.accounts.items()
            if name not in growing or not account.columns <= _ours(growing[name])
        ]
        for name in lost:
            del self.accounts[name]

    def _restart_others(self, growing: Mapping[str, Table], sequences: Mapping[str, int]) -> None:
        other = [
            name
            for name, account in self.accounts.items()
            if _is_other(account, growing[name], sequences.get(name))
        ]
        if not other:
            return
        vouched = any(
            _vouches(account, growing[name]) and growing[name].has_integer_key
            for name, account in self.accounts.items()
            if name not in other
        )
        renumbered = vouched and not any(growing[name].has_integer_key for name in other)
        for name in other if renumbered else [*self.accounts]:
            del self.accounts[name]


def _vouches(account: Account, table: Table) -> bool:
    return any(rowid(row) in account.ends for row in table.rows)


def _is_other(account: Account, table: Table, sequence: int | None) -> bool:
    if account.position is None:
        return False
    highest = max(
        [rowid(row) for row in table.rows] + ([sequence] if sequence is not None else []), default=None
    )
    if highest is None or highest < account.position:
        return True
    return any(account.ends.get(rowid(row), account.mark(row)) != account.mark(row) for row in table.rows)


def _take(account: Account, table: Table, now: float) -> None:
    there = {rowid(row): row for row in table.rows}
    oldest = min(there, default=None)
    if oldest is not None:
        account.seen = {number: row for number, row in account.seen.items() if number >= oldest}
    others = {
        number: account.mark(row)
        for number, row in there.items()
        if number in account.seen and not account.is_same(row)
    }
    account.new_others = any(account.others.get(number) != mark for number, mark in others.items())
    account.others = others
    position = account.position
    new = [number for number in sorted(there) if number not in account.seen]
    above = [number for number in new if position is None or number > position]
    for number in [*above, *(number for number in new if number not in above)]:
        _count(account, table, there[number], now)
    account.position = max([*above[-1:], *([] if position is None else [position])], default=None)
    ends = [number for number in (oldest, account.position) if number in there]
    account.ends = {number: account.mark(there[number]) for number in ends if number is not None}
    for row in account.rows:
        now_there = there.get(rowid(row))
        is_there = now_there is not None and account.seen.get(rowid(row)) is row
        row["the row is gone"] = not is_there
        if table.name == "agent_decisions" and now_there is not None and is_there:
            _see_outcome(row, now_there)


def _count(account: Account, table: Table, row: Row, now: float) -> None:
    id_ = _id(row) if table.name == "agent_decisions" else None
    known = account.by_id.get(id_) if id_ is not None else None
    if known is not None:
        account.seen.pop(rowid(known), None)
        known["the rowid"] = rowid(row)
        _see_outcome(known, row)
        account.seen[rowid(row)] = known
        return
    counted = {**row, "the moment": now, "the outcomes": [row.get("outcome")]}
    account.rows.append(counted)
    account.seen[rowid(row)] = counted
    if id_ is not None:
        account.by_id[id_] = counted


def _id(row: Row) -> str | None:
    return None if row.get("id") is None or isinstance(row["id"], bytes) else str(row["id"])


def _see_outcome(row: Row, now_there: Row) -> None:
    cell = now_there.get("outcome")
    if cell != row["the outcomes"][-1] or type(cell) is not type(row["the outcomes"][-1]):
        row["the outcomes"].append(cell)
