"""scripts/generate: all that follows from something else is committed as it follows."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("deploy", "docs", "exporter", "grafana", "rules", "scripts")
GENERATED = (
    "deploy/kubernetes/alertmanagerconfig.yml",
    "deploy/kubernetes/prometheusrules.yml",
    "deploy/tweetbot-exporter.1",
    "docs/alerts.md",
    "docs/metrics.md",
    "grafana/dashboards/tweetbot-agent.json",
    "rules/alerts/bottlenecks.yml",
    "rules/recording/bottlenecks.yml",
    "rules/recording/thresholds.yml",
    "tests/golden/page.txt",
)
STALE = "grafana/dashboards/tweetbot-stale.json"


def generate(root: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit status and the lines of the output."""
    command = [sys.executable, str(root / "scripts" / "generate.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr or done.returncode == 2, done.stderr
    return done.returncode, sorted(done.stdout.splitlines())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is generated and of what it is made from."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "golden", tmp_path / "tests" / "golden")
    shutil.copy(ROOT / "tests" / "tools.py", tmp_path / "tests")
    generate(tmp_path)  # so that it is up to date, whether or not the original is
    return tmp_path


def test_all_is_up_to_date() -> None:
    assert generate(ROOT, "--check") == (0, []), "run scripts/generate"


def test_the_check_names_every_file_and_writes_none(checkout: Path) -> None:
    files = {checkout / name: (checkout / name).read_text() for name in GENERATED}
    for path in files:
        path.write_text("old\n")
    (checkout / STALE).write_text("{}")
    # A link in the test of an alert, and a file that is missing.
    linked = checkout / "rules" / "tests" / "alerts_trading_test.yml"
    files[linked] = linked.read_text()
    linked.write_text(files[linked].replace("http://localhost:3000", "http://elsewhere"))
    missing = checkout / "grafana" / "dashboards" / "tweetbot-runtime.json"
    files[missing] = missing.read_text()
    missing.unlink()

    names = sorted(str(path.relative_to(checkout)) for path in (*files, checkout / STALE))
    assert generate(checkout, "--check") == (1, [f"{name} is out of date" for name in names])
    assert (checkout / "docs" / "alerts.md").read_text() == "old\n"
    assert (checkout / STALE).exists()

    assert generate(checkout) == (0, [f"{name} written" for name in names])
    assert {path: path.read_text() for path in files} == files
    assert not (checkout / STALE).exists()
    assert generate(checkout, "--check") == (0, [])


def test_one_artefact_alone(checkout: Path) -> None:
    for name in ("docs/metrics.md", "rules/recording/thresholds.yml"):
        (checkout / name).write_text("old\n")
    assert generate(checkout, "rules") == (0, ["rules/recording/thresholds.yml written"])
    assert generate(checkout, "--check", "rules", "dashboards") == (0, [])
    assert generate(checkout, "--check", "metrics") == (1, ["docs/metrics.md is out of date"])
    assert generate(checkout, "everything")[0] == 2
