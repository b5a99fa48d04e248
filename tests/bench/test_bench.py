"""The bench itself works; how fast things are is not for a test to say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools import ROOT


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


@pytest.mark.slow("starts the exporter five times")
def test_a_small_run_of_the_http_side_loses_nothing() -> None:
    options = ["--clients=10", "--scrapes=80", "--exchanges=2", "--hostile=20"]
    command = [sys.executable, "-m", "tests.bench.door", *options]
    environment = {**os.environ, "PYTHONPATH": "tests"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=True, cwd=ROOT, env=environment
    )
    assert done.stdout.count("tracebacks 0") == 5
    assert done.stdout.count(" lost 0") == 2
    assert "1 of 1 pages between them" in done.stdout
