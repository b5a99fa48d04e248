"""The command line. A command is a module here and a line in COMMANDS.

Exit codes: 0 fine, 1 it could not be done, 2 wrong flags or configuration.
"""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from exporter.cli import (
    alerts,
    backfill,
    bridge,
    check,
    completion,
    demo,
    export,
    flags,
    optimizations,
    optimizer,
    profile,
    serve,
    setup,
)
from exporter.cli.command import Command
from exporter.cli.errors import CommandError, refusal
from exporter.config import ConfigError
from exporter.http.sockets import ListenError
from exporter.runtime import logging

COMMANDS: dict[str, Command] = {
    "serve": serve.COMMAND,
    "demo": demo.COMMAND,
    "profile": profile.COMMAND,
    "optimizer": optimizer.COMMAND,
    "optimizations": optimizations.COMMAND,
    "bridge": bridge.COMMAND,
    "backfill": backfill.COMMAND,
    "check": check.COMMAND,
    "setup": setup.COMMAND,
    "alerts": alerts.COMMAND,
    "export": export.COMMAND,
}
COMMANDS["completion"] = completion.command(COMMANDS)
BROKEN_PIPE = 141
"""As of a program that SIGPIPE ended."""
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that `arguments` (default: the process's) name; returns its exit code.

    Whatever is wrong with the flags, the configuration or the system is one line on standard error.
    """
    _open_standard_streams()
    try:
        code = _run_and_flush(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`).
        _discard_output()
        return BROKEN_PIPE
    except ConfigError as error:
        return _failed(str(error), 2)
    except (ListenError, CommandError) as error:
        return _failed(str(error))
    except OSError as error:
        _discard_output()
        return _failed(refusal(error))
    return code


def _run_and_flush(given: list[str]) -> int:
    try:
        return _run(given)
    finally:  # also after --help, which ends by SystemExit
        sys.stdout.flush()


def _run(given: list[str]) -> int:
    if given[:1] == ["version"]:
        given = ["--version"]
    elif given[:1] == ["help"]:
        given = [*given[1:2], "--help"]
    named = given and not given[0].startswith("-")
    name = given.pop(0) if named else "serve"
    if name not in COMMANDS:
        flags.unknown_command(name, list(COMMANDS))
    return _run_command(name, COMMANDS[name], given, is_program=not named)


def _run_command(name: str, command: Command, given: Sequence[str], is_program: bool) -> int:
    commands = {each: other.about for each, other in COMMANDS.items()} if is_program else {}
    return command.run(flags.parser(name, command.about, command.add_flags, commands).parse(given))


def _failed(message: str, code: int = 1) -> int:
    logging.flush()
    with suppress(OSError):  # standard error may be full, too
        print(f"{flags.PROGRAM}: error: {message}", file=sys.stderr)
    return code


def _open_standard_streams() -> None:
    """Those that are closed (`>&-`) lead nowhere. Else the next file that is opened, such as the bot's database,
    would take their place, and be printed into."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def _discard_output() -> None:
    """What is still buffered has nowhere to go, and must not fail again when Python ends."""
    with suppress(io.UnsupportedOperation):  # a stream without a file, as tests have it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
