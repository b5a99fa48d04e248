"""What the system lets the process have: open files, and memory."""

import resource
import sys
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

ENOUGH_MEMORY = 512 << 20
"""Bytes of address space, of which Python and its threads reserve far more than they use."""


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


def warn_of_little_memory() -> None:
    """With 150 MB the history was read at a crawl, without an error. 372 MB are the most that was seen in use."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and soft < ENOUGH_MEMORY:
        log.warning(
            "the memory limit is small: reading the history may be slow; raise it (ulimit -v)",
            limit_mb=soft >> 20,
            enough_mb=ENOUGH_MEMORY >> 20,
        )
