"""The parts of source 1 that know no file, each against a plain model of it."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.collectors.sqlite import fifo as fifo_module
from exporter.collectors.sqlite import ranges as ranges_module
from exporter.collectors.sqlite import rewrites as rewrites_module
from exporter.collectors.sqlite.fifo import Fifo, divided
from exporter.collectors.sqlite.known_ids import FIRST_SIZE, KnownIds
from exporter.collectors.sqlite.ranges import HIGHEST, LOWEST, Covered
from exporter.collectors.sqlite.rewrites import BLOCK, Rewrites
from exporter.collectors.sqlite.values import OLDEST


def saved(dumped: Any) -> Any:
    """As it comes back from the document that totals are saved in."""
    return cbor2.loads(cbor2.dumps(dumped))


# Which row numbers were read

numbers = st.integers(-20, 60) | st.sampled_from([LOWEST, LOWEST + 1, HIGHEST - 1, HIGHEST])
ranges = st.lists(numbers, min_size=1, max_size=8, unique=True).map(sorted)


def covered_by(added: Sequence[Sequence[int]]) -> Covered:
    covered = Covered()
    for row_ids in added:
        covered.add(row_ids)
    return covered


@given(st.lists(ranges, min_size=1, max_size=8))
def test_what_was_read_and_what_lies_between(added: list[list[int]]) -> None:
    covered, read = covered_by(added), {number for row_ids in added for number in row_ids}
    near = {number + step for number in read for step in (-1, 0, 1)}
    assert {number for number in near if covered.has(number)} == read
    gaps = covered.next_gaps(100, min(read))
    assert {number for number in near - read if min(read) < number < max(read)} == {
        number for number in near if any(first <= number <= last for first, last in gaps)
    }


@given(st.lists(ranges, min_size=1, max_size=5), numbers)
def test_what_is_gone_below_may_come_again(added: list[list[int]], oldest: int) -> None:
    covered, read = covered_by(added), {number for row_ids in added for number in row_ids}
    covered.forget_below(oldest)
    assert {number for number in read if covered.has(number)} == {
        number for number in read if number >= oldest
    }


@given(st.lists(ranges, min_size=1, max_size=5))
def test_what_was_read_is_saved(added: list[list[int]]) -> None:
    covered, other = covered_by(added), Covered()
    other.load(saved(covered.dump()))
    assert other.dump() == covered.dump()


def test_a_row_below_all_others_is_looked_for_only_where_there_is_one() -> None:
    covered = covered_by([[5, 6]])
    assert covered.next_gaps(10, oldest=5) == []
    assert covered.next_gaps(10, oldest=2) == [(2, 4)]
    assert Covered().next_gaps(10, oldest=2) == []


def test_gaps_are_looked_at_in_turn() -> None:
    covered = covered_by([[1, 3, 5, 7]])
    assert [covered.next_gaps(2, oldest=1) for _ in range(3)] == [
        [(2, 2), (4, 4)],
        [(6, 6), (2, 2)],
        [(4, 4), (6, 6)],
    ]


def test_of_very_many_gaps_the_widest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges_module, "GAPS_KEPT", 3)
    covered = covered_by([[1, 3, 5, 105, 107, 207, 209, 309, 311]])
    assert covered.next_gaps(10, oldest=1) == [(6, 104), (108, 206), (210, 308)]


# Which decision has which row


@given(
    st.lists(
        st.tuples(st.text(max_size=3) | st.sampled_from(["\ud800", "a\0b"]), st.integers(LOWEST, HIGHEST))
    )
)
def test_known_ids_are_a_dictionary(puts: list[tuple[str, int]]) -> None:
    known, model = KnownIds(), dict[str, int]()
    for key, row_id in puts:
        assert known.put(key, row_id) == model.get(key)
        model[key] = row_id
    assert len(known) == len(model)


def test_very_many_ids_are_known_also_after_a_restart() -> None:
    known = KnownIds()
    keys = [f"dec_{number}" for number in range(3 * FIRST_SIZE)]
    assert {known.put(key, row_id) for row_id, key in enumerate(keys)} == {None}
    again = KnownIds()
    again.load(saved(known.dump()))
    assert [again.put(key, 0) for key in keys] == [*range(len(keys))]
    assert len(again) == len(keys)


# First in, first out

amounts, money = st.integers(0, 50), st.integers(0, 10**9)
moments = st.sampled_from([OLDEST, 0, 1000, 2000])
deals = st.lists(st.tuples(st.booleans(), amounts, money, moments), max_size=12)


class PlainFifo:
    """Every unit that was bought is a lot of its own."""

    def __init__(self) -> None:
        self.units: list[tuple[Fraction, int, int]] = []

    def buy(self, place: int, amount: int, cost: int, ms: int) -> None:
        self.units += [(Fraction(cost, amount or 1), ms, place)] * amount

    def sell(self, amount: int, proceeds: int, ms: int) -> tuple[int, int, list[int]]:
        sold, self.units = self.units[:amount], self.units[amount:]
        if not sold:
            return 0, 0, []
        earned = Fraction(proceeds * len(sold), amount) - sum(cost for cost, *_ in sold)
        lots = dict.fromkeys((place, bought) for _, bought, place in sold)
        held = [ms - bought for _, bought in lots if OLDEST not in (ms, bought) and bought <= ms]
        return len(sold), divided(earned.numerator, earned.denominator), held


@given(deals, st.integers(0, 12))
def test_sells_take_the_oldest_buys(made: list[tuple[bool, int, int, int]], restart_at: int) -> None:
    fifo, plain = Fifo(OLDEST), PlainFifo()
    for place, (is_buy, amount, usd, ms) in enumerate(made):
        if place == restart_at:
            dumped, fifo = saved(fifo.dump()), Fifo(OLDEST)
            fifo.load(dumped)
        if is_buy:
            fifo.buy(amount, usd, ms)
            plain.buy(place, amount, usd, ms)
        elif amount:
            assert fifo.sell(amount, usd, ms) == plain.sell(amount, usd, ms)
        assert fifo.left == len(plain.units)
        assert fifo.cost == pytest.approx(float(sum(cost for cost, *_ in plain.units)), rel=1e-12, abs=1e-6)
        oldest = plain.units[0][1] if plain.units else OLDEST
        assert fifo.opened_ms == (None if oldest == OLDEST else oldest)


def test_beyond_the_bound_buys_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fifo_module, "LOTS", 2)
    fifo = Fifo(OLDEST)
    for cost in (10, 20, 40):
        fifo.buy(10, cost, 0)
    assert (fifo.left, fifo.cost) == (30, 70)
    assert fifo.sell(10, 10, 0)[:2] == (10, 0)
    assert fifo.sell(10, 30, 0)[:2] == (10, 0)
    assert fifo.sell(20, 60, 0)[:2] == (10, 0)
    assert (fifo.left, fifo.cost) == (0, 0)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**15))
def test_a_half_rounds_away_from_zero(value: int, by: int) -> None:
    exact = Fraction(abs(value), by) + Fraction(1, 2)
    assert divided(value, by) == (exact.numerator // exact.denominator) * (1 if value >= 0 else -1)


# Rows that are others now

PLACES = (0, 1)


def rows_of(row_ids: Sequence[int], cell: Any = "x") -> list[list[Any]]:
    return [[row_id, cell, "not looked at"] for row_id in row_ids]


def looked_at(rewrites: Rewrites, rows: list[list[Any]]) -> int:
    """Looks at all blocks, as if these were all rows that there are; how many were found to be others."""
    before = rewrites.found
    for first, last in rewrites.due(1.0):
        rewrites.look(
            first, [row[:2] for row in rows if first <= row[0] <= last][: rewrites_module.BLOCK + 1]
        )
    return rewrites.found - before


spread = st.lists(st.integers(-3, 3 * BLOCK), min_size=1, max_size=30, unique=True).map(sorted)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrites_module, "BLOCK", 4)


@pytest.mark.usefixtures("small_blocks")
@given(spread, st.lists(st.integers(1, 29), unique=True).map(sorted))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_rows_are_cut_is_no_rewrite(row_ids: list[int], cuts: list[int]) -> None:
    rewrites, rows = Rewrites(), rows_of(row_ids)
    for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        if rows[first:last]:
            rewrites.add(rows[first:last], PLACES)
    again = Rewrites()
    again.load(saved(rewrites.dump()))
    assert looked_at(rewrites, rows) == looked_at(again, rows) == 0


@pytest.mark.usefixtures("small_blocks")
@given(spread, st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_another_row_in_the_place_of_one_is_found_once(row_ids: list[int], data: st.DataObject) -> None:
    rewrites, rows = Rewrites(), rows_of(row_ids)
    rewrites.add(rows, PLACES)
    rows[data.draw(st.integers(0, len(rows) - 1))][1] = "y"
    assert looked_at(rewrites, rows) == 1
    assert looked_at(rewrites, rows) == 0


@given(spread, st.data())
def test_deleted_rows_are_no_rewrite_but_others_in_their_place_are(
    row_ids: list[int], data: st.DataObject
) -> None:
    rewrites, rows = Rewrites(), rows_of(row_ids)
    rewrites.add(rows, PLACES)
    place = data.draw(st.integers(0, len(rows) - 1))
    left = [row for row in rows if row is not rows[place]]
    assert looked_at(rewrites, left) == 0
    if left:
        assert looked_at(rewrites, [*left[:place], [rows[place][0], "y"], *left[place:]]) == 1


def test_rows_that_came_below_others_are_known_from_the_next_look_on() -> None:
    rewrites = Rewrites()
    rewrites.add(rows_of([1, 5]), PLACES)
    rewrites.add(rows_of([3]), PLACES)
    assert looked_at(rewrites, rows_of([1, 3, 5])) == 0
    assert looked_at(rewrites, [*rows_of([1]), [3, "y"], *rows_of([5])]) == 1


def test_there_are_as_few_blocks_as_rows_allow() -> None:
    rewrites, rows = Rewrites(), rows_of(range(0, 10**12, 10**9))
    for row in rows:
        rewrites.add([row], PLACES)
    assert rewrites.due(1.0) == [(0, rows[-1][0])]


def test_a_block_that_many_rows_came_into_becomes_several() -> None:
    rewrites, row_ids = Rewrites(), [*range(-2 * BLOCK, BLOCK)]
    rewrites.add(rows_of([-BLOCK, BLOCK]), PLACES)
    for row_id in reversed(row_ids):
        rewrites.add(rows_of([row_id]), PLACES)
    rows = rows_of([*row_ids, BLOCK])
    looks = [looked_at(rewrites, rows) for _ in range(5)]
    assert looks == [0] * 5
    spans = rewrites.due(1.0)
    assert [first for first, _ in spans] == [-2 * BLOCK, -BLOCK, 0, BLOCK]
    rows[-2][1] = "y"
    assert looked_at(rewrites, rows) == 1


def test_each_block_has_its_turn() -> None:
    rewrites = Rewrites()
    rewrites.add(rows_of(range(10 * BLOCK)), PLACES)
    turns = [rewrites.due(0.25) for _ in range(8)]
    assert [len(turn) for turn in turns] == [2, 3, 2, 3] * 2
    spans = [(first, first + BLOCK - 1) for first in range(0, 10 * BLOCK, BLOCK)]
    assert [span for turn in turns for span in turn] == spans * 2
    assert Rewrites().due(1.0) == []


def test_no_block_misses_its_turn_because_others_are_gone() -> None:
    rewrites = Rewrites()
    rewrites.add(rows_of(range(10 * BLOCK)), PLACES)
    for first, _ in rewrites.due(0.5):
        rewrites.look(first, [])
    assert [first // BLOCK for first, _ in rewrites.due(1.0)] == [5, 6, 7, 8, 9]
