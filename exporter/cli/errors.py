"""What the system refuses, as one line for the user."""

import errno
import os

_LONGEST_PATH = 200
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


class CommandError(Exception):
    """The command could not do its work. The message is for the user: what failed, and what to do about it."""


def refusal(error: OSError) -> str:
    """What the system refused, and why: `/srv/bot: permission denied`."""
    reason = (error.strerror or type(error).__name__).lower()
    if error.filename is not None:
        return f"{_shortened(os.fsdecode(error.filename))}: {reason}"
    # Only output is written without naming a file.
    return f"cannot write the output: {reason}" if error.errno in _WRITING else reason


def _shortened(path: str) -> str:
    """On one line of the terminal, without its control characters."""
    shown = path if path.isprintable() else ascii(path)
    return shown if len(shown) <= _LONGEST_PATH else f"{shown[:_LONGEST_PATH]}… ({len(shown)} characters)"
