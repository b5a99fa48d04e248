"""`bridge`: where the bridge is, and how a bot is started with it."""

import argparse

from exporter.cli import bridge_install, flags
from exporter.cli.command import Command
from exporter.cli.errors import CommandError
from exporter.config import ConfigError


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the bridge")
    group.add_argument(
        "directory", nargs="?", type=flags.path, metavar="DIRECTORY", help="where the bot is started"
    )
    group.add_argument("--copy", action="store_true", help="copy the bridge's files into DIRECTORY")


def run(parsed: argparse.Namespace) -> int:
    """Prints the command line."""
    if parsed.copy and parsed.directory is None:
        raise ConfigError("--copy needs the bot's directory: tweetbot-exporter bridge DIRECTORY --copy")
    if parsed.directory is not None and not parsed.directory.is_dir():
        raise CommandError(f"{parsed.directory} is not a directory; name the one that the bot is started in")
    try:
        copied = bridge_install.copy_to(parsed.directory) if parsed.copy else None
    except bridge_install.InstallError as error:
        raise CommandError(str(error)) from None
    print(bridge_install.instructions(parsed.directory, copied))
    return 0


COMMAND = Command("Print how to start a bot with the bridge.", add_flags, run)
