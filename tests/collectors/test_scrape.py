"""One scrape: sources side by side, isolated, timed, shared, and told of once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

from exporter import __version__
from exporter.collectors.base import CollectorError
from exporter.collectors.scrape import DEFAULT_TIMEOUT_SECONDS, GRACE_SECONDS, Scraper, scrape_timeout
from exporter.metrics.merging import merge

Fake = Any  # the fixture's class: tests/conftest.py
SUCCESS = "tweetbot_scrape_collector_success"
DURATION = "tweetbot_scrape_collector_duration_seconds"


def value(metrics: list[Metric], name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1
    return found[0] if found else None


def failing(error: BaseException) -> Callable[[float], Awaitable[list[Metric]]]:
    async def collect(_: float) -> list[Metric]:
        raise error

    return collect


async def hanging(_: float) -> list[Metric]:
    await asyncio.Event().wait()
    return []


async def test_a_scrape_has_the_sources_families_and_those_about_them(fake_collector: Fake) -> None:
    scraper = Scraper([fake_collector("database"), fake_collector("system")])
    metrics = await scraper.scrape()
    for name in ("database", "system"):
        assert value(metrics, "tweetbot_executions_total", agent=name, execution_type="scan") == 1
        assert value(metrics, "tweetbot_label_overflow_total", collector=name) == 0
        assert value(metrics, SUCCESS, collector=name) == 1
        assert value(metrics, DURATION, collector=name) is not None
    (info,) = [metric for metric in metrics if metric.name == "tweetbot_exporter_build"]
    assert info.samples[0].labels["version"] == __version__
    assert len({metric.name for metric in metrics}) == len(metrics)


async def test_durations_are_measured_by_the_clock(fake_collector: Fake) -> None:
    now = 0.0

    async def collect(_: float) -> list[Metric]:
        nonlocal now
        now += 2.5
        return []

    metrics = await Scraper([fake_collector("database", collect)], clock=lambda: now).scrape()
    assert value(metrics, DURATION, collector="database") == 2.5


@pytest.mark.parametrize(
    "error", [CollectorError("locked"), ValueError("a bug"), asyncio.CancelledError(), TimeoutError()]
)
async def test_a_failed_source_costs_only_itself(fake_collector: Fake, error: BaseException) -> None:
    scraper = Scraper([fake_collector("database", failing(error)), fake_collector("system")])
    metrics = await scraper.scrape()
    assert value(metrics, SUCCESS, collector="database") == 0
    assert value(metrics, "tweetbot_label_overflow_total", collector="database") == 0
    assert value(metrics, SUCCESS, collector="system") == 1
    assert value(metrics, "tweetbot_executions_total", agent="system", execution_type="scan") == 1


async def test_sources_run_side_by_side(fake_collector: Fake) -> None:
    barrier = asyncio.Barrier(2)

    async def collect(_: float) -> list[Metric]:
        await barrier.wait()
        return []

    metrics = await Scraper([fake_collector(name, collect) for name in ("a", "b")]).scrape()
    assert [value(metrics, SUCCESS, collector=name) for name in ("a", "b")] == [1, 1]


async def test_a_filter_leaves_the_others_alone(fake_collector: Fake) -> None:
    chosen, other = fake_collector("a"), fake_collector("b")
    metrics = await Scraper([chosen, other]).scrape(["a"])
    assert value(metrics, SUCCESS, collector="a") == 1
    assert value(metrics, SUCCESS, collector="b") is None
    assert other.timeouts == []
    nothing = await Scraper([chosen]).scrape([])
    assert [metric.name for metric in nothing] == ["tweetbot_exporter_build"]


async def test_the_limit_is_the_lesser_of_the_scrapes_and_the_sources(fake_collector: Fake) -> None:
    slow, quick, free = fake_collector("slow"), fake_collector("quick"), fake_collector("free")
    scraper = Scraper([slow, quick, free], {"slow": 30.0, "quick": 0.5})
    await scraper.scrape(seconds=4.0)
    await scraper.scrape()
    assert slow.timeouts == [4.0, DEFAULT_TIMEOUT_SECONDS]
    assert quick.timeouts == [0.5, 0.5]
    assert free.timeouts == [4.0, DEFAULT_TIMEOUT_SECONDS]


async def test_a_source_that_takes_too_long_is_cut_off(fake_collector: Fake) -> None:
    cancelled = asyncio.Event()

    async def collect(_: float) -> list[Metric]:
        try:
            return await hanging(0)
        finally:
            cancelled.set()

    scraper = Scraper([fake_collector("database", collect), fake_collector("system")])
    metrics = await scraper.scrape(seconds=0.01)
    assert value(metrics, SUCCESS, collector="database") == 0
    assert value(metrics, SUCCESS, collector="system") == 1
    assert (value(metrics, DURATION, collector="database") or 0) >= 0.01
    assert scraper.statuses()[0].error == "did not deliver within 0.01 seconds"
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_source_may_say_itself_at_its_limit_what_kept_it(fake_collector: Fake) -> None:
    async def collect(timeout: float) -> list[Metric]:
        await asyncio.sleep(timeout)
        raise CollectorError("the file is locked")

    scraper = Scraper([fake_collector("database", collect)])
    await scraper.scrape(seconds=GRACE_SECONDS)
    assert scraper.statuses()[0].error == "the file is locked"


async def test_a_source_that_will_not_stop_is_not_begun_again_and_recovers(fake_collector: Fake) -> None:
    release, ended = asyncio.Event(), asyncio.Event()

    async def collect(_: float) -> list[Metric]:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        ended.set()
        return []

    source = fake_collector("database", collect)
    scraper = Scraper([source])
    for _ in range(3):
        assert value(await scraper.scrape(seconds=0.001), SUCCESS, collector="database") == 0
    assert len(source.timeouts) == 1
    release.set()
    await ended.wait()
    assert value(await scraper.scrape(), SUCCESS, collector="database") == 1


async def test_simultaneous_scrapes_share_a_run_also_with_another_filter(fake_collector: Fake) -> None:
    release = asyncio.Event()

    async def collect(_: float) -> list[Metric]:
        await release.wait()
        return []

    source, other = fake_collector("database", collect), fake_collector("system")
    scraper = Scraper([source, other])
    scrapes = [asyncio.create_task(scraper.scrape(names)) for names in (None, None, ["database"])]
    await asyncio.sleep(0.01)
    release.set()
    pages = await asyncio.gather(*scrapes)
    assert [value(page, SUCCESS, collector="database") for page in pages] == [1, 1, 1]
    assert len(source.timeouts) == 1
    await scraper.scrape()
    assert len(source.timeouts) == 2


async def test_a_scrape_that_is_given_up_leaves_the_run_to_the_others(fake_collector: Fake) -> None:
    release = asyncio.Event()

    async def collect(_: float) -> list[Metric]:
        await release.wait()
        return []

    scraper = Scraper([fake_collector("database", collect)])
    first, second = (asyncio.create_task(scraper.scrape()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    release.set()
    assert value(await second, SUCCESS, collector="database") == 1
    assert first.cancelled()


async def test_an_impatient_scrape_does_not_wait_for_a_patient_ones_run(fake_collector: Fake) -> None:
    release = asyncio.Event()

    async def collect(_: float) -> list[Metric]:
        await release.wait()
        return []

    scraper = Scraper([fake_collector("database", collect)])
    patient = asyncio.create_task(scraper.scrape(seconds=60))
    await asyncio.sleep(0.01)
    assert value(await scraper.scrape(seconds=0.001), SUCCESS, collector="database") == 0
    release.set()
    assert value(await patient, SUCCESS, collector="database") == 1


async def test_a_failure_is_not_kept_for_the_next_scrape(fake_collector: Fake) -> None:
    source = fake_collector("database", failing(CollectorError("locked")))
    scraper = Scraper([source])
    await scraper.scrape()
    source.given = None
    assert value(await scraper.scrape(), SUCCESS, collector="database") == 1


async def test_changes_of_state_are_logged_once(fake_collector: Fake) -> None:
    source = fake_collector("database")
    scraper = Scraper([source])
    with capture_logs() as logged:
        for error in (
            None,
            CollectorError("locked"),
            CollectorError("gone"),
            ValueError("x"),
            ValueError("y"),
            None,
        ):
            source.given = failing(error) if error else None
            await scraper.scrape()
            await scraper.scrape()
    told = [(event["log_level"], event.get("error", "")) for event in logged]
    assert told[:2] == [("warning", "locked"), ("warning", "gone")]
    assert told[2][0] == "error"
    # The same line of code is the same bug, whatever its message; the traceback comes with it.
    assert "ValueError in collect, line" in told[2][1]
    assert isinstance(logged[2]["exc_info"], ValueError)
    assert told[3:] == [("info", "")]
    assert {event["collector"] for event in logged} == {"database"}


async def test_a_bug_in_the_other_methods_costs_only_what_they_give(
    fake_collector: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = fake_collector("database")

    def broken() -> list[Any]:
        raise RuntimeError("bug")

    async def broken_too() -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(source, "self_metrics", broken)
    monkeypatch.setattr(source, "readiness", broken)
    monkeypatch.setattr(source, "start", broken_too)
    monkeypatch.setattr(source, "close", broken_too)
    other = fake_collector("system")
    scraper = Scraper([source, other])
    with capture_logs() as logged:
        await scraper.start()
        for _ in range(2):
            metrics = await scraper.scrape()
            assert value(metrics, SUCCESS, collector="database") == 1
            assert [line.startswith("database: RuntimeError") for line in scraper.readiness()] == [True]
        await scraper.close()
    assert [event["part"] for event in logged] == ["start", "self_metrics", "readiness", "close"]
    assert other.calls == ["start", "close"]


async def test_states_and_what_is_pending(fake_collector: Fake) -> None:
    source = fake_collector("database")
    scraper = Scraper([source, fake_collector("system")])
    source.waiting_for = ["trades: 12 % read", "no file"]
    assert scraper.readiness() == ["database: trades: 12 % read", "database: no file"]
    assert [(state.name, state.at, state.error) for state in scraper.statuses()] == [
        ("database", None, ""),
        ("system", None, ""),
    ]
    source.given = failing(CollectorError("locked"))
    await scraper.scrape()
    (database, system) = scraper.statuses()
    assert (database.error, system.error) == ("locked", "")
    assert database.at is not None
    assert database.at > 1.7e9
    assert scraper.names == ("database", "system")


async def test_a_collector_that_does_not_close_in_time_is_no_bug(
    fake_collector: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = fake_collector("database")
    monkeypatch.setattr(source, "close", asyncio.Event().wait)
    scraper = Scraper([source])
    with capture_logs() as logged:
        await scraper.close()
    (event,) = logged
    assert (event["log_level"], event["error"]) == ("warning", "did not close within 0.3 seconds")
    assert "exc_info" not in event


async def test_closing_cuts_off_what_runs_and_closes_the_sources(fake_collector: Fake) -> None:
    source = fake_collector("database", hanging)
    scraper = Scraper([source])
    await scraper.start()
    running = asyncio.create_task(scraper.scrape(seconds=60))
    await asyncio.sleep(0.01)
    await scraper.close()
    assert source.calls == ["start", "close"]
    assert value(await running, SUCCESS, collector="database") == 0


async def test_closing_does_not_wait_for_a_source_that_hangs(fake_collector: Fake) -> None:
    source = fake_collector("database")
    source.close = asyncio.Event().wait
    other = fake_collector("system")
    await asyncio.wait_for(Scraper([source, other]).close(), 5)
    assert other.calls == ["close"]


async def test_a_result_is_not_kept_in_memory(fake_collector: Fake) -> None:
    import gc
    import weakref

    kept: list[weakref.ref[Metric]] = []

    async def collect(_: float) -> list[Metric]:
        metric = Metric("x", "X.", "gauge")
        kept.append(weakref.ref(metric))
        return [metric]

    scraper = Scraper([fake_collector("database", collect)])
    await scraper.scrape(seconds=60)
    await asyncio.sleep(0)
    gc.collect()
    assert kept[0]() is None


def family(name: str, kind: str, *samples: Sample) -> Metric:
    metric = Metric(name, "Help.", kind)
    metric.samples = list(samples)
    return metric


def test_merging_makes_one_family_of_each_name() -> None:
    first = family("x", "gauge", Sample("x", {"a": "1"}, 1), Sample("x", {"a": "2"}, 2))
    second = family("x", "gauge", Sample("x", {"a": "3"}, 3))
    alone = family("y", "gauge", Sample("y", {}, 1))
    with capture_logs() as logged:
        merged = merge([first, alone, second])
    assert [metric.name for metric in merged] == ["x", "y"]
    assert [sample.value for sample in merged[0].samples] == [1, 2, 3]
    assert merged[1] is alone
    assert len(first.samples) == 2
    assert logged == []


def test_merging_drops_and_tells_of_what_is_there_twice() -> None:
    first = family("x", "gauge", Sample("x", {"a": "1", "b": "2"}, 1))
    double = family("x", "gauge", Sample("x", {"b": "2", "a": "1"}, 9))
    other_kind = family("x", "counter", Sample("x_total", {}, 5))
    with capture_logs() as logged:
        (merged,) = merge([first, double, other_kind])
    assert merged.samples == first.samples
    assert [event["log_level"] for event in logged] == ["error"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("10", 9.5),
        ("10.000000", 9.5),
        ("1", 0.5),
        ("0.5", 0.25),
        (" 3 ", 2.5),
        (".5", 0.25),
        *(
            (each, DEFAULT_TIMEOUT_SECONDS)
            for each in (None, "", "0", "-1", "nan", "inf", "1e9", "1_0", "x", ".")
        ),
        ("٣", DEFAULT_TIMEOUT_SECONDS),
        ("9" * 400, DEFAULT_TIMEOUT_SECONDS),
    ],
)
def test_the_scrapes_own_limit_comes_from_the_header(header: str | None, seconds: float) -> None:
    assert scrape_timeout(header) == pytest.approx(seconds)


@given(st.text(max_size=12) | st.floats().map(str))
def test_any_header_gives_a_limit(header: str) -> None:
    assert 0 < scrape_timeout(header) < 1e9
