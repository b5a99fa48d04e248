"""scripts/setup: it stops where something fails, and does nothing where nothing is to be done."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from stackfiles import ROOT

FAKES = {
    "apt-get": 'echo "E: no network" >&2; exit 100',
    "dpkg-query": "exit 1",
    "sudo": "exit 1",
    "pip": "exit 1",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With the script, and with Debian's commands replaced by some that fail."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "bin").mkdir()
    for name, script in FAKES.items():
        fake = tmp_path / "bin" / name
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
    return tmp_path


def run(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
    command: list[str | Path] = [checkout / "scripts" / "setup", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="as another user it asks for a password")
def test_it_ends_where_apt_get_fails(checkout: Path) -> None:
    done = run(checkout, "dev", "--apt", "prometheus")
    assert done.returncode == 1
    assert done.stderr.startswith("Fetching the list of Debian's packages .")
    assert done.stderr.endswith(" failed:\nE: no network\n")
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("extra", [[], ["dev"]])
def test_what_is_set_up_is_not_set_up_again(checkout: Path, extra: list[str]) -> None:
    """Nothing is there that could install anything."""
    (checkout / ".venv").mkdir()
    for stamp in ("set-up", *(f"set-up-{each}" for each in extra)):
        (checkout / ".venv" / stamp).touch()
    done = run(checkout, *extra)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_extra_that_is_not_there_yet_is_installed(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "set-up").touch()
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@" >> calls\n')
    python.chmod(0o755)
    assert run(checkout, "dev").returncode == 0
    assert (checkout / "calls").read_text().endswith("--editable .[dev]\n")
    assert (checkout / ".venv" / "set-up-dev").exists()
