"""A page as the same mapping as `expected`, and how the two differ."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics import catalogue

from .table import Key

PARTS = ("_bucket", "_count", "_sum")
EXACT = ("_total", *PARTS, "_timestamp_seconds")
CLOSE = 1e-12
ROUNDED = {"tweetbot_recent_success_upper_bound_ratio": 1e-9}
"""How far a gauge may be off that is exported with fewer digits than a float has."""

NOT_COMPARED = frozenset(
    f"tweetbot_database_{name}"
    for name in (
        "unread_rows",
        "rewrites_total",
        "replacements_total",
        "size_bytes",
        "wal_bytes",
        "read_duration_seconds",
    )
)
"""What is of the reading and not of the file; everything else that source 1 delivers is compared."""
FAMILIES = (
    frozenset(
        family.name
        for family in catalogue.FAMILIES
        if family.collector == "database" or family.name.startswith("tweetbot_database_")
    ).union(["tweetbot_label_overflow_total"])
    - NOT_COMPARED
)


def parse(text: str) -> dict[Key, float]:
    """A page in the text format; a sample that is there twice is an error."""
    return samples_of(text_string_to_metric_families(text))


def samples_of(metrics: Iterable[Metric]) -> dict[Key, float]:
    """As `parse`, of what is not encoded yet."""
    samples: dict[Key, float] = {}
    for metric in metrics:
        for sample in metric.samples:
            if sample.name.endswith("_created"):
                continue
            key = (sample.name, tuple(sorted(_with_plain_bound(sample.labels).items())))
            if key in samples:
                raise ValueError(f"twice on the page: {_spelt(key)}")
            samples[key] = sample.value
    return samples


def _with_plain_bound(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Bounds from 1e6 on are written as Go does."""
    return {
        name: str(float(value)) if name == "le" and value != "+Inf" else value
        for name, value in labels.items()
    }


def difference(
    page: Mapping[Key, float], expected: Mapping[Key, float], only: Iterable[str] | None = None
) -> list[str]:
    """What is missing, unexpected or different, a line each; `only` names the families to look at.

    Counters, histograms and moments must be equal to the last bit, other gauges within 1e-12, or ROUNDED. More columns
    than the oracle's may have a malformed counter, as long as it is 0.
    """
    families = FAMILIES if only is None else frozenset(only)
    here = {key: value for key, value in page.items() if family(key[0]) in families}
    there = {key: value for key, value in expected.items() if family(key[0]) in families}
    missing = [f"missing: {_spelt(key)} {there[key]}" for key in there if key not in here]
    unexpected = [
        f"unexpected: {_spelt(key)} {here[key]}"
        for key in here
        if key not in there and not _harmless(key, here[key])
    ]
    differing = [
        f"differs: {_spelt(key)} is {here[key]!r}, should be {there[key]!r}"
        for key in there
        if key in here and not same(key[0], here[key], there[key])
    ]
    return [*missing, *unexpected, *differing]


def family(sample: str) -> str:
    """Of a histogram's part, the histogram."""
    for part in PARTS:
        if sample.endswith(part) and sample.removesuffix(part) in FAMILIES:
            return sample.removesuffix(part)
    return sample


def same(name: str, value: float, other: float) -> bool:
    if name.endswith(EXACT):
        return value == other
    return math.isclose(value, other, rel_tol=CLOSE, abs_tol=ROUNDED.get(name, CLOSE))


def _harmless(key: Key, value: float) -> bool:
    return key[0] == "tweetbot_database_malformed_values_total" and value == 0


def _spelt(key: Key) -> str:
    labels = ",".join(f'{name}="{value[:80]}"' for name, value in key[1])
    return f"{key[0]}{{{labels}}}"
