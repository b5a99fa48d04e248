"""`python -m exporter.demo`: the simulated bot as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from exporter.demo.errors import DemoError
from exporter.demo.limits import check
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.service import Options, Service


def parser() -> argparse.ArgumentParser:
    scenarios = "; ".join(f"{scenario.name}: {scenario.description}" for scenario in SCENARIOS.values())
    result = argparse.ArgumentParser(prog="python -m exporter.demo", description=__doc__)
    add = result.add_argument
    add(
        "--directory",
        type=Path,
        required=True,
        help="where trading.db is written; an earlier demo's is replaced",
    )
    add("--scenario", default="healthy", help=f"{scenarios} (default: healthy)")
    add("--seed", type=int, default=1, help="the same seed gives the same bot (default: 1)")
    add("--speed", type=float, default=1.0, help="events come so many times as often (default: 1)")
    add("--history-days", type=float, default=3.0, help="days of history before the start (default: 3)")
    add(
        "--state-port",
        type=int,
        default=0,
        help="for GET /state on 127.0.0.1; 0 takes a free one (default: 0)",
    )
    add(
        "--actions-token-file",
        type=Path,
        metavar="FILE",
        help="whoever shows the token in it may POST /actions, which change the bot (default: nobody may)",
    )
    add("--until-stdin-closes", action="store_true", help="end when standard input does")
    add("--remove-directory", action="store_true", help="remove the directory at the end")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    options = Options(**vars(parser().parse_args(arguments)))
    try:
        check(options.scenario, options.seed, options.speed, options.history_days, options.state_port)
        asyncio.run(Service(options).run())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
