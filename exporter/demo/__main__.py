"""`python -m exporter.demo`: the simulated bot as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from exporter.demo.errors import DemoError
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.service import Options, Service
from exporter.demo.validation import validate_options


def parser() -> argparse.ArgumentParser:
    scenarios = "; ".join(f"{scenario.name}: {scenario.description}" for scenario in SCENARIOS.values())
    result = argparse.ArgumentParser(prog="python -m exporter.demo", description=__doc__)
    add = result.add_argument
    add(
        "--directory",
        type=Path,
        required=True,
        help="directory for trading.db; the file of an earlier demo is replaced",
    )
    add("--scenario", default="healthy", help=f"{scenarios} (default: healthy)")
    add("--seed", type=int, default=1, help="the same seed gives the same bot (default: 1)")
    add("--speed", type=float, default=1.0, help="factor for the rate of events (default: 1)")
    add("--history-days", type=float, default=3.0, help="days of history before the start (default: 3)")
    add(
        "--state-port",
        type=int,
        default=0,
        help="port of GET /state on 127.0.0.1; 0 selects a free one (default: 0)",
    )
    add(
        "--actions-token-file",
        type=Path,
        metavar="FILE",
        help="file with the bearer token for POST /actions, which change the bot (default: actions are disabled)",
    )
    add("--until-stdin-closes", action="store_true", help="end when standard input is closed")
    add("--remove-directory", action="store_true", help="remove the directory at the end")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    options = Options(**vars(parser().parse_args(arguments)))
    try:
        validate_options(
            options.scenario, options.seed, options.speed, options.history_days, options.state_port
        )
        asyncio.run(Service(options).run())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
