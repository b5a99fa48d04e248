"""`completion` in the shells themselves, and the manual page: both have every command and every flag."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tools import ROOT

from exporter.cli import main as cli
from exporter.cli import parsers
from exporter.cli.completion import SHELLS
from exporter.cli.main import COMMANDS
from exporter.cli.man_page import page


def flags_of(command: str) -> set[str]:
    parser = parsers.whole({"serve": COMMANDS["serve"], command: COMMANDS[command]})
    return {
        flag
        for action in parsers.actions(parser)
        if action.help != argparse.SUPPRESS
        for flag in action.option_strings
    }


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Path:
    """The script of the shell that the test names, as a file."""
    assert cli.main(["completion", request.param]) == 0
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out)
    return path


@pytest.mark.parametrize("script", SHELLS, indirect=True)
def test_a_script_has_all_commands_and_flags(script: Path) -> None:
    text = script.read_text()
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)
        for flag in flags_of(command) - {"-v", "-h"}:
            assert flag in text or f"-l {flag.removeprefix('--')} " in text, flag


COMPLETED = [
    (["se"], ["serve", "setup"]),
    (["check", "--database"], ["--database.path"]),
    (["export", "da"], ["dashboards"]),
    (["demo", "--scenario", "hea"], ["healthy"]),
    (["check", "--database.path", "bot"], ["bot.db"]),
]


@pytest.mark.parametrize("script", ["bash"], indirect=True)
@pytest.mark.parametrize(("typed", "offered"), COMPLETED, ids=lambda words: " ".join(words))
def test_bash_completes(script: Path, typed: list[str], offered: list[str]) -> None:
    (script.parent / "bot.db").touch()
    words = " ".join(["tweetbot-exporter", *typed])
    ask = f"source ./script; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; COMP_LINE='{words}'"
    ask += "; COMP_POINT=${#COMP_LINE}; _shtab_tweetbot_exporter; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(
        ["bash", "--norc", "-c", ask], cwd=script.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == offered


@pytest.mark.parametrize("script", ["zsh", "fish"], indirect=True)
def test_other_shells_read_it(script: Path, request: pytest.FixtureRequest) -> None:
    shell = request.node.callspec.params["script"]
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on the PATH")
    subprocess.run([shell, "-n", script], check=True)


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main(["completion", "cmd"])
    assert "choose from 'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_the_manual_page_has_all_commands_and_flags() -> None:
    text = page(COMMANDS)
    for name, command in COMMANDS.items():
        section = text.split(f".SH FLAGS OF {name.upper()}\n")[1].split("\n.SH ")[0]
        assert f"\n.B {name}\n" in text
        for flag in flags_of(name) - flags_of("serve"):
            assert flag.replace("-", "\\-") in section, (command, flag)


def test_the_manual_page_is_understood() -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff on the PATH")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", ROOT / "deploy" / "tweetbot-exporter.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
