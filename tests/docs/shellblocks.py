"""The commands that the documentation shows, line by line."""

import re
from collections.abc import Iterator
from pathlib import Path

_FENCE = re.compile(r"^ *```(\w*)")
_INDENTED = re.compile(r"^( {4,})\S")
SHELLS = ("sh", "bash", "console")


def blocks(text: str) -> Iterator[str]:
    """Fenced blocks in a shell's language, and all indented blocks; a prompt and the output after it are left out."""
    fenced: list[str] | None = None
    indented: list[str] = []
    language, before = "", ""
    for line in [*text.splitlines(), ""]:
        if fence := _FENCE.match(line):
            if fenced is None:
                fenced, language = [], fence[1]
            else:
                if language in SHELLS:
                    yield "\n".join(_typed(fenced))
                fenced = None
        elif fenced is not None:
            fenced.append(line)
        elif _INDENTED.match(line) and (indented or not before.strip()):
            indented.append(line.strip())
        elif indented:
            yield "\n".join(indented)
            indented = []
        before = line


def _typed(lines: list[str]) -> list[str]:
    """What stands behind prompts, if there are any."""
    if not any(line.startswith("$ ") for line in lines):
        return lines
    typed, goes_on = [], False
    for line in lines:
        if line.startswith("$ ") or goes_on:
            typed.append(line.removeprefix("$ "))
            goes_on = line.endswith("\\") or "'{" in line or (goes_on and not line.endswith("}'"))
    return typed


def commands(page: Path) -> Iterator[str]:
    """Each command as one line."""
    for block in blocks(page.read_text("utf-8")):
        yield from (
            " ".join(line.split()) for line in block.replace("\\\n", " ").splitlines() if line.strip()
        )
