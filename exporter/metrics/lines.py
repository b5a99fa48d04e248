"""The lines of declared families: the same bytes as prometheus-client's, in a fraction of its time.

Only what a declaration can lead to is written here. Whatever is unusual raises, and is prometheus-client's to write.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from exporter.metrics.catalogue import Family
from exporter.metrics.samples import SUFFIXES, HistogramValue, Row, has_sum

EXEMPLAR_CHARACTERS = 128
"""Of label names and values together: what OpenMetrics 1.0 allows; Prometheus drops exemplars with more."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
# From here on Go writes an exponent.
_MILLION = 1_000_000
_MINUS_INFINITY = float("-inf")


class UnusualError(Exception):
    """Not written here: prometheus-client knows how, or that it cannot be written."""


class FamilyLines:
    """Writes the lines of one family in one format: a row is a template, filled with its label values and numbers."""

    def __init__(self, family: Family, openmetrics: bool) -> None:
        if not _is_regular(family):
            raise UnusualError(family.name)
        self.head = _head(family, openmetrics)
        self._openmetrics = openmetrics
        self._is_histogram = family.kind == "histogram"
        self._has_sum = self._is_histogram and has_sum(family)
        self._labels = len(family.labels)
        series = _histogram_series(family) if self._is_histogram else [_series(family.name, family.labels)]
        self.per_row = len(series)
        """How many lines a row takes."""
        numbers = range(self._labels, self._labels + len(series))
        self._template = "".join(
            f"{each} {{{number}}}\n" for each, number in zip(series, numbers, strict=True)
        )

    def rows(self, rows: Iterable[Row]) -> str:
        """The lines of `rows`, without the head."""
        return "".join([self._row(values, value) for values, value in rows])

    def _row(self, values: tuple[str, ...], value: float | HistogramValue) -> str:
        numbers = self._of_histogram(value) if isinstance(value, HistogramValue) else (_number(value),)
        if len(values) != self._labels or len(numbers) != self.per_row:
            raise UnusualError(values)
        return self._template.format(*map(_escaped, values), *numbers)

    def _of_histogram(self, value: HistogramValue) -> Sequence[str]:
        numbers = [
            f"{count}.0" if type(count) is int and 0 <= count < _MILLION else _number(count)
            for count in value.counts
        ]
        if self._openmetrics and value.exemplars:
            exemplars = map(value.exemplars.get, range(len(numbers)))
            numbers = [
                count + _exemplar(exemplar) for count, exemplar in zip(numbers, exemplars, strict=True)
            ]
        if self._has_sum:
            numbers += (_number(value.counts[-1]), _number(value.total))
        return numbers


@lru_cache(maxsize=1024)
def lines_of(family: Family, openmetrics: bool) -> FamilyLines:
    """What writes the family; UnusualError if its declaration is not one of the usual kind."""
    return FamilyLines(family, openmetrics)


def exemplar_fits(labels: Mapping[str, str]) -> bool:
    """Whether Prometheus would take an exemplar with these labels."""
    return sum(len(name) + len(value) for name, value in labels.items()) <= EXEMPLAR_CHARACTERS


def _is_regular(family: Family) -> bool:
    is_histogram = family.kind == "histogram"
    labels = [*family.labels, *["le"] * is_histogram]
    return (
        _NAME.fullmatch(family.name) is not None
        and all(map(_LABEL.fullmatch, labels))
        and len(set(labels)) == len(labels)
        and family.name.endswith(SUFFIXES.get(family.kind, ""))
        and bool(family.buckets) == is_histogram
    )


def _head(family: Family, openmetrics: bool) -> str:
    if openmetrics:
        name = family.name.removesuffix(SUFFIXES.get(family.kind, ""))
        return f"# HELP {name} {_escaped(family.help)}\n# TYPE {name} {family.kind}\n"
    kind = "gauge" if family.kind == "info" else family.kind
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {kind}\n"


def _series(name: str, labels: tuple[str, ...], bound: str | None = None) -> str:
    """A template of a series: labels sorted by name, each value a slot by its position."""
    texts = {label: f'{label}="{{{position}}}"' for position, label in enumerate(labels)}
    if bound is not None:
        texts["le"] = f'le="{bound}"'
    return name + ("{{" + ",".join(texts[label] for label in sorted(texts)) + "}}" if texts else "")


def _histogram_series(family: Family) -> list[str]:
    bounds = [*map(floatToGoString, family.buckets), "+Inf"]
    ends = ("_count", "_sum") if has_sum(family) else ()
    return [_series(f"{family.name}_bucket", family.labels, bound) for bound in bounds] + [
        _series(family.name + end, family.labels) for end in ends
    ]


# The same names and types come in each family.
@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    """As Go writes it."""
    if type(value) is int and 0 <= value < _MILLION:
        return f"{value}.0"
    if type(value) is float and _MINUS_INFINITY < value < _MILLION:
        return repr(value)
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    moment = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    return _exemplar_text(tuple(exemplar.labels.items()), exemplar.value, moment)


# Most exemplars stay from page to page. A number is not the text of an equal one of another type.
@lru_cache(maxsize=4096, typed=True)
def _exemplar_text(labels: tuple[tuple[str, str], ...], value: float, moment: str) -> str:
    if not exemplar_fits(dict(labels)):
        return ""
    names = ",".join([f'{name}="{_escaped(text)}"' for name, text in sorted(labels)])
    return f" # {{{names}}} {_number(value)}{moment}"
