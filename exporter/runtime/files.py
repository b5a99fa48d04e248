"""Small files that are read again and again, as they may change while the process runs."""

import os
import stat
from pathlib import Path


class UnreadableFileError(Exception):
    """A file cannot be used. The message names it, the configuration key that leads to it, and what is wrong."""


def read_small(file: Path, key: str, longest: int) -> tuple[bytes, float] | None:
    """What is in the file, without white space around it, and when it was written; None if there is no file.

    UnreadableFileError, which names `key`, if it cannot be read or has over `longest` bytes.
    """
    try:
        # Opening a pipe without this would wait for somebody to write into it.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            about = os.fstat(descriptor)
            content = stream.read(longest + 1) if stat.S_ISREG(about.st_mode) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or "an error").lower()
        raise UnreadableFileError(f"{file} ({key}) cannot be read: {reason}") from None
    if content is None:
        raise UnreadableFileError(f"{file} ({key}) is not a regular file")
    if len(content) > longest:
        raise UnreadableFileError(f"{file} ({key}) is too large; is it the right file?")
    return content.strip(), about.st_mtime
