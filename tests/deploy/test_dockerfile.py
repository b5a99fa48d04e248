"""The Dockerfile: what it copies is there and is enough, and what it runs works. No Docker is needed."""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from stackfiles import ROOT
from tools import free_port

from exporter.cli import main as cli

TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
STEPS = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"]
IGNORED = (ROOT / ".dockerignore").read_text("utf-8").split()


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in STEPS if name == instruction]


COPIED = [
    source for step in arguments("COPY") if not step.startswith("--from") for source in step.split()[:-1]
]


def test_both_stages_have_the_same_pinned_python() -> None:
    assert arguments("FROM") == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    (image,) = arguments("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim-\w+", image)


def test_every_package_is_pinned_by_hash_within_the_bounds_of_the_project() -> None:
    text = re.sub(r"#.*", "", (ROOT / "deploy" / "requirements.txt").read_text("utf-8"))
    pinned = dict(
        re.findall(
            r"^([\w.-]+)==([\w.]+) (?:; .*)?(?=\\\n    --hash=sha256:[0-9a-f]{64})", text, re.MULTILINE
        )
    )
    assert len(pinned) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    for each in (*DEPENDENCIES, *PROJECT["build-system"]["requires"]):
        requirement = Requirement(each)
        assert requirement.specifier.contains(pinned[requirement.name.lower()]), each
    (install,) = (step for step in arguments("RUN") if "requirements.txt" in step)
    assert "--require-hashes" in install


def test_no_dependency_may_be_of_a_version_with_known_holes() -> None:
    """Nor of a major version that nobody has tried."""
    bounds = {(each := Requirement(text)).name: each.specifier for text in DEPENDENCIES}
    # CVE-2026-22815, CVE-2026-34525
    assert not bounds["aiohttp"].contains("3.13.3")
    for name, specifier in bounds.items():
        assert {each.operator for each in specifier} == {">=", "<"}, name


def test_what_is_copied_is_there_and_not_ignored() -> None:
    assert COPIED
    for source in COPIED:
        assert (ROOT / source).exists()
        ignored = False
        for pattern in IGNORED:  # the last one that matches decides
            if any(
                fnmatch.fnmatch(str(path), pattern.lstrip("!")) for path in (source, *Path(source).parents)
            ):
                ignored = not pattern.startswith("!")
        assert not ignored, source


def test_it_does_not_run_as_root() -> None:
    names = [name for name, _ in STEPS]
    assert arguments("USER") == ["65532:65532"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert all(name != "RUN" for name in names[names.index("USER") :])


def test_volumes_belong_to_that_user() -> None:
    (made,) = (step for step in arguments("RUN") if step.startswith("install"))
    assert made == "install -d -o 65532 -g 65532 /bot /totals /ledger"


def test_the_command_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,), (command,) = arguments("ENTRYPOINT"), arguments("CMD")
    assert json.loads(entry) == ["tweetbot-exporter"]
    subcommand, *flags = json.loads(command)
    # The file is the user's: it is refused for not being there, and for nothing else.
    assert cli.main([subcommand, *flags]) == 2
    assert "/etc/tweetbot-exporter/config.yml" in capsys.readouterr().err


def test_the_health_check() -> None:
    (check,) = arguments("HEALTHCHECK")
    port = free_port()
    command = json.loads(check[check.index("[") :].replace("9464", str(port)))
    assert command[0] == "python"
    command[0] = sys.executable

    def healthy() -> bool:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0

    assert not healthy()
    exporter = [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(
        [*exporter, "--database.path=none.db"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            assert any("listening" in line for line in process.stderr)
            assert healthy()
        finally:
            process.terminate()


def shipped() -> set[Path]:
    """What whoever installs with pip gets beside the program."""
    rules = ROOT / "rules"
    names = ("alertmanager.yml", "prometheus.yml", "settings.yml", "thresholds.yml")
    folders = [rules / each for each in ("alerts", "recording", "runbooks", "targets", "templates")]
    folders += [ROOT / "deploy" / each for each in ("compose", "kubernetes", "systemd")]
    folders += [ROOT / "grafana" / each for each in ("dashboards", "provisioning")]
    files = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return files | {rules / name for name in names} | {ROOT / "docker-compose.yml"}


@pytest.mark.slow("pip builds a wheel, in an environment of its own")
@pytest.mark.timeout(300)
def test_what_is_copied_is_enough_to_install(tmp_path: Path) -> None:
    source, wheels = tmp_path / "src", tmp_path / "wheels"
    source.mkdir()
    for name in COPIED:
        (source / name).parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, source / name)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(wheels),
        str(source),
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "exporter").rglob("*.*")
        if path.suffix in {".py", ".mjs", ".cjs", ".json", ".typed"}
    }
    assert {name for name in packed if name.startswith("exporter/") and "/share/" not in name} == there
    shared = {name.removeprefix("exporter/share/") for name in packed if name.startswith("exporter/share/")}
    assert shared == {path.relative_to(ROOT).as_posix() for path in shipped()}
