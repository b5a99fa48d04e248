"""A log that nobody reads: who logs does not wait, and what is lost is counted."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from exporter.runtime import log_queue
from exporter.runtime.log_queue import QueueHandler

GENEROUS_SECONDS = 60.0
"""For the thread that writes, which a busy machine lets wait."""


@contextmanager
def logger_to(
    write: Callable[[str], object], most_lines: int
) -> Iterator[tuple[logging.Logger, QueueHandler]]:
    handler = QueueHandler(write, most_lines)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    yield logger, handler
    handler.close()


def test_lines_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_queue, "FLUSH_SECONDS", GENEROUS_SECONDS)
    lines: list[str] = []
    with logger_to(lines.append, 100) as (logger, handler):
        for number in range(50):
            logger.info("line %d", number)
        handler.flush()
    assert lines == [f"line {number}\n" for number in range(50)]
    assert handler.dropped == 0


def test_what_nobody_reads_is_dropped_and_counted_and_reported_once_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    reading, read = threading.Event(), threading.Event()

    def write(line: str) -> None:
        reading.set()
        read.wait(GENEROUS_SECONDS)
        lines.append(line)

    with logger_to(write, 10) as (logger, handler):
        logger.info("first")
        assert reading.wait(GENEROUS_SECONDS)
        for number in range(30):
            logger.info("line %d", number)
        assert handler.dropped == 20
        # It waits for room, though not for long.
        handler.flush()
        monkeypatch.setattr(log_queue, "FLUSH_SECONDS", GENEROUS_SECONDS)
        read.set()
        handler.flush()
    assert lines[:3] == ["first\n", "20 log lines were dropped: they were not read\n", "line 0\n"]
    assert len(lines) == 12


def test_a_stream_that_fails_for_a_while_does_not_end_the_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_queue, "FLUSH_SECONDS", GENEROUS_SECONDS)
    lines: list[str] = []

    def write(line: str) -> None:
        if "refused" in line:
            raise BrokenPipeError
        lines.append(line)

    with logger_to(write, 10) as (logger, handler):
        logger.info("refused")
        logger.info("written")
        handler.flush()
    assert lines == ["written\n"]
