"""Pages, their differences, and the oracle over any file at all."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .expected import expected
from .files import TableRows, apply_patches, write_database
from .page import FAMILIES, difference, family, parse
from .rows import databases, random_patches
from .table import Key

MONDAY = 1760313600.0  # 2025-10-13 00:00:00 UTC
BRIEF = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def page_of(samples: Mapping[Key, float]) -> str:
    """Plain text of a page, written by hand."""

    def escaped(value: str) -> str:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")

    def line(key: Key, value: float) -> str:
        labels = ",".join(f'{name}="{escaped(text)}"' for name, text in key[1])
        return f"{key[0]}{{{labels}}} {value!r}\n" if labels else f"{key[0]} {value!r}\n"

    return "".join(line(key, value) for key, value in samples.items())


@BRIEF
@given(databases())
def test_any_file_has_an_answer_which_survives_a_page(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, TableRows]
) -> None:
    path = str(tmp_path_factory.mktemp("any") / "bot.db")
    write_database(path, tables)
    found = expected(path, now=MONDAY)
    assert {family(name) for name, _ in found} <= FAMILIES
    for name, table in tables.items():
        assert found["tweetbot_database_rows_total", (("table", name),)] == len(table.rows)
    assert parse(page_of(found)) == found


@BRIEF
@given(databases(whole=True), st.data())
def test_patched_outcomes_stay_readable(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, TableRows], data: st.DataObject
) -> None:
    path = str(tmp_path_factory.mktemp("patched") / "bot.db")
    write_database(path, tables)
    before = expected(path, now=MONDAY)
    apply_patches(path, data.draw(random_patches(len(tables["agent_decisions"].rows))))
    after = expected(path, now=MONDAY)
    changed = {family(line.split()[1].split("{")[0]) for line in difference(after, before)}
    assert all("decision" in name or "actual_result" in name or "malformed" in name for name in changed)


def test_differences_are_named() -> None:
    total, gauge = (
        ("tweetbot_trades_total", (("agent", "a"), ("side", "buy"))),
        ("tweetbot_market_price_usd", ()),
    )
    bytes_ = ("tweetbot_database_size_bytes", ())
    column = ("tweetbot_database_malformed_values_total", (("column", "price_usd"), ("table", "trades")))
    wanted = {total: 3.0, gauge: 1.0}
    assert difference({total: 3.0, gauge: 1.0 + 1e-13, bytes_: 9.0, column: 0.0}, wanted) == []
    assert difference({total: 3.0000000000000004, column: 1.0}, wanted) == [
        "missing: tweetbot_market_price_usd{} 1.0",
        'unexpected: tweetbot_database_malformed_values_total{column="price_usd",table="trades"} 1.0',
        'differs: tweetbot_trades_total{agent="a",side="buy"} is 3.0000000000000004, should be 3.0',
    ]
    assert difference({gauge: 1.0}, wanted, only=["tweetbot_market_price_usd"]) == []


def test_a_sample_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice on the page"):
        parse("tweetbot_market_price_usd 1\ntweetbot_market_price_usd 1\n")
