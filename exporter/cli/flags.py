"""The command line's flags, as exporters have them. A flag's destination is the key that it sets."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, get_args
from urllib.parse import urlsplit

from exporter import __version__
from exporter.config import LogFormat, LogLevel, flag_name, variable

PROGRAM = "tweetbot-exporter"
AddFlags = Callable[[argparse.ArgumentParser], None]


class Parser(argparse.ArgumentParser):
    """Says what is wrong and what to do, in one line, and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: error: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Unlike argparse's, does not hide that the output cannot be written."""
        print(message, end="", file=file or sys.stderr)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The flags; does not return if one of them is unknown."""
        known, unknown = self.parse_known_args(arguments)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return known

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"unexpected argument {argument!a} (a command stands before all flags)"
        flag = argument.partition("=")[0]
        flags = [each for action in self._actions for each in action.option_strings if each.startswith("--")]
        close = get_close_matches("--" + flag.lstrip("-"), flags, 1)
        return f"unknown flag {flag}" + (f"; did you mean {close[0]}?" if close else "")


def parser(command: str, about: str, add_flags: AddFlags, commands: Mapping[str, str]) -> Parser:
    """A parser for one command. `commands` (name → what it does) are for the help of the program itself."""
    made = Parser(
        prog=PROGRAM if commands else f"{PROGRAM} {command}",
        usage="%(prog)s [command] [flags]" if commands else "%(prog)s [flags]",
        description=about,
        epilog="\n".join(["commands:", *(f"  {name:15}{what}" for name, what in commands.items())])
        if commands
        else None,
        allow_abbrev=False,
        add_help=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=34, width=100
        ),
    )
    add_flags(made)
    general = made.add_argument_group("general")
    general.add_argument(
        "-v", "--version", action="version", version=version(), help="print the version and exit"
    )
    general.add_argument("-h", "--help", action="help", help="print this help and exit")
    return made


def unknown_command(name: str, known: Sequence[str]) -> NoReturn:
    """Exits with 2 and a suggestion."""
    close = get_close_matches(name, known, 1)
    suggestion = f"did you mean {close[0]}?" if close else f"commands are {', '.join(known)}"
    Parser(prog=PROGRAM).error(f"unknown command {name!a}; {suggestion}")


def version() -> str:
    """As exporters say it."""
    return (
        f"{PROGRAM}, version {__version__} (python {platform.python_version()}, {platform.system().lower()})"
    )


def add_bot_flags(to: argparse.ArgumentParser) -> None:
    """--config.file and what leads to the bot."""
    group = to.add_argument_group("the bot")
    add_config_file(group)
    add(group, "database.path", "FILE", "the bot's SQLite file; it need not exist yet", type=path)
    add(group, "storage.path", "DIRECTORY", "keeps totals over restarts (default: none)", type=path)
    add_bridge(group)
    add(group, "bot.pid_file", "FILE", "holds the process id of a bot without a bridge", type=path)
    add(group, "bot.command_pattern", "REGEX", "matches the command line of a bot without a bridge")


def add_web_flags(to: argparse.ArgumentParser) -> None:
    """--web.*"""
    group = to.add_argument_group("web")
    add(
        group,
        "web.listen_addresses",
        "ADDRESS",
        ":PORT, host:PORT or [IPv6]:PORT; may be given several times (default 127.0.0.1:9464, and "
        ":9464 with --web.config.file)",
        action="append",
    )
    add_access(group)
    add(group, "web.external_url", "URL", "where browsers reach this, if through a reverse proxy")
    add(group, "web.route_prefix", "PATH", "of all paths (default: the path of --web.external-url)")
    add(group, "web.telemetry_path", "PATH", "where the metrics are (default /metrics)")
    add(
        group,
        "web.max_requests",
        "NUMBER",
        "scrapes to serve at a time; more get a 503; 0 is no limit (default 40)",
        type=int,
    )
    group.add_argument(
        "--web.enable-lifecycle",
        dest="web.enable_lifecycle",
        action="store_const",
        const=True,
        help="read the configuration again at POST /-/reload, as at SIGHUP",
    )
    group.add_argument(
        "--web.disable-exporter-metrics",
        dest="web.disable_exporter_metrics",
        action="store_const",
        const=True,
        help="leave out metrics about the exporter's own process (process_*, python_*, promhttp_*)",
    )


def add_log_flags(to: argparse.ArgumentParser) -> None:
    """--log.*"""
    group = to.add_argument_group("logs, on standard error")
    levels, formats = get_args(LogLevel), get_args(LogFormat)
    add(group, "log.level", None, f"{', '.join(levels)} (default info)", choices=levels)
    add(group, "log.format", None, f"{', '.join(formats)} (default logfmt)", choices=formats)


def set_keys(flags: argparse.Namespace) -> dict[str, object]:
    """The configuration keys that were set by flags."""
    return {
        key: value
        for key, value in vars(flags).items()
        if "." in key and key != "config.file" and value is not None
    }


def add_web_config_file(group: "argparse._ArgumentGroup") -> None:
    add(group, "web.config_file", "FILE", "TLS and passwords, in YAML, as exporters have them", type=path)


def add_access(group: "argparse._ArgumentGroup") -> None:
    add_web_config_file(group)
    group.add_argument(
        "--web.systemd-socket",
        dest="web.systemd_socket",
        action="store_const",
        const=True,
        help="listen on the sockets that systemd hands over, instead of addresses",
    )
    told = "a name that clients may use beside addresses; may be given several times"
    add(group, "web.allowed_hosts", "NAME", told, action="append")


def add_config_file(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--config.file", type=path, metavar="FILE", help="configuration in YAML; flags win over what it says"
    )


def config_file() -> Path | None:
    """Of the environment."""
    text = os.environ.get(variable("config.file"))
    return Path.cwd() / text if text else None


def add_bridge(group: "argparse._ArgumentGroup") -> None:
    add(group, "bridge.url", "URL", "the bridge in the bot's process, such as http://127.0.0.1:9465")
    add(group, "bridge.token_file", "FILE", "holds the bridge's token", type=path)


def add_ledger(group: "argparse._ArgumentGroup") -> None:
    add(group, "optimizer.ledger", "FILE", "the optimizer's own file (default optimizer.db, here)", type=path)


def add_optimizer_address(group: "argparse._ArgumentGroup", more: str) -> None:
    add(
        group,
        "optimizer.listen_addresses",
        "ADDRESS",
        f"where it listens (default 127.0.0.1:9466){more}",
        action="append",
    )
    told = "holds the token of whoever sends alerts, reads the ledger or rolls back"
    add(group, "optimizer.token_file", "FILE", told, type=path)


def add(group: "argparse._ArgumentGroup", key: str, metavar: str | None, about: str, **more: object) -> None:
    shown = {"metavar": metavar or key.rpartition(".")[2].upper()}
    group.add_argument(flag_name(key), dest=key, help=about, **shown, **more)  # type: ignore[arg-type]


def path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return Path.cwd() / text


def url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError("must be an address such as http://127.0.0.1:9464")
    return text


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        raise argparse.ArgumentTypeError("must be a whole number, from 1 up")
    return int(text)
