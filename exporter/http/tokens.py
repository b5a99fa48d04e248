"""Bearer tokens, each in a file of its own."""

from pathlib import Path

from exporter.runtime.files import UnreadableFileError, read_small

LARGEST_TOKEN = 4096


def read_token(file: Path, key: str) -> str:
    """The one token that is in the file; UnreadableFileError, which names `key`, if there is none."""
    found = read_small(file, key, LARGEST_TOKEN)
    if found is None:
        raise UnreadableFileError(f"{file} ({key}) does not exist")
    token, _ = found
    if not token or any(byte <= 0x20 or byte >= 0x7F for byte in token):
        raise UnreadableFileError(f"{file} ({key}) must hold one token, of visible characters")
    return token.decode("ascii")
