"""The command line. A command is a module here and a line in COMMANDS.

Exit codes: 0 fine, 1 it could not be done, 2 wrong flags or configuration.
"""

import os
import sys
from collections.abc import Sequence

from exporter.cli import bridge, check, demo, flags, optimizations, optimizer, profile, serve
from exporter.cli.command import CommandError
from exporter.config import ConfigError
from exporter.http.sockets import ListenError
from exporter.runtime import logging

COMMANDS = {
    "serve": serve.COMMAND,
    "demo": demo.COMMAND,
    "profile": profile.COMMAND,
    "optimizer": optimizer.COMMAND,
    "optimizations": optimizations.COMMAND,
    "bridge": bridge.COMMAND,
    "check": check.COMMAND,
}
BROKEN_PIPE = 141
"""As of a program that SIGPIPE ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that `arguments` (default: the process's) name; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    named = given and not given[0].startswith("-")
    name = given.pop(0) if named else "serve"
    if name not in COMMANDS:
        flags.unknown_command(name, list(COMMANDS))
    command = COMMANDS[name]
    commands = {each: other.about for each, other in COMMANDS.items()} if not named else {}
    parsed = flags.parser(name, command.about, command.add_flags, commands).parse(given)
    try:
        code = command.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`): what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (ConfigError, ListenError, CommandError) as error:
        logging.flush()
        print(f"{flags.PROGRAM}: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return code
