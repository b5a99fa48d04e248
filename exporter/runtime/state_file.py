"""A document of our own that survives restarts: written atomically, verified when it is read."""

import hashlib
import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import cbor2

MAX_BYTES = 256 << 20
"""Of the document, uncompressed."""


class StateFileError(Exception):
    """The document cannot be read or written. The message names the file and what is wrong."""


class StateFile:
    """One document at `path`, in CBOR (RFC 8949); `format_version` is that of its contents.

    The first line of the file is a header in JSON: the version, the length and the SHA-256 of the rest, which is the
    document, deflated. A half-written or damaged file does not match its header. All methods block.
    """

    def __init__(self, path: Path, format_version: int) -> None:
        self.path = path
        self._version = format_version

    def load(self) -> Any | None:
        """The document; None where there is no file. StateFileError where the file cannot be used."""
        try:
            with self.path.open("rb") as stream:
                header, packed = stream.readline(4096), stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateFileError(f"{self.path} cannot be read: {_reason(error)}") from None
        self._check(header, packed)
        try:
            return cbor2.loads(_inflated(packed))
        except (cbor2.CBORDecodeError, ValueError, zlib.error):
            raise StateFileError(f"{self.path} is damaged") from None

    def save(self, document: bytes) -> None:
        """Replaces the file as a whole, or leaves it as it was and raises StateFileError. `document` is CBOR."""
        packed = zlib.compress(document, 1)
        digest = hashlib.sha256(packed).hexdigest()
        header = json.dumps({"version": self._version, "bytes": len(packed), "sha256": digest})
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            _write(new, header.encode() + b"\n" + packed)
            new.replace(self.path)
            _sync_directory(self.path.parent)
        except OSError as error:
            raise StateFileError(f"{self.path} cannot be written: {_reason(error)}") from None
        finally:
            with suppress(OSError):
                new.unlink()

    def _check(self, header: bytes, packed: bytes) -> None:
        try:
            found = json.loads(header)
            version, length, digest = found["version"], found["bytes"], found["sha256"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StateFileError(f"{self.path} is not a file of this exporter") from None
        if version != self._version:
            raise StateFileError(
                f"{self.path} is of another version of the exporter ({version!r}, this one writes {self._version})"
            )
        if length != len(packed) or digest != hashlib.sha256(packed).hexdigest():
            raise StateFileError(f"{self.path} is damaged or was only half written")


def _inflated(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    document = inflater.decompress(packed, MAX_BYTES)
    if not inflater.eof:
        raise ValueError
    return document


def _write(path: Path, content: bytes) -> None:
    """The content is on the disk when this returns."""
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    """So that the replacement survives a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or "an error").lower()
