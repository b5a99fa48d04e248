"""`optimizations`: the optimizer's ledger, and rollbacks."""

import argparse
import ssl
from typing import get_args

from exporter.cli import flags
from exporter.cli.command import Command, configure
from exporter.cli.errors import CommandError
from exporter.config import Web
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
    flags.add_web_config_file(group)


def run(parsed: argparse.Namespace) -> int:
    """Prints the ledger, or asks the running optimizer."""
    from exporter.cli import optimizations_table  # rich takes its time to import

    config = configure(parsed, {"log.level": "warn"})
    try:
        if parsed.roll_back is not None:
            optimizations_table.roll_back(config.optimizer, parsed.roll_back, _tls(config.web))
        else:
            optimizations_table.show(config.optimizer.ledger, parsed.state, parsed.limit, parsed.json)
    except optimizations_table.OptimizationsError as error:
        raise CommandError(str(error)) from None
    return 0


def _tls(web: Web) -> ssl.SSLContext | None:
    """How the running optimizer is reached where its web configuration has TLS."""
    from exporter.config.web_config import load_web_config
    from exporter.http.tls import client_context

    server = load_web_config(web.config_file).tls_server_config if web.config_file else None
    return client_context(server) if server else None


COMMAND = Command("Print the optimizer's ledger, or roll an optimization back.", add_flags, run)
