"""`profile`: all that is known of agents."""

import argparse

from exporter.cli import flags
from exporter.cli.command import Command, configure, require_bot
from exporter.cli.errors import CommandError


def add_flags(parser: argparse.ArgumentParser) -> None:
    _add_profile_flags(parser)
    flags.add_bot_flags(parser)
    flags.add_log_flags(parser)


def _add_profile_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the profile")
    group.add_argument("agent", nargs="*", metavar="AGENT", help="an agent's name (default: all)")
    group.add_argument("--json", action="store_true", help="as JSON: one object for one AGENT, else a list")
    about = "ask the exporter that runs there instead of the bot"
    group.add_argument("--url", type=flags.url, metavar="URL", help=about)


def run(parsed: argparse.Namespace) -> int:
    """Prints the profiles of the agents named, or of all."""
    from exporter.cli import profile_lookup  # rich and the collectors take their time to import

    config = configure(parsed, {"log.level": "warn"})
    if parsed.url is None:
        require_bot(config)
    try:
        profile_lookup.run(config, parsed.agent, parsed.json, parsed.url)
    except profile_lookup.ProfileError as error:
        raise CommandError(str(error)) from None
    return 0


COMMAND = Command("Print all that is known of agents.", add_flags, run)
