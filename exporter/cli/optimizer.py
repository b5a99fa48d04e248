"""`optimizer`: Alertmanager's webhook, and the optimizations that its alerts lead to."""

import argparse
from contextlib import ExitStack
from typing import get_args

from exporter.cli import flags
from exporter.cli.command import Command, configure
from exporter.cli.errors import CommandError
from exporter.config import OptimizerMode
from exporter.http.sockets import listening_sockets
from exporter.runtime import signals


def add_flags(parser: argparse.ArgumentParser) -> None:
    _add_optimizer_flags(parser)
    flags.add_log_flags(parser)


def _add_optimizer_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the optimizer")
    flags.add_config_file(group)
    modes = get_args(OptimizerMode)
    help_text = "observe: only record what would be done (default); act: do it"
    flags.add(group, "optimizer.mode", None, help_text, choices=modes)
    flags.add(group, "optimizer.prometheus_url", "URL", "Prometheus (default http://127.0.0.1:9090)")
    flags.add(
        group, "optimizer.bot", "NAME", "the label `bot` of the bot that is meant (default: the only one)"
    )
    flags.add_ledger(group)
    flags.add_optimizer_address(group, "; may be given several times")
    flags.add_access(group)
    group = parser.add_argument_group("the bot, for mode act")
    flags.add_bridge(group)
    help_text = "holds the token of the bridge's actions"
    flags.add(group, "optimizer.actions_token_file", "FILE", help_text, type=flags.path)


def run(parsed: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    from exporter.http.access import Access
    from exporter.optimizer import service
    from exporter.optimizer.http.api import API_PATH
    from exporter.optimizer.ledger.errors import LedgerError

    config = configure(parsed)
    token_file = service.check(config)
    access = Access.of(config.web, own_token=API_PATH)
    with ExitStack() as stack:
        addresses = config.optimizer.listen_addresses
        opened = listening_sockets(config.web, addresses, "--optimizer.listen-address")
        sockets = [stack.enter_context(each) for each in opened]
        try:
            return signals.run(service.run(config, token_file, sockets, access))
        except LedgerError as error:
            raise CommandError(str(error)) from None


COMMAND = Command("Answer bottlenecks: receive alerts, act, measure.", add_flags, run)
