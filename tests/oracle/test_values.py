"""Single values: what is usable, and as what."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import rows, values


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01 00:00:01", 1000),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01 00:00:01.98765", 1987),
        ("1969-12-31 23:59:59.250", -750),
        ("2024-02-29 00:00:00", 1709164800000),
        ("1970-01-01T02:00:01+02:00", 1000),
        ("1970-01-01 02:00:01.5 +02:00", 1500),
        ("1969-12-31 18:30:00 -0530", 0),
        (1000000000, 1000000000000),
        (9999999999.0, 9999999999000),
        (1000000000000, 1000000000000),
        ("1760110200", 1760110200000),
        ("1760110200123.0", 1760110200123),
    ],
)
def test_a_timestamp_is_read_to_the_millisecond(text: str | float, milliseconds: int) -> None:
    assert values.timestamp(text) == milliseconds


@pytest.mark.parametrize("value", [value for value in rows.NO_MOMENTS if value is not None])
def test_what_is_no_timestamp(value: Any) -> None:
    with pytest.raises(values.UnusableError):
        values.timestamp(value)


@pytest.mark.parametrize(
    ("value", "units"),
    [(0, 0), (1, 10**9), (0.85, 850_000_000), (85, 850_000_000), (100, 10**9), (1.5, 15_000_000), (-0.0, 0)],
)
def test_a_ratio_may_be_percent(value: float, units: int) -> None:
    assert values.ratio(value) == units


@pytest.mark.parametrize("value", [-0.001, 100.5, True, "0.5", float("inf"), float("-inf"), [], {}, b"1"])
def test_what_is_no_ratio(value: Any) -> None:
    with pytest.raises(values.UnusableError):
        values.ratio(value)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (2.4999, 2), (-2, -2)]
)
def test_half_rounds_away_from_zero(value: float, rounded: int) -> None:
    assert values.round_half_away(value) == rounded


def test_the_largest_usable_number_of_units() -> None:
    assert values.count(2**50) == 2**50
    with pytest.raises(values.UnusableError):
        values.count(2**50 + 1)


@given(
    st.sampled_from([text for text in rows.BROKEN if isinstance(text, str)])
    | rows.any_literals.map('{{"a":{}}}'.format)
)
def test_json_is_what_sqlite_takes_for_json(text: str) -> None:
    valid = "SELECT iif(json_valid(:text), json_type(:text) IN ('object', 'null'), 0)"
    with closing(sqlite3.connect(":memory:")) as connection:
        (usable,) = connection.execute(valid, {"text": text}).fetchone()
    try:
        values.json_object(text)
    except values.UnusableError:
        assert not usable
    else:
        assert usable


def test_a_json_null_is_missing() -> None:
    assert values.json_object(" null ") is None
