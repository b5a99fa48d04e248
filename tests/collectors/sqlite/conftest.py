"""How long the exporter waits in these tests, and is waited for."""

import pytest

from exporter.collectors.sqlite import collector as database
from exporter.collectors.sqlite import connection

from .harness import PATIENCE


@pytest.fixture(autouse=True)
def a_busy_machine_is_no_hanging_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANGS_AFTER", PATIENCE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter tries again soon after an error."""
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    monkeypatch.setattr(database, "SURVEY_INTERVAL", 0.0)
