"""`optimizations`: the optimizer's ledger, and rollbacks."""

import argparse
from typing import get_args

from exporter.cli import flags
from exporter.cli.command import Command, configure
from exporter.cli.errors import CommandError
from exporter.optimizer.model import State


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the ledger")
    flags.add_config_file(group)
    flags.add_ledger(group)
    states = get_args(State)
    group.add_argument("--state", choices=states, metavar="STATE", help=f"only {', '.join(states)}")
    group.add_argument(
        "--limit",
        type=flags.count,
        default=20,
        metavar="NUMBER",
        help="so many, the newest first (default 20)",
    )
    group.add_argument("--json", action="store_true", help="as JSON, with all that the ledger says")
    group = parser.add_argument_group("the running optimizer")
    group.add_argument(
        "--roll-back", type=flags.count, metavar="ID", help="have it restore what this optimization changed"
    )
    flags.add_optimizer_address(group, "")


def run(parsed: argparse.Namespace) -> int:
    """Prints the ledger, or asks the running optimizer."""
    from exporter.cli import optimizations_table  # rich takes its time to import

    config = configure(parsed, {"log.level": "warn"})
    try:
        if parsed.roll_back is not None:
            optimizations_table.roll_back(config.optimizer, parsed.roll_back)
        else:
            optimizations_table.show(config.optimizer.ledger, parsed.state, parsed.limit, parsed.json)
    except optimizations_table.OptimizationsError as error:
        raise CommandError(str(error)) from None
    return 0


COMMAND = Command("Print the optimizer's ledger, or roll an optimization back.", add_flags, run)
