"""Small files that are read again and again, as they may change while the exporter runs."""

import os
import stat
from pathlib import Path

from exporter.sources import SourceError

LARGEST_TOKEN = 4096


def read_small(file: Path, key: str, longest: int) -> tuple[bytes, float] | None:
    """What is in the file, without white space around it, and when it was written; None if there is no file.

    SourceError, which names `key`, if it cannot be read or has over `longest` bytes.
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
        raise SourceError(f"{file} ({key}) cannot be read: {reason}") from None
    if content is None:
        raise SourceError(f"{file} ({key}) is not a regular file")
    if len(content) > longest:
        raise SourceError(f"{file} ({key}) is too large; is it the right file?")
    return content.strip(), about.st_mtime


def read_token(file: Path, key: str) -> str:
    """The one token that is in the file; SourceError, which names `key`, if there is none."""
    found = read_small(file, key, LARGEST_TOKEN)
    if found is None:
        raise SourceError(f"{file} ({key}) does not exist")
    token, _ = found
    if not token or any(byte <= 0x20 or byte >= 0x7F for byte in token):
        raise SourceError(f"{file} ({key}) must hold one token, of visible characters")
    return token.decode("ascii")
