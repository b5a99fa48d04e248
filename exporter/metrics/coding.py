"""Content codings of a page that is put together from pieces, each of which may be kept for later pages."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

# By measurement on pieces of a page: level 4 takes twice the time of 3 for 6 % fewer bytes.
GZIP_LEVEL = 3
SMALL = 2048
"""Bytes of a text; smaller ones, which most families are, are compressed together with their neighbours."""
NEIGHBOURS = 8
# RFC 1952: no name, no modification time (the same bytes for the same page), operating system unknown.
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
# RFC 1951: a last block, with fixed codes and nothing in it.
_LAST_BLOCK = b"\x03\0"


class Piece(NamedTuple):
    """A part of a page. `size` and `crc` are the length in bytes and the CRC-32 of its text."""

    data: bytes
    size: int
    crc: int
    is_coded: bool
    """Whether `data` is in the coding already; else it is the text."""


class Coding(Protocol):
    """One of the content codings."""

    name: str

    def piece(self, text: bytes) -> Piece:
        """A part of the text, that fits any page of this coding."""

    def page(self, pieces: Iterable[Piece]) -> bytes:
        """The pieces' texts, one after another, as one body."""


class Identity:
    """No coding."""

    name = "identity"

    def piece(self, text: bytes) -> Piece:
        return Piece(text, len(text), 0, is_coded=True)

    def page(self, pieces: Iterable[Piece]) -> bytes:
        return b"".join([piece.data for piece in pieces])


class Gzip:
    """One gzip member whose deflate stream is cut into pieces: none refers to what stands before it."""

    name = "gzip"

    def piece(self, text: bytes) -> Piece:
        return _as_text(text) if len(text) < SMALL else _as_deflated(text)

    def page(self, pieces: Iterable[Piece]) -> bytes:
        parts, crc, size = [_HEADER], 0, 0
        for piece in _without_small_ones(pieces):
            parts.append(piece.data)
            crc, size = crc32_combine(crc, piece.crc, piece.size), size + piece.size
        return b"".join([*parts, _LAST_BLOCK, struct.pack("<II", crc, size & 0xFFFFFFFF)])


def _as_text(text: bytes) -> Piece:
    return Piece(text, len(text), 0, is_coded=False)


def _as_deflated(text: bytes) -> Piece:
    return Piece(deflate(text), len(text), zlib.crc32(text), is_coded=True)


_as_deflated_before = lru_cache(maxsize=128)(_as_deflated)


def _without_small_ones(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces, small neighbours as one: on their own they would hardly be compressed."""
    for is_coded, run in groupby(pieces, key=attrgetter("is_coded")):
        if is_coded:
            yield from run
            continue
        texts = [piece.data for piece in run]
        for start in range(0, len(texts), NEIGHBOURS):
            yield _as_deflated_before(b"".join(texts[start : start + NEIGHBOURS]))


def deflate(text: bytes) -> bytes:
    """Deflate blocks (RFC 1951) that end on a whole byte, none of which is the last one."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)


def crc32_combine(first: int, second: int, size: int) -> int:
    """The CRC-32 of two texts, one after the other, from the CRC-32 of each and the `size` of the second.

    CRC-32 is linear: the second text's bits come on top of what as many zeros make of the first. At the length of
    our pieces that is faster than to compute it by matrices in Python.
    """
    zeros = _zeros(size)
    return zlib.crc32(zeros, first) ^ _crc32_of_zeros(size) ^ second


_ZEROS = memoryview(bytes(1 << 16))


def _zeros(size: int) -> memoryview | bytes:
    return _ZEROS[:size] if size <= len(_ZEROS) else bytes(size)


@lru_cache(maxsize=4096)
def _crc32_of_zeros(size: int) -> int:
    return zlib.crc32(_zeros(size))
