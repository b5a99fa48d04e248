"""One value at a time: from what SQLite or JSON holds to an integer in a fixed unit, or `UnusableError`."""

import json
import math
import re
import unicodedata
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

RATIO = 10**9
USD = 10**6
BTC = 10**12
MICROSECONDS = 10**6
MILLISECONDS = 10**3

LARGEST = 2**50
LONGEST_NAME = 128
UNKNOWN = "unknown"
OTHER = "other"

TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z| ?([+-])(\d\d):?(\d\d))?", re.ASCII
)
WHOLE = re.compile(r"(\d{10}|\d{13})(\.0+)?", re.ASCII)
DEEP_ARRAY = re.compile(r"(\[{100,})(\]{100,})")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnusableError(ValueError):
    """The value is there and cannot be used."""


def number(value: Any) -> int | float:
    """A finite JSON or SQL number as it is; a boolean, a text and a BLOB are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnusableError(value)
    return value


def not_negative(value: Any) -> int | float:
    found = number(value)
    if found < 0:
        raise UnusableError(value)
    return found


def round_half_away(value: int | float | Fraction) -> int:
    rounded = math.floor(abs(Fraction(value)) + Fraction(1, 2))
    return -rounded if value < 0 else rounded


def in_units(value: int | float, scale: int, largest: int = LARGEST) -> int:
    product = value * scale if isinstance(value, int) else value * float(scale)
    if not math.isfinite(product) or abs(round_half_away(product)) > largest:
        raise UnusableError(value)
    return round_half_away(product)


def ratio(value: Any) -> int:
    """Units of 1e-9: up to 1 as is, above 1 and up to 100 percent."""
    if 0 <= number(value) <= 1:
        return in_units(value, RATIO)
    if 1 < value <= 100:
        return in_units(value, RATIO // 100)
    raise UnusableError(value)


def duration(value: Any) -> int:
    """Microseconds, from milliseconds."""
    return in_units(not_negative(value), 1000)


def usd(value: Any) -> int:
    return in_units(not_negative(value), USD)


def btc(value: Any) -> int:
    return in_units(not_negative(value), BTC, LARGEST * 10**4)


def count(value: Any) -> int:
    if not_negative(value) != int(value):
        raise UnusableError(value)
    return in_units(int(value), 1)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnusableError(value)
    return value


def word(value: Any) -> str:
    """A name; a number is one, too."""
    return str(number(value)) if isinstance(value, int | float) else text(value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnusableError(value)
    return value


def array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UnusableError(value)
    return value


def zero_or_one(value: Any) -> bool:
    found = number(value)
    if found not in (0, 1):
        raise UnusableError(value)
    return found == 1


def side(value: Any) -> str:
    found = text(value)
    if found.upper() not in ("BUY", "SELL"):
        raise UnusableError(value)
    return found.lower()


def timestamp(value: Any) -> int:
    """Milliseconds since 1970; UTC where there is no offset; what follows the milliseconds is cut off."""
    if isinstance(value, int | float) or WHOLE.fullmatch(text(value)):
        return _whole_number(float(value))
    form = TIMESTAMP.fullmatch(value)
    if not form:
        raise UnusableError(value)
    day, time, fraction, sign, hours, minutes = form.groups()
    try:
        offset = f"{sign}{hours}:{minutes}" if sign else "+00:00"
        moment = datetime.fromisoformat(f"{day}T{time}{offset}")
    except ValueError:
        raise UnusableError(value) from None
    since = moment - EPOCH
    return (since.days * 86400 + since.seconds) * 1000 + int(((fraction or "") + "000")[:3])


def _whole_number(number: float) -> int:
    """Seconds or milliseconds of the years 2001 to 2286."""
    if number.is_integer() and 10**9 <= number < 10**10:
        return int(number) * 1000
    if number.is_integer() and 10**12 <= number < 10**13:
        return int(number)
    raise UnusableError(number)


def json_object(value: Any) -> dict[str, Any] | None:
    """Strict JSON of any depth, the last of duplicate keys, and only an object will do; null is None: missing."""
    shallow = DEEP_ARRAY.sub(_shallow_array, text(value))
    try:
        document = json.loads(shallow, parse_constant=_refuse, parse_int=_integer)
    except ValueError:
        raise UnusableError(value) from None
    if document is not None and not isinstance(document, dict):
        raise UnusableError(value)
    return document


def _shallow_array(found: re.Match[str]) -> str:
    """Python's parser is recursive. Such an array has one entry, however deep that is."""
    opened, closed = map(len, found.groups())
    return "[[]]" if opened == closed else found[0]


def _refuse(constant: str) -> None:
    raise UnusableError(constant)


def _integer(digits: str) -> int | float:
    """JavaScript has doubles only."""
    if len(digits) < 25 and -(2**63) <= int(digits) < 2**63:
        return int(digits)
    return float(digits)


def slugify(name: str) -> str:
    """Marks stay with the letter or digit that they follow."""
    lower = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())
    words = [""]
    for character in lower:
        category = unicodedata.category(character)
        if category[0] in "LN" or (category[0] == "M" and words[-1]):
            words[-1] += character
        else:
            words.append("")
    return "-".join(word for word in words if word)
