"""How many files and connections the process may have open."""

import resource
import sys
from contextlib import suppress


def raise_file_limit() -> None:
    """To as many as the process may give itself. The usual limit dates from programs that used select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Not permitted in some sandboxes, which have set the limit themselves.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def file_limit() -> int:
    """The number of files that may be open at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
