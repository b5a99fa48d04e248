"""All commands in one parser: what shell completion and the manual page are made from."""

import argparse
from collections.abc import Iterable, Mapping

from exporter.cli import flags
from exporter.cli.command import Command


def whole(commands: Mapping[str, Command]) -> flags.Parser:
    """The program with its commands as subparsers. Beside them are the flags of `serve`, which is the default."""
    made = flags.parser("serve", "Prometheus exporter for TweetBot.", commands["serve"].add_flags, {})
    made.prog = flags.PROGRAM
    made.usage = "%(prog)s [command] [flags]"
    below = made.add_subparsers(title="commands", metavar="command", parser_class=flags.Parser)
    for name, command in commands.items():
        each = flags.parser(name, command.about, command.add_flags, {})
        below.add_parser(
            name,
            parents=[each],
            help=command.about,
            description=command.about,
            usage=each.usage,
            add_help=False,
        ).prog = each.prog
    return made


def actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """Those of the parser and of its subparsers."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from actions(each)
        else:
            yield action
