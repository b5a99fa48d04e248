"""The completion scripts, made by shtab from the parser."""

from collections.abc import Mapping

import shtab

from exporter.cli import flags, parsers
from exporter.cli.command import Command


def of(commands: Mapping[str, Command], shell: str) -> str:
    """For `shell`, which is one that shtab knows."""
    parser = parsers.whole(commands)
    for action in parsers.actions(parser):
        if action.type is flags.path:
            is_directory = str(action.metavar).startswith("DIR")
            action.complete = shtab.DIRECTORY if is_directory else shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)
