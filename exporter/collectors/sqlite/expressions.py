"""Pieces of SQL that clean one value inside SQLite: NULL where it is missing or cannot be used.

Numbers become integers in a fixed unit, so that sums do not depend on the order of adding. Their magnitude
is bounded by LIMIT, so that the sum over a range of MAX_ROWS rows cannot overflow.
"""

import sys

from exporter.metrics.labels import NAME_LENGTH

LIMIT = 2**50
MAX_ROWS = 4096
LARGEST = sys.float_info.max

MICRO = 10**6
SATOSHI = 10**8
NANO = 10**9

_DATE = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
_TIME = "[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
_FORMS = (f"{_DATE} {_TIME}", f"{_DATE}T{_TIME}.[0-9][0-9][0-9]Z")


def text(column: str) -> str:
    """A name as text; NULL for a BLOB."""
    return f"CASE WHEN typeof({column}) <> 'blob' THEN {column} END"


def name(column: str) -> str:
    """A label value's text, cut one character after the longest that may keep its name.

    For the groups that are given out, not for each row: it costs as much as the grouping.
    """
    return f"substr(CAST({column} AS TEXT), 1, {NAME_LENGTH + 1})"


def epoch_ms(column: str) -> str:
    """Milliseconds since 1970 of '2025-10-10 15:30:00' or '2025-10-10T15:30:00.000Z', both UTC.

    The two forms that the bot writes are tried first; others may have any fraction, and a Z or none.
    """
    is_form = " OR ".join(f"{column} GLOB '{form}'" for form in _FORMS)
    second = f"substr({column}, 1, 10) || ' ' || substr({column}, 12, 8)"
    # SQLite takes 30 February for 2 March, and 24:00.
    surely = f"substr({column}, 9, 2) <= '28' AND substr({column}, 12, 2) < '24'"
    exists = f"({surely} OR datetime({second}, '0 days') = {second})"
    is_other_form = (
        f"{column} GLOB '{_DATE}[ T]{_TIME}*' AND (substr({column}, 20) IN ('', 'Z') "
        f"OR {column} GLOB '*.[0-9]*' AND ltrim(substr({column}, 21), '0123456789') IN ('', 'Z') "
        f"AND substr({column}, 20, 1) = '.')"
    )
    fraction = f"CAST(substr(rtrim(substr({column}, 21), 'Z') || '000', 1, 3) AS INTEGER)"
    return (
        f"CASE WHEN typeof({column}) <> 'text' THEN NULL "
        f"WHEN ({is_form}) AND {exists} THEN {_ms(column)} "
        f"WHEN {is_other_form} AND {exists} THEN {_ms(second)} + {fraction} END"
    )


def _ms(moment: str) -> str:
    return f"CAST(round((julianday({moment}) - 2440587.5) * 86400000.0) AS INTEGER)"


def number(value: str, kind: str, unit: int | float, lowest: int = -LIMIT, highest: int = LIMIT) -> str:
    """A number in integer parts of 1/unit; `kind` is its typeof or json_type. Bounds are in those parts."""
    scaled = f"{value} * {float(unit)}"
    return (
        f"CASE WHEN {kind} IN ('integer', 'real') AND {scaled} BETWEEN {lowest} AND {highest} "
        f"THEN CAST(round({scaled}) AS INTEGER) END"
    )


def real(value: str, kind: str, lowest: float = -LARGEST) -> str:
    """A finite number as it is."""
    return (
        f"CASE WHEN {kind} IN ('integer', 'real') AND {value} BETWEEN {lowest!r} AND {LARGEST!r} "
        f"THEN {value} END"
    )


def finite(column: str) -> str:
    """A column's number as it is."""
    return f"CASE WHEN {_is_finite(column)} THEN {column} END"


def bad_finite(column: str) -> str:
    """1 where something is in the column that is no finite number, else 0."""
    return f"({column} IS NOT NULL AND NOT {_is_finite(column)})"


def _is_finite(column: str) -> str:
    # Not abs(), which fails for the lowest of all integers.
    return f"(typeof({column}) IN ('integer', 'real') AND {column} BETWEEN {-LARGEST!r} AND {LARGEST!r})"


def ratio(value: str, kind: str) -> str:
    """A ratio in 1e-9: up to 1 as it is, above 1 and up to 100 as percent."""
    return (
        f"CASE WHEN {kind} NOT IN ('integer', 'real') THEN NULL "
        f"WHEN {value} BETWEEN 0 AND 1 THEN CAST(round({value} * 1e9) AS INTEGER) "
        f"WHEN {value} BETWEEN 0 AND 100 THEN CAST(round({value} * 1e7) AS INTEGER) END"
    )


def json_kind(column: str) -> str:
    """The JSON type at the top of a column; NULL where it is missing or null, 'broken' where it is no JSON."""
    return (
        f"CASE WHEN {column} IS NULL THEN NULL WHEN typeof({column}) = 'blob' THEN 'broken' "
        f"WHEN json_valid({column}) THEN nullif(json_type({column}), 'null') ELSE 'broken' END"
    )


def json_member(column: str, kind: str, path: str) -> tuple[str, str]:
    """(value, type) of a member of a JSON object column; the type is NULL where it is missing or null.

    `kind` is the column's json_kind: no JSON function may see a broken text, it would fail the statement.
    """
    value = f"CASE WHEN {kind} = 'object' THEN json_extract({column}, '{path}') END"
    type_ = f"CASE WHEN {kind} = 'object' THEN nullif(json_type({column}, '{path}'), 'null') END"
    return value, type_


def unusable(kind: str, value: str) -> str:
    """1 where something is there (`kind` is not NULL) of which no `value` could be made, else 0."""
    return f"({kind} IS NOT NULL AND {value} IS NULL)"


def not_object(kind: str) -> str:
    """1 where a JSON column is there and is no object, else 0."""
    return f"coalesce({kind} <> 'object', 0)"


def cumulative(value: str, bounds: tuple[float, ...], unit: int) -> str:
    """Counts for a cumulative histogram of an integer in 1/unit: one for each bound, then all."""
    counts = [f"count(*) FILTER (WHERE {value} <= {round(bound * unit)})" for bound in bounds]
    return ", ".join([*counts, f"count({value})"])


def whole(value: str, kind: str) -> str:
    """A whole number that is not negative."""
    return (
        f"CASE WHEN {kind} IN ('integer', 'real') AND {value} BETWEEN 0 AND {LIMIT} "
        f"AND {value} = CAST({value} AS INTEGER) THEN CAST({value} AS INTEGER) END"
    )


def total(value: str) -> str:
    """The sum, 0 over nothing."""
    return f"coalesce(sum({value}), 0)"


def source(table: str, wanted: tuple[str, ...], present: frozenset[str]) -> str:
    """The rows of a range, as `row_id` and the wanted columns; NULL for a column that the table lacks.

    A range is the first :limit rows after row number :after, up to :upto.
    """
    return (
        f"{_select(table, wanted, present)} "
        "WHERE rowid > :after AND rowid <= :upto ORDER BY rowid LIMIT :limit"
    )


def chosen(table: str, wanted: tuple[str, ...], present: frozenset[str]) -> str:
    """As `source`, the rows whose numbers are in :row_ids, a JSON array."""
    return f"{_select(table, wanted, present)} WHERE rowid IN (SELECT value FROM json_each(:row_ids))"


def reach(rows: str, agent: str) -> str:
    """[name, time] of each agent's :window-th newest of `rows`; of those agents only that have so many there."""
    return f"""
SELECT json_group_array(json_array({name(agent)}, ms)) FROM (
  SELECT {agent}, ms, row_number() OVER (PARTITION BY {agent} ORDER BY ms DESC) AS place
  FROM (SELECT {text(agent)} AS {agent}, {epoch_ms("timestamp")} AS ms FROM ({rows}))
) WHERE place = :window
"""


def first_and_last(table: str, wanted: tuple[str, ...], present: frozenset[str]) -> str:
    """As `source`, row 1 and the newest row."""
    return f'{_select(table, wanted, present)} WHERE rowid IN (1, (SELECT max(rowid) FROM "{table}"))'


def newest(table: str, wanted: tuple[str, ...], present: frozenset[str]) -> str:
    """As `source`, the newest :limit rows."""
    return f"{_select(table, wanted, present)} ORDER BY rowid DESC LIMIT :limit"


def _select(table: str, wanted: tuple[str, ...], present: frozenset[str]) -> str:
    columns = ", ".join(f'"{column}"' if column in present else f'NULL AS "{column}"' for column in wanted)
    return f'SELECT rowid AS row_id, {columns} FROM "{table}"'
