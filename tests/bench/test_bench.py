"""The bench itself works; how fast things are is not for a test to say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow("all figures of the bench, on generated files")
def test_a_smoke_run_gives_every_figure(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.bench", "--smoke", "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    figures = {figure["name"]: figure["median"] for figure in json.loads(report.read_text())}
    assert all(name in done.stdout for name in figures)
    assert figures["samples of the page"] > 1000
    assert figures["memory, large file"] > 10
    assert figures["page of a plain collector / the exporter's"] > 0
