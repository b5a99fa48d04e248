"""What the system lets the process have: open files, and memory."""

import ctypes
import resource
import sys
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

ENOUGH_MEMORY = 256 << 20
"""Bytes of address space; 204 MB were reserved while 126,000 rows were read, and 116 MB are enough for them."""
_M_ARENA_MAX = -8


def raise_file_limit() -> None:
    """To as many as the process may give itself. The usual limit dates from programs that used select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Not permitted in some sandboxes, which have set the limit themselves.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def share_one_heap() -> None:
    """Otherwise glibc reserves 64 MB of address space for each thread, which a memory limit counts as used."""
    # Other C libraries have no such thing.
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def file_limit() -> int:
    """The number of files that may be open at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def warn_of_little_memory() -> None:
    """With too little the history is read at a crawl, and pages fail."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and soft < ENOUGH_MEMORY:
        log.warning(
            "the memory limit is small: reading the history may be slow; raise it (ulimit -v)",
            limit_mb=soft >> 20,
            enough_mb=ENOUGH_MEMORY >> 20,
        )
