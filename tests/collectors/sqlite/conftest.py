"""What makes waiting for the exporter shorter, and a busy machine no reason to fail."""

import time

import pytest

from exporter.collectors.sqlite import collector as database
from exporter.collectors.sqlite import connection, session


@pytest.fixture(autouse=True)
def _beside_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read takes the time of its thread, and one that has not begun after a second does not hang."""
    monkeypatch.setattr(session, "read_clock", time.thread_time)
    monkeypatch.setattr(connection, "HANGS_AFTER", 30.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter tries again soon after an error."""
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    monkeypatch.setattr(database, "SURVEY_INTERVAL", 0.0)
