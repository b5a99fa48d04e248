"""A gzip page that is put together from pieces is one plain member, whoever reads it."""

import gzip
import io
import subprocess
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tools import needed

from exporter.metrics import coding
from exporter.metrics.coding import Coding, Gzip, Identity, Piece, crc32_combine

texts = st.lists(st.one_of(st.binary(max_size=300), st.builds(bytes, st.integers(0, 70_000))), max_size=8)


def written(how: Coding, parts: list[bytes]) -> bytes:
    return how.page([how.piece(part) for part in parts])


@given(texts)
@example([])
@example([b""])
@example([b"x" * 70_000, b"", b"y"])
def test_the_pieces_are_one_member(parts: list[bytes]) -> None:
    page, text = written(Gzip(), parts), b"".join(parts)
    assert gzip.decompress(page) == text
    # zlib stops at the end of the first member, and has checked its length and CRC-32 by then.
    reader = zlib.decompressobj(wbits=31)
    assert (reader.decompress(page), reader.eof, reader.unused_data) == (text, True, b"")
    assert written(Identity(), parts) == text


@given(texts, st.data())
def test_a_piece_fits_any_page(parts: list[bytes], data: st.DataObject) -> None:
    """In any order, any number of times, beside pieces that were made by another object."""
    pieces = [(part, Gzip().piece(part)) for part in parts]
    chosen = data.draw(st.lists(st.sampled_from(pieces), max_size=12)) if pieces else []
    how = Gzip()
    page = how.page([*(piece for _, piece in chosen), how.piece(b"end")])
    assert gzip.decompress(page) == b"".join(part for part, _ in chosen) + b"end"


@given(st.binary(max_size=200), st.one_of(st.binary(max_size=200), st.builds(bytes, st.integers(0, 140_000))))
def test_checksums_combine(first: bytes, second: bytes) -> None:
    combined = crc32_combine(zlib.crc32(first), zlib.crc32(second), len(second))
    assert combined == zlib.crc32(first + second)


def test_the_command_line_agrees() -> None:
    page = written(Gzip(), [b"tweetbot_x 1.0\n" * 5000, b"# EOF\n"])
    command = [needed("gzip"), "-t", "-v"]
    done = subprocess.run(command, input=page, capture_output=True, check=False)
    assert (done.returncode, b"OK" in done.stderr) == (0, True)


def test_a_text_of_over_4_gib_has_its_length_modulo_4_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    # The checksum of so much is not computed in a moment.
    monkeypatch.setattr(coding, "crc32_combine", lambda *_: 0)
    page = Gzip().page([Piece(b"", 2**32 + 5, 0, is_coded=True)])
    assert page[-4:] == b"\x05\0\0\0"


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_the_same_text_is_the_same_bytes_without_a_name_or_a_time(size: int) -> None:
    first, second = (written(Gzip(), [b"x" * size, b"y"]) for _ in range(2))
    assert first == second
    with gzip.open(io.BytesIO(first)) as file:
        file.read()
        assert not file.mtime
    assert first[3] == 0
