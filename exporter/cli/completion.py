"""`completion`: the script that completes commands and flags in a shell."""

import argparse
from collections.abc import Mapping

from exporter.cli.command import Command

SHELLS = ("bash", "zsh", "fish")


def command(commands: Mapping[str, Command]) -> Command:
    """The command that completes `commands`, which may be added to until it runs."""
    return Command(
        "Print the completion script of a shell.", _add_flags, lambda parsed: _run(parsed, commands)
    )


def _add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the shell")
    group.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def _run(parsed: argparse.Namespace, commands: Mapping[str, Command]) -> int:
    from exporter.cli import completion_script  # no other command needs shtab

    print(completion_script.of(commands, parsed.shell))
    return 0
