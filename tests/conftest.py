"""What several tests share, and what holds for all: no thread outlives its test, and CI skips nothing."""

import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import thread as futures_thread

import pytest
import structlog
from hypothesis import settings
from prometheus_client.core import Metric
from tools import NOT_IN_THE_REPOSITORY

from exporter.collectors.base import Diagnosis
from exporter.metrics import catalogue
from exporter.metrics.samples import Samples

Collect = Callable[[float], Awaitable[list[Metric]]]

THREADS = pytest.StashKey[set[threading.Thread]]()
ENDING_SECONDS = 5.0

# A test that judges wall time fails by chance on a busy machine. And CI draws the same examples each time: what it
# says of a change is then about the change. New ones are drawn by whoever runs the tests without CI set.
settings.register_profile("of this project", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("of this project")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    item.stash[THREADS] = set(threading.enumerate())
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """A thread that outlives its test, such as that of a connection nobody closed, is the test's failure."""
    yield
    left = _threads_beyond(item.stash[THREADS])
    assert not left, f"left running: {left}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test is skipped only for want of what nobody can install; else nobody would notice that it never runs."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.endswith(NOT_IN_THE_REPOSITORY):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, which CI does not allow. {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that no worker begins one when the others are done. Each says why it is slow."""
    marks = [(item, mark) for item in items for mark in item.iter_markers("slow")]
    if unexplained := [item.nodeid for item, mark in marks if not mark.args]:
        raise pytest.UsageError(f"slow without a reason: {', '.join(unexplained)}")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Python waits for such threads for ever, and whoever waits for the tests with it."""
    if left := _threads_beyond({threading.main_thread()}):
        print(f"\nended by force: {left} did not end", flush=True)
        os._exit(1)


def _threads_beyond(known: set[threading.Thread]) -> list[threading.Thread]:
    deadline = time.monotonic() + ENDING_SECONDS
    while left := [each for each in threading.enumerate() if each not in known and _must_be_ended(each)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def _must_be_ended(each: threading.Thread) -> bool:
    """Threads of executors are ended by Python itself."""
    return not each.daemon and each not in futures_thread._threads_queues


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test runs configures the logging of the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class FakeCollector:
    """A source whose `collect` is given; it notes what is asked of it."""

    def __init__(self, name: str = "database", collect: Collect | None = None) -> None:
        self.name = name
        self.given = collect
        self.timeouts: list[float] = []
        self.waiting_for: list[str] = []
        self.calls: list[str] = []
        self.findings = [Diagnosis("trades", "ok", "3 rows")]

    async def start(self) -> None:
        self.calls.append("start")

    async def collect(self, timeout: float) -> list[Metric]:
        self.timeouts.append(timeout)
        if self.given:
            return await self.given(timeout)
        samples = Samples()
        samples.add(catalogue.EXECUTIONS, len(self.timeouts), self.name, "scan")
        return samples.metrics()

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        samples.add(catalogue.LABEL_OVERFLOW, 0, self.name)
        return samples.metrics()

    def readiness(self) -> list[str]:
        return self.waiting_for

    async def diagnose(self) -> list[Diagnosis]:
        return self.findings

    async def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def fake_collector() -> type[FakeCollector]:
    return FakeCollector
