"""`tweetbot-exporter backfill` from outside: what it refuses, and what it says."""

import re
from pathlib import Path

import pytest
from collectors.sqlite.bots import executions, write_bot

from exporter.cli.main import main

LABELS = ("--label=job=tweetbot", "--label=instance=localhost:9464")
SPAN = ("--end=2025-10-10T15:30:00Z",)


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    write_bot(tmp_path / "bot.db", agent_executions=executions(60))
    return tmp_path / "bot.db"


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.om"))


def test_a_dry_run_says_what_it_would_be(
    bot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("backfill", "--database.path", str(bot), *LABELS, *SPAN)
    assert main([*common, "--dry-run"]) == 0
    would_be = capsys.readouterr().out
    assert main([*common, "--output", str(tmp_path / "out")]) == 0
    was = capsys.readouterr().out
    (size,) = re.findall(r"[\d,]+ samples, [\d.]+ MB", would_be)
    assert would_be.startswith(f"It would be {size}, from 2025-10-10T15:00:00Z to ")
    assert was.startswith(f"Wrote {size} in 1 files, ")
    (file,) = files(tmp_path / "out")
    assert f"{file.stat().st_size / 1e6:.1f} MB" in size
    assert b'instance="localhost:9464",job="tweetbot"' in file.read_bytes()


def test_what_is_there_is_not_written_again(
    bot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["backfill", "--database.path", str(bot), *LABELS, *SPAN, "--output", str(tmp_path / "out")]
    assert main(command) == 0
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("There is nothing left to write.\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--dry-run", "--label=job=t"), "no label instance is given"),
        (("--dry-run", *LABELS, "--label=agent=x"), "agent is a label of the exporter's own"),
        (("--dry-run", *LABELS, "--label=__name__=x"), "must be a label and its value"),
        (("--dry-run", *LABELS, "--label=bot"), "must be a label and its value"),
        (("--dry-run", *LABELS, "--step=10m"), "must be a duration from 1s to 5m"),
        (("--dry-run", *LABELS, "--step=60"), "must be a duration from 1s to 5m"),
        (("--dry-run", *LABELS, "--start=yesterday"), "must be a moment such as"),
        (("--dry-run", *LABELS, "--end=2200-01-01T00:00:00Z"), "--end lies in the future"),
        (("--dry-run", *LABELS, "--start=2025-10-11", "--end=2025-10-10"), "--start lies after --end"),
        (LABELS, "one of the arguments --output --url --dry-run is required"),
        (("--dry-run", "--output=x", *LABELS), "not allowed with argument"),
        (("--url=localhost", *LABELS), "must be an address such as"),
    ],
)
def test_what_is_wrong_is_one_line(
    bot: Path, flags: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["backfill", "--database.path", str(bot), *flags])
    except SystemExit as error:  # argparse's own
        code = error.code  # type: ignore[assignment]
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gone.db"
    assert main(["backfill", "--database.path", str(path), *LABELS, "--dry-run"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line


def test_without_a_file_there_is_no_history(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backfill", "--dry-run", *LABELS]) == 2
    assert "--database.path" in capsys.readouterr().err
