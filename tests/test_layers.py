"""The contracts of import-linter in pyproject.toml: each of these imports breaks one, at any depth."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools import ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The package and the contracts."""
    shutil.copytree(ROOT / "exporter", tmp_path / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "contracts.py", tmp_path / "scripts")
    return tmp_path


def broken(checkout: Path) -> list[str]:
    """The contracts that the imports break."""
    done = subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False
    )
    names = [
        line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if line.strip().endswith(" BROKEN")
    ]
    assert done.returncode == bool(names), done.stdout + done.stderr
    return names


LAYERS = "Each package knows only those below it"
SIBLINGS = "No cycles between modules or packages"
CIRCLES = "No module imports itself, also not through an __init__"
DEMO_ALONE = "The demo bot is a program of its own"
DEMO_FOR_CLI = "Only the command line knows the demo bot"


def test_as_it_stands(checkout: Path) -> None:
    assert broken(checkout) == []


@pytest.mark.parametrize(
    ("module", "imported", "contracts"),
    [
        ("metrics/labels.py", "exporter.collectors.base", [LAYERS, SIBLINGS]),
        ("config/types.py", "exporter.http.tokens", [LAYERS, SIBLINGS]),
        ("web/app.py", "exporter.optimizer.model", [LAYERS]),
        ("cli/flags.py", "exporter.cli.main", [SIBLINGS, CIRCLES]),
        ("config/types.py", "exporter.config", [CIRCLES]),
        ("optimizer/bottlenecks/base.py", "exporter.optimizer.bottlenecks", [CIRCLES]),
        ("metrics/catalogue/family.py", "exporter.metrics.reference", [SIBLINGS, CIRCLES]),
        ("demo/clock.py", "exporter.runtime.files", [DEMO_ALONE]),
        ("web/app.py", "exporter.demo.clock", [DEMO_FOR_CLI]),
    ],
)
def test_a_wrong_import_is_found(checkout: Path, module: str, imported: str, contracts: list[str]) -> None:
    path = checkout / "exporter" / module
    path.write_text(f"{path.read_text('utf-8')}\n\nimport {imported}\n", "utf-8")
    assert broken(checkout) == contracts
