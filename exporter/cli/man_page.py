"""The manual page in man(7), made from the parsers of all commands."""

import argparse
from collections.abc import Iterator, Mapping

from exporter.cli import flags
from exporter.cli.command import Command

_ABOUT = """\
Watches a TweetBot with Prometheus. Without a command it serves metrics, as with the command serve.
.PP
Every flag with a dot in its name, except \\-\\-config.file, is also a key of the configuration file. A flag wins over
the environment, and the environment over the file."""
_MORE = {
    "ENVIRONMENT": """\
.TP
.B TWEETBOT_EXPORTER_\\fISECTION\\fR_\\fIKEY\\fR
sets a key of the configuration, such as
.B TWEETBOT_EXPORTER_DATABASE_PATH
for \\fBdatabase.path\\fR""",
    "EXIT STATUS": """\
.TP
.B 0
it was done
.TP
.B 1
it could not be done, or something is missing (check)
.TP
.B 2
wrong flags or configuration, or a target that cannot be used (check)""",
    "SEE ALSO": ".BR prometheus (1),\n.BR promtool (1)",
}


def page(commands: Mapping[str, Command]) -> str:
    """The whole page."""
    return "\n".join([*_head(commands), *_commands(commands), *_sections(_MORE)]) + "\n"


def _head(commands: Mapping[str, Command]) -> Iterator[str]:
    name = flags.PROGRAM
    yield '.\\" Written by scripts/generate.'
    yield f'.TH {name.upper()} 1 "" "{name}" "User Commands"'
    yield from _sections(
        {
            "NAME": f"{_escaped(name)} \\- Prometheus exporter for the TweetBot trading bot",
            "SYNOPSIS": f".B {_escaped(name)}\n.RI [ command ]\n.RI [ flags ]",
            "DESCRIPTION": _ABOUT,
        }
    )
    yield ".SH COMMANDS"
    for each, command in commands.items():
        yield f".TP\n.B {each}\n{_escaped(command.about)}"


def _sections(texts: Mapping[str, str]) -> Iterator[str]:
    for title, text in texts.items():
        yield f".SH {title}\n{text}"


def _commands(commands: Mapping[str, Command]) -> Iterator[str]:
    for name, command in commands.items():
        yield f".SH FLAGS OF {name.upper()}"
        for group in flags.parser(name, command.about, command.add_flags, {})._action_groups:
            actions = [each for each in group._group_actions if each.help is not argparse.SUPPRESS]
            if actions and group.title != "general":
                yield f".SS {_escaped((group.title or '').capitalize())}"
                yield from map(_entry, actions)


def _entry(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f"\\fI{_escaped(str(action.metavar or action.dest.upper()))}\\fR"
    names = ", ".join(f"\\fB{_escaped(each)}\\fR" for each in action.option_strings)
    return f".TP\n{' '.join(filter(None, [names, value]))}\n{_escaped(action.help or '')}"


def _escaped(text: str) -> str:
    r"""A minus that can be copied as one; nothing that is a request at the start of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("%%", "%")
    return f"\\&{text}" if text.startswith((".", "'")) else text
