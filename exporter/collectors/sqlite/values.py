"""One value at a time: from what SQLite stored to what is added up, as integers in a fixed unit.

A cell is what `ranges` reads: None, int, float, str, or {} for what no JSON can hold (a BLOB, an infinite REAL).
A reader gives None for what is missing and UNUSABLE for what is there and cannot be used.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

MICRO = 10**6
NANO = 10**9
PICO = 10**12

LARGEST = 2**50
"""Of a number in its unit; what is above it is unusable."""
LARGEST_BTC = LARGEST * 10**4
OLDEST = -(2**62)
"""The moment, in milliseconds, of a row whose timestamp cannot be read: it sorts before all others."""

Cell = int | float | str | dict[str, Any] | None


class Unusable(Enum):
    """A type of one value, which a type checker can tell from all others."""

    UNUSABLE = "unusable"


UNUSABLE = Unusable.UNUSABLE

Reader = Callable[[Any], Any]


# Numbers


def rounded(value: int | float) -> int:
    """The nearest integer of a number that is not negative; a half rounds up."""
    whole = int(value)
    return whole + (value - whole >= 0.5)


def in_units(unit: int, largest: int = LARGEST) -> Reader:
    """Reads a number that is not negative, in integer parts of 1/unit."""

    def read(cell: Any) -> int | Unusable | None:
        if cell is None:
            return None
        if type(cell) not in (int, float) or cell < 0:
            return UNUSABLE
        scaled = cell * unit
        return rounded(scaled) if scaled <= largest else UNUSABLE

    return read


milliseconds = in_units(1000)
usd = in_units(MICRO)
btc = in_units(PICO, LARGEST_BTC)


def ratio(cell: Any) -> int | Unusable | None:
    """A ratio in 1e-9: up to 1 as it is, above 1 and up to 100 as percent."""
    if cell is None:
        return None
    if type(cell) is float or type(cell) is int:
        if 0 <= cell <= 1:
            return rounded(cell * 1e9)
        if 1 < cell <= 100:
            return rounded(cell * 1e7)
    return UNUSABLE


def finite(cell: Any) -> int | float | Unusable | None:
    """Any number that a float can hold, as it is stored."""
    if cell is None:
        return None
    return cell if _is_finite(cell) else UNUSABLE


def not_negative(cell: Any) -> int | float | Unusable | None:
    """As `finite`, but for negative numbers."""
    if cell is None:
        return None
    return cell if _is_finite(cell) and cell >= 0 else UNUSABLE


def _is_finite(cell: Any) -> bool:
    try:
        return type(cell) in (int, float) and isfinite(cell)
    except OverflowError:  # an integer beyond the floats
        return False


def whole(cell: Any) -> int | Unusable | None:
    """A whole number that is not negative."""
    if cell is None:
        return None
    if type(cell) in (int, float) and 0 <= cell <= LARGEST and cell == int(cell):
        return int(cell)
    return UNUSABLE


def zero_or_one(cell: Any) -> int | Unusable | None:
    """A boolean as SQLite stores it."""
    if cell is None:
        return None
    return int(cell) if cell in (0, 1) else UNUSABLE


# Words


def name(cell: Any) -> str | Unusable | None:
    """A name; a number is one, too."""
    if cell is None or type(cell) is str:
        return cell
    return UNUSABLE if type(cell) is dict else str(cell)


def side(cell: Any) -> str | Unusable | None:
    """buy or sell, in any case."""
    if cell is None:
        return None
    lower = cell.lower() if type(cell) is str else ""
    return lower if lower in ("buy", "sell") else UNUSABLE


# Time


_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", re.ASCII)
_REST = re.compile(r":([0-5]\d)(?:\.(\d+))?(?:Z| ?([+-])([01]\d|2[0-3]):?([0-5]\d))?", re.ASCII)
_NUMBER = re.compile(r"(\d{10}|\d{13})(?:\.0+)?", re.ASCII)


def moment(cell: Any) -> int | Unusable | None:
    """Milliseconds since 1970 of '2025-10-10 15:30:00' or '2025-10-10T15:30:00.000Z', both UTC.

    Also of such a text with an offset, and of a whole number of seconds or milliseconds of the years 2001 to 2286.
    Digits after the milliseconds are cut off.
    """
    if cell is None:
        return None
    if type(cell) is not str:
        return _of_number(cell)
    minute, rest = _minute_ms(cell[:16]), _rest_ms(cell[16:])
    if minute is None or rest is None:
        return _of_number(float(cell)) if _NUMBER.fullmatch(cell) else UNUSABLE
    return minute + rest


def _of_number(cell: Any) -> int | Unusable:
    if type(cell) not in (int, float) or cell != int(cell):
        return UNUSABLE
    if 10**9 <= cell < 10**10:
        return int(cell) * 1000
    return int(cell) if 10**12 <= cell < 10**13 else UNUSABLE


# Successive rows share their minute, and all rows the few ways in which a minute goes on.
@lru_cache(maxsize=1024)
def _minute_ms(text: str) -> int | None:
    if not _MINUTE.fullmatch(text):
        return None
    try:
        since = datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError:
        return None
    return (since.days * 86400 + since.seconds) * 1000


@lru_cache(maxsize=4096)
def _rest_ms(text: str) -> int | None:
    found = _REST.fullmatch(text)
    if found is None:
        return None
    second, fraction, sign, hours, minutes = found.groups()
    offset = (int(hours) * 60 + int(minutes)) * 60_000 if sign else 0
    ms = int(second) * 1000 + int(((fraction or "") + "000")[:3])
    return ms + offset if sign == "-" else ms - offset


def seconds(ms: int | None) -> float | None:
    """Seconds since 1970 of milliseconds; None where a moment is not known."""
    return None if ms is None or ms == OLDEST else ms / 1000


# JSON


LEVELS = 100
"""Deeper than anything that is read here."""
_BRACKET_OR_STRING = re.compile(r'[\[\]{}]|"(?:[^"\\]+|\\.?)*"?', re.DOTALL)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 25 else float(digits)


_parse_at_once = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer).decode


def parse_json(text: str) -> Any:
    """As Node's JSON.parse: the last of two equal keys, no NaN, numbers as doubles. ValueError where it throws.

    Where the text is nested too deeply for Python's parser, what is over LEVELS deep reads as null.
    """
    try:
        return _parse_at_once(text)
    except RecursionError:
        return _parse_deep(text)


def _parse_deep(text: str) -> Any:
    """Parses pieces of LEVELS levels, the innermost first; each is null in the piece around it."""
    pieces: list[list[str]] = [[]]
    level = start = 0
    for found in _BRACKET_OR_STRING.finditer(text):
        opens, closes = found[0] in "[{", found[0] in "]}"
        level += opens
        if (opens or closes) and level > 0 and level % LEVELS == 0:
            end = found.start() if opens else found.end()
            pieces[-1].append(text[start:end])
            start = end
            if opens:
                pieces.append([])
            else:
                _parse_at_once("".join(pieces.pop()))
                pieces[-1].append("null")
        level -= closes
    return _parse_at_once("".join(pieces.pop()) + text[start:])


def json_object(*members: str) -> Reader:
    """Reads some members of a JSON object into an object with these attributes; None where one is missing.

    msgspec reads only them, strictly; what it refuses is read again as JSON.parse does.
    """
    shape = msgspec.defstruct("Members", [(member, Any, None) for member in members])
    decode = msgspec.json.Decoder(shape).decode

    def read(cell: Any) -> Any:
        if cell is None:
            return None
        if type(cell) is not str:
            return UNUSABLE
        try:
            return decode(cell)
        except (msgspec.DecodeError, RecursionError):
            return read_again(cell)

    def read_again(cell: str) -> Any:
        try:
            document = parse_json(cell)
        except ValueError:
            return UNUSABLE
        if document is None:
            return None
        if type(document) is not dict:
            return UNUSABLE
        return shape(**{member: document.get(member) for member in members})

    return read


def boolean(value: Any) -> bool | Unusable | None:
    """A JSON boolean."""
    return value if value is None or type(value) is bool else UNUSABLE


def array(value: Any) -> list[Any] | Unusable | None:
    """A JSON array."""
    return value if value is None or type(value) is list else UNUSABLE


def length(value: Any) -> int | Unusable | None:
    """How many entries a JSON array has."""
    if value is None:
        return None
    return len(value) if type(value) is list else UNUSABLE
