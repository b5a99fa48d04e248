"""The `bridge` command: the path, the command line that fits the bot, the copy."""

import json
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from tools import needed

from exporter.cli import main as cli
from exporter.cli.bridge_install import FILES, PLACEHOLDER, command_line

REGISTER = FILES / "register.mjs"


def test_without_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bridge"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == str(REGISTER)
    assert f"node --import {REGISTER} {PLACEHOLDER}" in out
    assert "--bridge.url" in out


@pytest.mark.parametrize(
    ("files", "started"),
    [
        ({"true-agentic-orchestrator.js": ""}, ["true-agentic-orchestrator.js"]),
        ({"package.json": '{"main": "bot.js"}'}, ["bot.js"]),
        (
            {"package.json": '{"scripts": {"start": "node --max-old-space-size=512 src/bot.mjs --live"}}'},
            ["--max-old-space-size=512", "src/bot.mjs", "--live"],
        ),
        (
            {
                "package.json": '{"scripts": {"start": "npm run x && node a.js"}}',
                "true-agentic-orchestrator.js": "",
            },
            ["true-agentic-orchestrator.js"],
        ),
        ({"package.json": "{"}, [PLACEHOLDER]),
        ({"package.json": "[" * 100_000}, [PLACEHOLDER]),
        ({"package.json": '{"main": 5, "scripts": []}'}, [PLACEHOLDER]),
        ({}, [PLACEHOLDER]),
    ],
)
def test_how_the_bot_is_started_now(tmp_path: Path, files: dict[str, str], started: list[str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert command_line(REGISTER, tmp_path) == ["node", "--import", str(REGISTER), *started]


def test_a_path_that_means_something_else_in_a_url() -> None:
    register = Path("/opt/50% off #1/register.mjs")
    assert command_line(register, None)[2] == "file:///opt/50%25%20off%20%231/register.mjs"


def test_the_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert cli.main(["bridge", str(tmp_path), "--copy"]) == 0
    out = capsys.readouterr().out
    assert "node --import ./tweetbot-bridge/register.mjs" in out
    copied = {file.name for file in (tmp_path / "tweetbot-bridge").iterdir()}
    assert copied == {file.name for file in FILES.glob("*.mjs")}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["bridge", "--copy"], 2, "--copy needs the bot's directory"),
        (["bridge", "nowhere", "--copy"], 1, "is not a directory"),
    ],
)
def test_what_cannot_be_done(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == code
    assert told in capsys.readouterr().err


@pytest.mark.node
@pytest.mark.parametrize("folder", ["bot", "a bot #1 at 50%"])
@pytest.mark.parametrize("copied", [True, False])
def test_the_printed_command_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str, copied: bool
) -> None:
    needed("node")
    directory = tmp_path / folder
    directory.mkdir()
    # Prints what the bridge serves, and ends.
    (directory / "true-agentic-orchestrator.js").write_text(
        "class Bot { async executeStrategicOrchestrationCycle() {} start() { this.isRunning = true; } }\n"
        "new Bot().start();\n"
        "const keys = () => Object.getOwnPropertySymbols(globalThis).map(String).join();\n"
        "setTimeout(() => console.log(keys()), 200);\n"
        "module.exports = Bot;\n"
    )
    cli.main(["bridge", str(directory), *(["--copy"] if copied else [])])
    line = next(each for each in capsys.readouterr().out.splitlines() if "node --import" in each)
    done = subprocess.run(["sh", "-c", line.strip()], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "tweetbot-exporter.bridge" in done.stdout
    assert shlex.split(line)[:2] == ["cd", str(directory)]


def test_the_json_of_a_package_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"x": "y" * (2 << 20), "main": "bot.js"}))
    begun = time.process_time()
    assert command_line(REGISTER, tmp_path)[-1] == PLACEHOLDER
    assert time.process_time() - begun < 1
