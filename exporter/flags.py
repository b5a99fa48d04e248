"""The command line's flags, as exporters have them. A flag's destination is the key that it sets."""

import argparse
import platform
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, get_args

from exporter import __version__
from exporter.config import LogFormat, LogLevel, flag_name
from exporter.optimizer.model import Mode, State

PROGRAM = "tweetbot-exporter"
AddFlags = Callable[[argparse.ArgumentParser], None]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the mend, and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: error: {message}; see {self.prog} --help\n")

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
    general.add_argument("--version", action="version", version=version(), help="print the version and exit")
    general.add_argument("-h", "--help", action="help", help="print this help and exit")
    return made


def unknown_command(name: str, known: Sequence[str]) -> NoReturn:
    """Exits with 2, and the mend."""
    close = get_close_matches(name, known, 1)
    mend = f"did you mean {close[0]}?" if close else f"commands are {', '.join(known)}"
    Parser(prog=PROGRAM).error(f"unknown command {name!a}; {mend}")


def version() -> str:
    """As exporters say it."""
    return (
        f"{PROGRAM}, version {__version__} (python {platform.python_version()}, {platform.system().lower()})"
    )


def add_source_flags(to: argparse.ArgumentParser) -> None:
    """--config.file and what leads to the bot."""
    group = to.add_argument_group("the bot")
    _add_config_file(group)
    _add(group, "database.path", "FILE", "the bot's SQLite file; it need not exist yet", type=_path)
    _add_bridge(group)
    _add(group, "bot.pid_file", "FILE", "holds the process id of a bot without a bridge", type=_path)
    _add(group, "bot.command_pattern", "REGEX", "matches the command line of a bot without a bridge")


def add_web_flags(to: argparse.ArgumentParser, default_address: str) -> None:
    """--web.*"""
    group = to.add_argument_group("web")
    _add(
        group,
        "web.listen_addresses",
        "ADDRESS",
        f":PORT, host:PORT or [IPv6]:PORT; may be given several times (default {default_address})",
        action="append",
    )
    _add(group, "web.telemetry_path", "PATH", "where the metrics are (default /metrics)")
    _add(
        group,
        "web.max_requests",
        "NUMBER",
        "scrapes to serve at a time; more get a 503; 0 is no limit (default 40)",
        type=int,
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
    _add(group, "log.level", None, f"{', '.join(levels)} (default info)", choices=levels)
    _add(group, "log.format", None, f"{', '.join(formats)} (default logfmt)", choices=formats)


def add_demo_flags(to: argparse.ArgumentParser) -> None:
    """What the demo bot is to be like."""
    group = to.add_argument_group("the demo bot")
    scenarios = ("healthy", "degraded", "failing", "harmful")
    group.add_argument(
        "--scenario", choices=scenarios, default="healthy", help=f"{', '.join(scenarios)} (default healthy)"
    )
    group.add_argument(
        "--directory", type=_path, metavar="DIR", help="keep the bot's file here (default: a temporary one)"
    )
    group.add_argument("--seed", type=int, metavar="NUMBER", help="the same number makes the same history")
    group.add_argument(
        "--speed", type=float, metavar="FACTOR", help="how much faster than real time (default 1)"
    )
    group.add_argument(
        "--state-port", type=int, metavar="PORT", help="of the bot's state on 127.0.0.1 (default: a free one)"
    )
    group.add_argument(
        "--actions-token-file",
        type=_path,
        metavar="FILE",
        help="whoever shows the token in it may change the bot with POST /actions (default: nobody may)",
    )


def add_profile_flags(to: argparse.ArgumentParser) -> None:
    """Whose profile, and how it is shown."""
    group = to.add_argument_group("the profile")
    group.add_argument("agent", nargs="*", metavar="AGENT", help="an agent's name (default: all)")
    group.add_argument("--json", action="store_true", help="as JSON: one object for one AGENT, else a list")
    group.add_argument("--url", metavar="URL", help="ask the exporter that runs there instead of the bot")


def add_optimizer_flags(to: argparse.ArgumentParser) -> None:
    """--config.file, --optimizer.* and the bridge."""
    group = to.add_argument_group("the optimizer")
    _add_config_file(group)
    modes = get_args(Mode)
    told = "observe: only write down what would be done (default); act: do it"
    _add(group, "optimizer.mode", None, told, choices=modes)
    _add(group, "optimizer.prometheus_url", "URL", "Prometheus (default http://127.0.0.1:9090)")
    _add(group, "optimizer.bot", "NAME", "the label `bot` of the bot that is meant (default: the only one)")
    _add_ledger(group)
    _add_optimizer_door(group, "; may be given several times")
    group = to.add_argument_group("the bot, for mode act")
    _add_bridge(group)
    told = "holds the token of the bridge's actions"
    _add(group, "optimizer.actions_token_file", "FILE", told, type=_path)


def add_optimizations_flags(to: argparse.ArgumentParser) -> None:
    """What is shown of the ledger, or taken back."""
    group = to.add_argument_group("the ledger")
    _add_config_file(group)
    _add_ledger(group)
    states = get_args(State)
    group.add_argument("--state", choices=states, metavar="STATE", help=f"only {', '.join(states)}")
    group.add_argument(
        "--limit", type=_count, default=20, metavar="NUMBER", help="so many, the newest first (default 20)"
    )
    group.add_argument("--json", action="store_true", help="as JSON, with all that the ledger says")
    group = to.add_argument_group("the running optimizer")
    group.add_argument(
        "--take-back", type=_count, metavar="ID", help="have it put back what this optimization changed"
    )
    _add_optimizer_door(group, "")


def add_bridge_flags(to: argparse.ArgumentParser) -> None:
    """For which bot."""
    group = to.add_argument_group("the bridge")
    group.add_argument(
        "directory", nargs="?", type=_path, metavar="DIRECTORY", help="where the bot is started"
    )
    group.add_argument("--copy", action="store_true", help="copy the bridge's files into DIRECTORY")


def set_keys(flags: argparse.Namespace) -> dict[str, object]:
    """The configuration keys that were set by flags."""
    return {
        key: value
        for key, value in vars(flags).items()
        if "." in key and key != "config.file" and value is not None
    }


def _add_config_file(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--config.file", type=_path, metavar="FILE", help="configuration in YAML; flags win over what it says"
    )


def _add_bridge(group: "argparse._ArgumentGroup") -> None:
    _add(group, "bridge.url", "URL", "the bridge in the bot's process, such as http://127.0.0.1:9465")
    _add(group, "bridge.token_file", "FILE", "holds the bridge's token", type=_path)


def _add_ledger(group: "argparse._ArgumentGroup") -> None:
    _add(
        group, "optimizer.ledger", "FILE", "the optimizer's own file (default optimizer.db, here)", type=_path
    )


def _add_optimizer_door(group: "argparse._ArgumentGroup", more: str) -> None:
    _add(
        group,
        "optimizer.listen_addresses",
        "ADDRESS",
        f"where it listens (default 127.0.0.1:9466){more}",
        action="append",
    )
    told = "holds the token of whoever sends alerts, reads the ledger or takes back"
    _add(group, "optimizer.token_file", "FILE", told, type=_path)


def _add(group: "argparse._ArgumentGroup", key: str, metavar: str | None, about: str, **more: object) -> None:
    shown = {"metavar": metavar or key.rpartition(".")[2].upper()}
    group.add_argument(flag_name(key), dest=key, help=about, **shown, **more)  # type: ignore[arg-type]


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return Path.cwd() / text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        raise argparse.ArgumentTypeError("must be a whole number, from 1 up")
    return int(text)
