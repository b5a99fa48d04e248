"""The `bridge` command: where the bridge's files are, and how to start a bot with them."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import exporter

FILES = Path(exporter.__file__).parent / "bridge"
COPY = "tweetbot-bridge"
"""The folder that --copy makes in the bot's directory."""
KNOWN_ENTRY = "true-agentic-orchestrator.js"
PLACEHOLDER = "your-bot.js"
LARGEST_PACKAGE = 1 << 20

_STARTS_NODE = re.compile(r"^node((?:\s+--?[\w=./:@-]+)*)\s+([\w./@-]+\.[cm]?js)((?:\s+[\w=./:@-]+)*)$")


class InstallError(Exception):
    """The bridge cannot be copied. The message is for the user."""


def instructions(directory: Path | None, copied: Path | None) -> str:
    """What `bridge` prints: the path, and the command line for the bot in `directory`."""
    register = (copied or FILES) / "register.mjs"
    command = shlex.join(command_line(register, directory))
    lines = [str(register), ""]
    if directory is not None:
        command = f"cd {shlex.quote(str(directory))} && {command}"
    lines += ["Start the bot with the bridge:", f"  {command}", ""]
    lines += ["Then tell the exporter:", "  tweetbot-exporter --bridge.url http://127.0.0.1:9465"]
    return "\n".join(lines)


def command_line(register: Path, directory: Path | None) -> list[str]:
    """`node --import` and what the bot is started with now."""
    before, entry, after = _start(directory) if directory is not None else ([], PLACEHOLDER, [])
    return ["node", "--import", _specifier(register, directory), *before, entry, *after]


def copy_to(directory: Path) -> Path:
    """Copies the bridge's files into a folder in the bot's directory; an older copy is replaced."""
    target = directory / COPY
    try:
        target.mkdir(exist_ok=True)
        for file in sorted(FILES.glob("*.mjs")):
            shutil.copyfile(file, target / file.name)
    except OSError as error:
        raise InstallError(f"cannot copy the bridge to {target}: {error.strerror}") from None
    return target


def _specifier(register: Path, directory: Path | None) -> str:
    """What node takes for a module: a path is one as long as nothing in it means something in a URL."""
    path = register.absolute()
    if directory is not None and path.is_relative_to(directory.absolute()):
        return f"./{path.relative_to(directory.absolute()).as_posix()}"
    return str(path) if re.fullmatch(r"[\w./@ -]+", str(path), re.ASCII) else path.as_uri()


def _start(directory: Path) -> tuple[list[str], str, list[str]]:
    """How the bot is started: node's flags, the module, its arguments."""
    package = _package(directory)
    scripts = package.get("scripts")
    script = scripts.get("start") if isinstance(scripts, dict) else None
    if isinstance(script, str) and (found := _STARTS_NODE.match(script.strip())):
        return found[1].split(), found[2], found[3].split()
    if (directory / KNOWN_ENTRY).is_file():
        return [], KNOWN_ENTRY, []
    main = package.get("main")
    return [], main if isinstance(main, str) and main else PLACEHOLDER, []


def _package(directory: Path) -> dict[str, Any]:
    try:
        with (directory / "package.json").open("rb") as stream:
            package = json.loads(stream.read(LARGEST_PACKAGE))
    except (OSError, ValueError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}
