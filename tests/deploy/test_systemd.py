"""The systemd units, by systemd's own tool."""

import shlex
import subprocess
from pathlib import Path

import pytest
from stackfiles import ROOT
from tools import needed

from exporter.cli import main as cli

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
PROGRAM = "/opt/tweetbot-exporter/bin/tweetbot-exporter"
every_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


@pytest.fixture
def installed(unit: Path, tmp_path: Path) -> Path:
    """The unit, with a program that is here in the place of the installed one."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text("utf-8").replace(PROGRAM, needed("true")), "utf-8")
    return copy


def analyze(*arguments: str | Path) -> None:
    command = [needed("systemd-analyze"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-500:]


@every_unit
def test_it_is_valid(installed: Path) -> None:
    analyze("verify", installed)


@every_unit
def test_it_is_shut_in(installed: Path) -> None:
    """By systemd's own measure: 0 is shut in, 100 is open."""
    analyze("security", "--offline=true", "--threshold=15", installed)


@every_unit
def test_it_starts_a_command_that_there_is(unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = (line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    program, *arguments = shlex.split(line.removeprefix("ExecStart="))
    assert program == PROGRAM
    # The file is the user's: it is refused for not being there, and for nothing else.
    assert cli.main(arguments) == 2
    assert "/etc/tweetbot-exporter/config.yml" in capsys.readouterr().err
