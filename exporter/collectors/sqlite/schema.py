"""Which of our tables a file has, in what form, and which of their columns: identifiers have no case in SQLite."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.connection import TooLongError

NAMES_SHOWN = 10

ReadRow = Callable[[str, Mapping[str, Any]], Awaitable[tuple[Any, ...]]]
"""The one row of a statement; raises what the connection raises."""

# What differs whenever the schema of our tables does, also where another file is copied over this one.
VERSION = """
SELECT (SELECT schema_version FROM pragma_schema_version), (
  SELECT json_group_array(sql) FROM sqlite_master WHERE lower(name) IN (SELECT value FROM json_each(:names)))
"""
# [name, type, sql] of each table or view with one of the names, in lower case.
FOUND = """
SELECT json_group_array(json_array(name, type, sql)) FROM sqlite_master
WHERE type IN ('table', 'view') AND lower(name) IN (SELECT value FROM json_each(:names))
"""
OTHERS = """
SELECT json_group_array(name) FROM (
  SELECT substr(name, 1, 100) AS name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name LIMIT :limit)
"""
# [name, type, place in the primary key] of each column, generated ones included.
COLUMNS = """
SELECT json_group_array(json_array(name, upper(type), pk)) FROM pragma_table_xinfo(:table) WHERE hidden <> 1
"""

_WITHOUT_ROWID = re.compile(r"\bWITHOUT\s+ROWID\b[^)]*\Z", re.IGNORECASE)
ROW_NUMBERS = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as the file has it.

    `key` is the SQL expression of the row number, empty where there is none; `columns` are the columns' own
    spellings by their names in lower case; `has_integer_key` says that VACUUM cannot renumber the rows.
    """

    name: str
    key: str
    columns: Mapping[str, str]
    has_integer_key: bool

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return quoted(self.name)

    def with_former(self, names: Mapping[str, str]) -> "Shape":
        """With columns that it has under a former name, by the name that is used now."""
        former = {
            name: self.columns[before]
            for name, before in names.items()
            if name not in self.columns and before in self.columns
        }
        return replace(self, columns={**self.columns, **former})


@dataclass(frozen=True, slots=True)
class Schema:
    """Our tables by the names used here; those that cannot be read, with the reason."""

    tables: Mapping[str, Shape] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    has_sequence: bool = False
    others: tuple[str, ...] = ()
    """Some names of the file's tables, where none is ours."""


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


async def read_schema(row: ReadRow, growing: Iterable[str], live: Iterable[str]) -> Schema:
    """What the file has of the tables. A growing table needs row numbers to be read by, a live one does not."""
    wanted = dict.fromkeys(growing, True) | dict.fromkeys(live, False)
    names = json.dumps([*wanted, "sqlite_sequence"])
    (found,) = await row(FOUND, {"names": names})
    tables: dict[str, Shape] = {}
    unreadable: dict[str, str] = {}
    has_sequence = False
    for name, kind, sql in json.loads(found):
        ours = name.lower()
        if ours == "sqlite_sequence":
            has_sequence = True
            continue
        try:
            shape = await _read_shape(row, name, kind, sql)
        except _UnreadableError as error:
            unreadable[ours] = str(error)
            continue
        if wanted[ours] and not shape.key:
            unreadable[ours] = (
                "has no row numbers (it is WITHOUT ROWID or a view, and has no whole numbers as id)"
            )
        else:
            tables[ours] = shape
    others: list[str] = []
    if not tables and not unreadable:
        (text,) = await row(OTHERS, {"limit": NAMES_SHOWN})
        others = json.loads(text)
    return Schema(tables, unreadable, has_sequence, tuple(others))


class _UnreadableError(Exception):
    """The table is there, and SQLite itself cannot read it."""


async def _read_shape(row: ReadRow, name: str, kind: str, sql: str) -> Shape:
    (found,) = await _attempted(row, COLUMNS, {"table": name})
    described = json.loads(found)
    columns = {column.lower(): column for column, *_ in described}
    keys = [type_ for _, type_, place in described if place]
    numbers = [number for number in ROW_NUMBERS if number not in columns]
    if kind == "table" and numbers and not _WITHOUT_ROWID.search(sql):
        return Shape(name, numbers[0], columns, has_integer_key=keys == ["INTEGER"])
    key = await _integer_id(row, name, {column.lower(): (column, type_) for column, type_, _ in described})
    return Shape(name, key, columns, has_integer_key=True)


async def _integer_id(row: ReadRow, name: str, columns: Mapping[str, tuple[str, str]]) -> str:
    """The column `id` where all of its values are whole numbers, so that it can stand for the row number."""
    if "id" not in columns:
        return ""
    spelling, type_ = columns["id"]
    key, table = quoted(spelling), quoted(name)
    ends = f"SELECT typeof((SELECT min({key}) FROM {table})), typeof((SELECT max({key}) FROM {table}))"
    found = set(await _attempted(row, ends, {}))
    return key if found == {"integer"} or (found == {"null"} and "INT" in type_) else ""


async def _attempted(row: ReadRow, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """A statement about one table: where SQLite cannot make sense of the table, the others can still be read."""
    try:
        return await row(statement, parameters)
    except TooLongError as error:
        raise _UnreadableError("takes too long to look at") from error
    except CollectorError as error:
        if getattr(error.__cause__, "sqlite_errorname", "") != "SQLITE_ERROR":
            raise
        raise _UnreadableError(f"cannot be read by SQLite: {error.__cause__}") from error
