"""`optimizations`: the optimizer's ledger, what it would do now, rollbacks and suspensions."""

import argparse
import ssl
from typing import get_args

from exporter.cli import flags
from exporter.cli.command import Command, configure
from exporter.cli.errors import CommandError
from exporter.config import Web
from exporter.optimizer.model import State

WHAT = ("list", "plan", "suspend", "resume")


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=WHAT,
        default="list",
        help="list the ledger (default); plan: what would be done now, and why, from Prometheus; "
        "suspend: nothing new is done until resume",
    )
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
    """Prints the ledger or the plan, or asks the running optimizer."""
    # rich takes its time to import
    from exporter.cli import optimizations_plan, optimizations_remote, optimizations_table

    config = configure(parsed, {"log.level": "warn"})
    settings = config.optimizer
    try:
        if parsed.roll_back is not None:
            optimizations_remote.roll_back(settings, parsed.roll_back, _tls(config.web))
        elif parsed.what in ("suspend", "resume"):
            optimizations_remote.ask(settings, parsed.what, _tls(config.web))
        elif parsed.what == "plan":
            optimizations_plan.show(settings)
        else:
            optimizations_table.show(settings.ledger, parsed.state, parsed.limit, parsed.json)
    except optimizations_remote.OptimizationsError as error:
        raise CommandError(str(error)) from None
    return 0


def _tls(web: Web) -> ssl.SSLContext | None:
    """How the running optimizer is reached where its web configuration has TLS."""
    from exporter.config.web_config import load_web_config
    from exporter.http.tls import client_context

    server = load_web_config(web.config_file).tls_server_config if web.config_file else None
    return client_context(server) if server else None


COMMAND = Command("Print the optimizer's ledger or plan, roll back, suspend.", add_flags, run)
