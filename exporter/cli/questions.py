"""Questions at the terminal, about what no flag says."""

import sys
from collections.abc import Callable
from getpass import getpass
from typing import Protocol, TypeVar

from exporter.config import ConfigError

ATTEMPTS = 3
T = TypeVar("T")


class Ask(Protocol):
    """`ask` below, or what stands in for it."""

    def __call__(self, what: str, flag: str, parse: Callable[[str], T], *, secret: bool = False) -> T: ...


def ask(what: str, flag: str, parse: Callable[[str], T], *, secret: bool = False) -> T:
    """What `parse` makes of the answer. An answer that it refuses with a ConfigError is asked for again.

    A secret is not echoed. ConfigError after the last attempt, and one that says that `flag` is needed where nobody
    can be asked.
    """
    if not sys.stdin.isatty():
        raise ConfigError(f"{flag} is needed")
    for _ in range(ATTEMPTS - 1):
        try:
            return parse(_answer(what, flag, secret))
        except ConfigError as error:
            print(error, file=sys.stderr)
    return parse(_answer(what, flag, secret))


def _answer(what: str, flag: str, secret: bool) -> str:
    try:
        answer = (getpass if secret else input)(f"{what}: ").strip()
    except EOFError:
        answer = ""
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was changed.", file=sys.stderr)
        raise
    if not answer:
        raise ConfigError(f"{flag} is needed")
    return answer
