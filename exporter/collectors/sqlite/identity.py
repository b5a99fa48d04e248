"""Whether a table still has the rows that were read: by its first row, the last one read, the highest number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.collectors.sqlite.schema import Schema, Shape, quoted


@dataclass(slots=True)
class Fingerprint:
    """(number, mark) of the first row that there was, and the mark of the last row that was read."""

    first_row: tuple[int, str] | None = None
    last_row: str | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """A table's ends as they are now; marks are None where the row is gone or too large to be looked at."""

    newest: int | None
    sequence: Any
    first_mark: str | None
    last_mark: str | None
    oldest: int | None
    oldest_mark: str | None


def mark(shape: Shape, identity: Iterable[str]) -> str:
    """SQL for what tells a row from another one in its place."""
    names = [quoted(shape.columns[column]) for column in identity]
    return " || ',' || ".join(f"quote(substr({name}, 1, 100))" for name in names) or "''"


NO_MARK = "NULL"
"""SQL for a mark of rows that are too large to be looked at."""


def survey(schema: Schema, marks: Mapping[str, str]) -> str:
    """SQL for the ends of all tables, as one JSON array; parameters are NAME_first and NAME_position."""
    parts = []
    for name, of_row in marks.items():
        shape = schema.tables[name]
        key, table = shape.key, shape.quoted
        sequence = (
            f"(SELECT seq FROM sqlite_sequence WHERE name = '{shape.name.replace(chr(39), chr(39) * 2)}')"
            if schema.has_sequence
            else "NULL"
        )
        # json(): what comes out of a sort, as of a view, is not known for JSON any more.
        parts.append(
            f"(SELECT json_array((SELECT max({key}) FROM {table}), {sequence}, "
            f"(SELECT {of_row} FROM {table} WHERE {key} = :{name}_first), "
            f"(SELECT {of_row} FROM {table} WHERE {key} = :{name}_position), "
            f"json((SELECT json_array({key}, {of_row}) FROM {table} ORDER BY {key} LIMIT 1))))"
        )
    return f"SELECT json_array({', '.join(parts)})"


def read_ends(found: list[Any]) -> Ends:
    """One table's part of what `survey` gives."""
    newest, sequence, first, last, oldest = found
    return Ends(newest, sequence, first, last, *(oldest or (None, None)))


def is_other(fingerprint: Fingerprint, position: int | None, ends: Ends) -> bool:
    """Whether rows that were read have been replaced, not only deleted.

    Of an AUTOINCREMENT table the sequence tells that row numbers went further than the rows that are left.
    """
    if position is None:
        return False
    known = [number for number in (ends.newest, ends.sequence) if isinstance(number, int)]
    first, last = fingerprint.first_row, fingerprint.last_row
    first_differs = first is not None and ends.first_mark not in (None, first[1])
    last_differs = last is not None and ends.last_mark not in (None, last)
    return max(known, default=position - 1) < position or first_differs or last_differs
