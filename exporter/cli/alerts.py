"""`alerts`: whether a page and a ticket arrive."""

import argparse

from exporter.cli import flags
from exporter.cli.command import Command

DEFAULT_URL = "http://localhost:9093"
DEFAULT_SECONDS = 180
"""Alertmanager holds new alerts back for a minute (`group_wait`), and retries what fails."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    about = "test: send a page and a ticket through Alertmanager, and say whether they were delivered"
    parser.add_argument("what", choices=("test",), help=about)
    group = parser.add_argument_group("through which Alertmanager")
    about = f"where it can be reached (default {DEFAULT_URL})"
    group.add_argument("--alertmanager-url", type=flags.url, default=DEFAULT_URL, metavar="URL", help=about)
    about = f"wait so long for the deliveries (default {DEFAULT_SECONDS})"
    group.add_argument("--timeout", type=flags.count, default=DEFAULT_SECONDS, metavar="SECONDS", help=about)


def run(parsed: argparse.Namespace) -> int:
    """0 if each receiver of both was reached."""
    from exporter.cli.alerts_delivery import deliver

    return 0 if deliver(parsed.alertmanager_url.rstrip("/"), parsed.timeout) else 1


COMMAND = Command("Test that alerts arrive: sends a page and a ticket.", add_flags, run)
