"""Which format and coding of a page the client wants, by its Accept and Accept-Encoding headers."""

import re
from collections.abc import Iterator

from exporter.metrics.exposition import OPENMETRICS, OPENMETRICS_DRAFT, TEXT, Format

# By our preference, where the client has none.
_FORMATS = (TEXT, OPENMETRICS, OPENMETRICS_DRAFT)

_LIST_ITEM = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_Q = re.compile(r"0(\.[0-9]*)?|\.[0-9]+|1(\.0*)?")


def _items(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Value, parameters and quality of each well-formed item of an Accept-like header."""
    for item in _LIST_ITEM.findall(header):
        value, *rest = [part.strip() for part in _PARAMETER.findall(item)] or [""]
        parameters = {}
        for part in rest:
            name, _, content = part.partition("=")
            parameters[name.strip().lower()] = content.strip().strip('"')
        quality = parameters.pop("q", "1")
        if value and _Q.fullmatch(quality):
            yield value.lower(), parameters, float(quality)


def choose_format(accept: str) -> Format:
    """The format that the Accept header (several: joined by commas) ranks highest; text for all else.

    Never refuses: a client that accepts nothing of ours gets text, as Prometheus's own exporters do.
    """
    ranges = [
        (value, parameters.get("version"), quality, position)
        for position, (value, parameters, quality) in enumerate(_items(accept))
    ]
    best, best_rank = TEXT, (0.0, 0, 0)
    for offered in _FORMATS:
        # The most specific range speaks for a format, whatever wider ones say (RFC 9110, 12.5.1).
        matches = [
            (precision, -position, quality)
            for value, version, quality, position in ranges
            if (precision := _precision(offered, value, version))
        ]
        precision, position, quality = max(matches, default=(0, 0, 0.0))
        if quality > 0 and (quality, precision, position) > best_rank:
            best, best_rank = offered, (quality, precision, position)
    return best


def _precision(offered: Format, value: str, version: str | None) -> int:
    """How closely a range matches the format; 0 if not at all."""
    if value == offered.media_type:
        return {None: 3, offered.version: 4}.get(version, 0)
    if value == offered.media_type.partition("/")[0] + "/*":
        return 2
    return 1 if value == "*/*" else 0


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is accepted and not liked less than no coding at all."""
    quality = {value.replace("x-gzip", "gzip"): each for value, _, each in _items(accept_encoding)}
    accepted = quality.get("gzip", quality.get("*", 0.0))
    return accepted > 0 and accepted >= quality.get("identity", 0.0)
