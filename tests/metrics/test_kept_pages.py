"""What was written is kept for the next page: right whatever changes, no more than needed, and not for ever."""

import gc
import gzip
import random
import weakref
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar
from structlog.testing import capture_logs

from exporter.metrics import catalogue, coding
from exporter.metrics.catalogue import Family
from exporter.metrics.exposition import CHUNK_LINES, KEPT_SECONDS, OPENMETRICS, TEXT, Format, Pages
from exporter.metrics.lines import FamilyLines
from exporter.metrics.samples import FamilySnapshot, HistogramValue, Row, Samples

from .families import by_client, declared_families, metric_of, rows

FAMILIES = (catalogue.EXECUTIONS, catalogue.EXECUTIONS_FAILED, catalogue.EXECUTION_DURATION)
BUCKETS = len(catalogue.EXECUTION_DURATION.buckets) + 1


@dataclass
class Work:
    """What writing pages cost: rows written by `lines`, texts compressed, and the clock of what is kept."""

    rows: Counter[str] = field(default_factory=Counter)
    compressed: int = 0
    now: float = 0.0

    def clear(self) -> None:
        self.rows.clear()
        self.compressed = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    done = Work()
    write, deflate = FamilyLines.rows, coding.deflate

    def counting_rows(lines: FamilyLines, given_rows: Iterable[Row]) -> str:
        listed = list(given_rows)
        done.rows[lines.head.split()[2]] += len(listed)
        return write(lines, listed)

    def counting_texts(text: bytes) -> bytes:
        done.compressed += 1
        return deflate(text)

    monkeypatch.setattr(FamilyLines, "rows", counting_rows)
    monkeypatch.setattr(coding, "deflate", counting_texts)
    return done


def bot(agents: int, changed: Iterable[int] = (), more: int = 1) -> list[Metric]:
    """Snapshots of four types of executions of each agent; those of the agents in `changed` are higher by `more`."""
    samples = Samples()
    for agent in range(agents):
        count = 5 + more * (agent in changed)
        for kind in "abcd":
            labels = (f"agent-{agent:04}", kind)
            samples.add(catalogue.EXECUTIONS, count, *labels)
            samples.add(catalogue.EXECUTIONS_FAILED, 0, *labels)
            samples.add(catalogue.EXECUTION_DURATION, HistogramValue([count] * BUCKETS, count / 8), *labels)
    return samples.metrics()


def unpacked(page: bytes, is_gzip: bool) -> bytes:
    return gzip.decompress(page) if is_gzip else page


@dataclass(frozen=True)
class Edit:
    """What becomes of a page's families until the next one."""

    families: dict[Family, tuple[Row, ...]]
    same_objects: bool
    chosen: Format
    is_gzip: bool
    seconds: float


@st.composite
def histories(draw: st.DrawFn) -> list[Edit]:
    """Pages in turn: values that change, series and families that come and go, objects that stay or are equal."""
    pool = draw(st.lists(declared_families, min_size=1, max_size=3, unique=True))
    labels = st.sampled_from(["a", "b", 'c"', "d\\"])
    now: dict[Family, tuple[Row, ...]] = {}
    history = []
    for _ in range(draw(st.integers(2, 6))):
        family = draw(st.sampled_from(pool))
        match draw(st.sampled_from(["rows", "value", "gone", "nothing"])):
            case "rows":
                now[family] = draw(rows(family, labels))
            case "value" if now.get(family):
                *before, (values, _) = now[family]
                now[family] = (*before, *((values, value) for _, value in draw(rows(family, labels, most=1))))
            case "gone":
                now.pop(family, None)
        formats, times = st.sampled_from([TEXT, OPENMETRICS]), st.sampled_from([1.0, 1.0, KEPT_SECONDS + 1])
        history.append(Edit({**now}, draw(st.booleans()), draw(formats), draw(st.booleans()), draw(times)))
    return history


def snapshot(family: Family, given_rows: Iterable[Row]) -> FamilySnapshot:
    samples = Samples()
    for values, value in given_rows:
        samples.add(family, value, *values)
    (made,) = samples.metrics() or [FamilySnapshot(family, ())]
    assert isinstance(made, FamilySnapshot)
    return made


def without_signs_of_zero(given_rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(
        (
            values,
            value._replace(total=value.total or 0.0) if isinstance(value, HistogramValue) else value or 0.0,
        )
        for values, value in given_rows
    )


@settings(max_examples=300)
@given(histories(), st.sampled_from([1, 5, CHUNK_LINES]))
def test_every_page_is_as_if_nothing_were_kept(history: list[Edit], chunk_lines: int) -> None:
    now = 0.0
    pages = Pages(clock=lambda: now)
    made: dict[Family, FamilySnapshot] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.metrics.exposition.CHUNK_LINES", chunk_lines)
        for edit in history:
            now += edit.seconds
            for family, given_rows in edit.families.items():
                if not edit.same_objects or family not in made or made[family].rows != given_rows:
                    made[family] = snapshot(family, given_rows)
            page = pages.write([made[family] for family in edit.families], edit.chosen, edit.is_gzip)
            metrics = [metric_of(each, without_signs_of_zero(of)) for each, of in edit.families.items()]
            assert unpacked(page, edit.is_gzip) == by_client(metrics, edit.chosen)


@pytest.mark.parametrize("chosen", [TEXT, OPENMETRICS])
def test_snapshots_that_are_the_same_are_neither_written_nor_compressed(work: Work, chosen: Format) -> None:
    pages, metrics = Pages(), bot(50)
    first = pages.write(metrics, chosen, gzip=True)
    work.clear()
    assert pages.write(metrics, chosen, gzip=True) == first
    assert (work.rows, work.compressed) == ({}, 0)


def test_equal_snapshots_are_not_written_either(work: Work) -> None:
    pages = Pages()
    first = pages.write(bot(50), OPENMETRICS, gzip=True)
    work.clear()
    assert pages.write(bot(50), OPENMETRICS, gzip=True) == first
    assert (work.rows, work.compressed) == ({}, 0)


def test_a_series_that_changed_costs_the_lines_around_it(work: Work) -> None:
    pages = Pages()
    pages.write(bot(500), OPENMETRICS, gzip=True)
    work.clear()
    changed = bot(500, changed=[123])
    assert gzip.decompress(pages.write(changed, OPENMETRICS, gzip=True)) == by_client(changed, OPENMETRICS)
    per_row = BUCKETS + 2
    # Of 2000 rows of each family; agent 123's four histograms may lie in two chunks.
    assert work.rows["tweetbot_execution_duration_seconds"] <= 2 * (CHUNK_LINES // per_row)
    assert work.rows["tweetbot_executions"] <= 2 * CHUNK_LINES
    assert work.rows["tweetbot_executions_failed"] == 0
    assert work.compressed <= 4


def test_a_value_that_is_added_to_later_does_not_change_the_snapshot() -> None:
    counts = [1] * BUCKETS
    exemplars: dict[int, Exemplar] = {}
    samples = Samples()
    samples.add(catalogue.EXECUTION_DURATION, HistogramValue(counts, 1.0, exemplars), "a", "scan")
    metrics = samples.metrics()
    first = Pages().write(metrics, OPENMETRICS)
    counts[:] = [2] * BUCKETS
    exemplars[0] = Exemplar({"execution_id": "1"}, 0.5)
    assert Pages().write(metrics, OPENMETRICS) == first


def test_metrics_of_others_are_written_at_each_page() -> None:
    """They may change in place."""
    metric, pages = Metric("x", "X.", "gauge"), Pages()
    metric.add_sample("x", {}, 1.0)
    assert pages.write([metric], TEXT).endswith(b"x 1.0\n")
    metric.samples.clear()
    metric.add_sample("x", {}, 2.0)
    assert pages.write([metric], TEXT).endswith(b"x 2.0\n")


def test_a_bug_in_a_family_is_told_once_while_the_family_stays_the_same() -> None:
    pages = Pages()
    bad = FamilySnapshot(catalogue.EXECUTIONS, ((("\ud800", "scan"), 1),))
    with capture_logs() as logged:
        assert [pages.write([bad], TEXT) for _ in range(3)] == [b""] * 3
    assert len(logged) == 1


class Value(float):
    """A number that can be watched."""


def watched() -> tuple[list[Metric], "weakref.ref[Value]"]:
    value = Value(3.5)
    samples = Samples()
    samples.add(catalogue.PORTFOLIO_GROWTH, value)
    return samples.metrics(), weakref.ref(value)


def freed(reference: "weakref.ref[Value]") -> bool:
    gc.collect()
    return reference() is None


def test_old_snapshots_go_when_newer_ones_were_written() -> None:
    pages = Pages()
    metrics, old = watched()
    pages.write(metrics, TEXT)
    metrics, _ = watched()
    pages.write(metrics, TEXT)
    assert freed(old)


def test_families_that_went_away_are_forgotten(work: Work) -> None:
    pages = Pages(clock=lambda: work.now)
    metrics, old = watched()
    pages.write(metrics, TEXT)
    del metrics
    work.now = KEPT_SECONDS
    pages.write(bot(1), TEXT)
    assert not freed(old)
    work.now += 1
    pages.write(bot(1), TEXT)
    assert freed(old)


def test_formats_that_nobody_asks_for_are_forgotten(work: Work) -> None:
    pages, metrics = Pages(clock=lambda: work.now), bot(50)
    pages.write(metrics, TEXT)
    for work.now in range(0, 1000, 100):
        pages.write(metrics, OPENMETRICS, gzip=True)
    work.clear()
    pages.write(metrics, OPENMETRICS, gzip=True)
    assert not work.rows
    pages.write(metrics, TEXT)
    assert work.rows.total() == 600


def test_pages_of_some_families_do_not_cost_the_others_what_is_kept(work: Work) -> None:
    """Prometheus may scrape each collector by a job of its own."""
    pages, metrics = Pages(), bot(50)
    pages.write(metrics, TEXT)
    work.clear()
    for part in (metrics[:1], metrics[1:], metrics):
        pages.write(part, TEXT)
    assert not work.rows


def test_pages_at_the_same_time_are_written_once(work: Work) -> None:
    pages, metrics = Pages(), bot(200)
    start = Barrier(6)

    def scrape() -> bytes:
        start.wait()
        return pages.write(metrics, OPENMETRICS, gzip=True)

    with ThreadPoolExecutor(6) as pool:
        written = [each.result() for each in [pool.submit(scrape) for _ in range(6)]]
    assert len(set(written)) == 1
    assert work.rows.total() == 3 * 800


def test_threads_with_pages_of_their_own_do_not_disturb_each_other() -> None:
    pages = Pages()

    def scrape(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            metrics = bot(30, changed=chance.sample(range(30), 5), more=chance.randrange(1000))
            chosen, is_gzip = chance.choice([TEXT, OPENMETRICS]), chance.random() < 0.5
            assert unpacked(pages.write(metrics, chosen, is_gzip), is_gzip) == by_client(metrics, chosen)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(scrape, seed) for seed in range(4)]:
            done.result()
