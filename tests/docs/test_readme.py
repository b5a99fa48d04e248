"""What the README shows can be used as it stands."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tools import ROOT

from exporter.config import load

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPT, BIN = "/opt/tweetbot-exporter", "/usr/local/bin"


def test_configuration_file(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "config.yml"
    path.write_text(shown)
    config = load(path, {})
    assert config.bridge.url
    assert set(yaml.safe_load(shown)) <= set(type(config).model_fields)


def installation(page: Path) -> list[str]:
    """The commands that install the exporter, from making its folder to putting its command on the PATH."""
    found = re.search(rf"(?m)^    python3 -m venv {OPT}\n(    .+\n)*?    ln .+$", page.read_text())
    assert found, f"{page.name} puts no command on the PATH"
    return [line.strip() for line in found[0].splitlines()]


def test_every_page_installs_alike_and_where_the_unit_looks() -> None:
    commands = installation(ROOT / "README.md")
    assert installation(ROOT / "docs" / "stack.md") == commands
    program = commands[-1].split()[-2]
    assert f"ExecStart={program} " in (ROOT / "deploy" / "systemd" / "tweetbot-exporter.service").read_text()


def checkout(folder: Path) -> Path:
    """The files that the package is built from; building writes beside them."""
    result = folder / "checkout"
    for name in ("exporter", "deploy", "grafana", "rules"):
        shutil.copytree(ROOT / name, result / name, ignore=shutil.ignore_patterns("__pycache__", "secrets"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "docker-compose.yml"):
        shutil.copy(ROOT / name, result)
    return result


@pytest.mark.slow("installs what the README says, in a clean shell")
@pytest.mark.timeout(300)
def test_the_command_is_on_the_path_after_the_installation(tmp_path: Path) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    commands = "\n".join(["set -eu", *installation(ROOT / "README.md")])
    here = commands.replace(OPT, str(tmp_path / "opt")).replace(BIN, str(bin_folder))
    subprocess.run(["sh", "-c", here], cwd=checkout(tmp_path), check=True, capture_output=True, timeout=280)
    clean = ["env", "-i", f"PATH={bin_folder}:/usr/bin:/bin", "sh", "-c", "tweetbot-exporter bridge"]
    told = subprocess.run(clean, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=20).stdout
    register = Path(told.splitlines()[0])
    assert register.is_relative_to(tmp_path / "opt")
    assert register.is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_of_ours_is_put_into_another(page: Path) -> None:
    """Where it is not found, the other gets an empty word: `node --import ""` keeps the bot from starting."""
    assert not re.search(r"\$\(\s*tweetbot-exporter", page.read_text())
