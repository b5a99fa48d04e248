"""An SQLite that lacks what the statements need is refused at the start, not at the first statement."""

import sqlite3
from pathlib import Path

import pytest

from exporter.cli.main import main


@pytest.mark.parametrize("command", ["serve", "check", "profile"])
def test_an_older_sqlite_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    assert main([command, f"--database.path={tmp_path / 'bot.db'}"]) == 1
    assert capsys.readouterr().err.strip() == (
        "tweetbot-exporter: error: SQLite 3.37.0 or later is needed, and Python has 3.34.1: use a Python that is "
        "built with a newer one"
    )
