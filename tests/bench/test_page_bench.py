"""The bench of pages works; how fast they are is not for a test to say."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_smoke_run_gives_every_figure(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.bench.page", "--smoke", "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    figures = {figure["name"]: figure["median"] for figure in json.loads(report.read_text())}
    assert all(name in done.stdout for name in figures)
    assert figures["1000 agents: samples"] > 1000
    assert figures["usual page: peak memory"] > 10
