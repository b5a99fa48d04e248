"""What makes waiting for the exporter shorter."""

import pytest

from exporter.collectors.sqlite import collector as database


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter tries again soon after an error."""
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    monkeypatch.setattr(database, "SURVEY_INTERVAL", 0.0)
