"""`check`: what is found of the bot, and what is missing; serves nothing."""

import argparse
import asyncio

from exporter.cli import flags
from exporter.cli.command import Command, configure, require_bot


def add_flags(parser: argparse.ArgumentParser) -> None:
    about = "check only the configuration: neither the bot nor its files are touched"
    parser.add_argument("--config-only", action="store_true", help=about)
    flags.add_bot_flags(parser)
    flags.add_log_flags(parser)


def run(parsed: argparse.Namespace) -> int:
    """Prints the table; 0 if all is there, 1 if something is missing, 2 if a target cannot be used."""
    if parsed.config_only:
        require_bot(configure(parsed))
        print("The configuration is valid.")
        return 0
    from exporter.cli import check_names, check_table  # rich takes its time to import
    from exporter.collectors import registry

    config = configure(parsed, {"log.level": "warn"})
    require_bot(config)
    rows = asyncio.run(check_table.diagnose(registry.build(config)))
    check_table.show(rows)
    check_names.show([finding for _, finding in rows])
    return check_table.exit_code(rows)


COMMAND = Command("Print what is found of a bot, and what is missing.", add_flags, run)
