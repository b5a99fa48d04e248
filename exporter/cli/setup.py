"""`setup`: exporter, unit, rules and receiver on a Debian machine, by one command; and off it again."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from exporter.cli import export, flags, setup_receivers, setup_run
from exporter.cli.command import Command
from exporter.cli.errors import CommandError, refusal
from exporter.cli.questions import ask
from exporter.cli.setup_machine import Machine
from exporter.cli.setup_plan import Wanted
from exporter.config import ConfigError

_SQLITE = b"SQLite format 3\0"


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to do")
    group.add_argument("--dry-run", action="store_true", help="only print what would be done")
    group.add_argument("--uninstall", action="store_true", help="take everything off again")
    _add_bot_flags(parser)
    setup_receivers.add_flags(parser)
    export.add_links(parser)


def _add_bot_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the bot")
    flags.add(group, "database.path", "FILE", "the bot's SQLite file", type=flags.path)
    about = "the bridge in the bot's process, such as http://127.0.0.1:9465"
    flags.add(group, "bridge.url", "URL", about, type=flags.url)
    about = "an existing user to run as (default: one that systemd makes up, in the group of the bot's file)"
    group.add_argument("--user", metavar="NAME", help=about)


def run(parsed: argparse.Namespace) -> int:
    """Shows what it does, and does it unless it is a dry run."""
    machine = Machine()
    if os.geteuid() != 0 and not parsed.dry_run:
        raise CommandError(
            "setup changes the machine: run it as root, or with --dry-run to see what it would do"
        )
    wanted = None if parsed.uninstall else _wanted(parsed)
    try:
        if wanted is None:
            setup_run.uninstall(machine, parsed.dry_run)
        else:
            setup_run.install(machine, wanted, parsed.dry_run)
    except KeyboardInterrupt:
        print("\nInterrupted: run the same command again to finish.", file=sys.stderr)
        raise
    return 0


def _wanted(parsed: argparse.Namespace) -> Wanted:
    given = vars(parsed)
    if given["database.path"]:
        database = _sqlite_file(given["database.path"])
    else:
        database = ask("The bot's SQLite file", "--database.path", _sqlite_file_at)
    return Wanted(
        database,
        given["bridge.url"],
        parsed.user,
        _program(),
        export.links(parsed),
        None if parsed.keep_alertmanager else setup_receivers.chosen(parsed, ask),
        parsed.watchdog_url,
    )


def _sqlite_file_at(answer: str) -> Path:
    try:
        return _sqlite_file(Path(answer).expanduser().absolute())
    except RuntimeError:
        raise ConfigError(f"there is no home directory for {answer.partition('/')[0]}") from None
    except OSError as error:
        raise ConfigError(refusal(error)) from None


def _sqlite_file(path: Path) -> Path:
    """The same path. ConfigError where something else stands there; the file itself may be made later."""
    if path.is_dir():
        raise ConfigError(f"--database.path: {path} is a directory; name the bot's SQLite file in it")
    if not path.exists():
        print(f"{path} does not exist yet: it is read once the bot has made it.")
    elif _head(path) not in (b"", _SQLITE):
        raise ConfigError(f"--database.path: {path} is not an SQLite file")
    return path


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_SQLITE))


def _program() -> str:
    """The path under which this program was started, for the unit."""
    found = shutil.which(sys.argv[0])
    return str(Path(found).absolute().resolve()) if found else f"{sys.executable} -m exporter"


COMMAND = Command("Install unit, rules and receiver on this Debian or Ubuntu machine.", add_flags, run)
