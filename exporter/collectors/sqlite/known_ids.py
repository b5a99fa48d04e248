"""Which decision has which row: text keys by their hashes, in 16 bytes a key."""

from array import array
from hashlib import blake2b
from typing import Any

FIRST_SIZE = 1024
FREE = 0


class KnownIds:
    """A hash table in two arrays, open addressing; keys are as good as their 64-bit hashes.

    For half a million keys a dict would take 50 MB.
    """

    def __init__(self) -> None:
        self._count = 0
        self._hashes = array("Q", bytes(8 * FIRST_SIZE))
        self._rows = array("q", bytes(8 * FIRST_SIZE))

    def __len__(self) -> int:
        return self._count

    def put(self, key: str, row_id: int) -> int | None:
        """Says that a key is in a row now; in which it was before, None for a new one."""
        found = _hash(key)
        place = self._place(found)
        before = None if self._hashes[place] == FREE else self._rows[place]
        self._hashes[place], self._rows[place] = found, row_id
        if before is None:
            self._count += 1
            if self._count * 3 > len(self._hashes) * 2:
                self._grow()
        return before

    def _place(self, found: int) -> int:
        hashes = self._hashes
        last = len(hashes) - 1
        place = found & last
        while hashes[place] not in (FREE, found):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        pairs = zip(self._hashes, self._rows, strict=True)
        size = 8 * 2 * len(self._hashes)
        self._hashes, self._rows = array("Q", bytes(size)), array("q", bytes(size))
        for found, row_id in pairs:
            if found != FREE:
                place = self._place(found)
                self._hashes[place], self._rows[place] = found, row_id

    def dump(self) -> Any:
        """In JSON's types: how many there are, and both arrays as they are."""
        return [self._count, self._hashes.tobytes(), self._rows.tobytes()]

    def load(self, found: Any) -> None:
        """Takes what `dump` gave."""
        self._count, hashes, rows = found
        self._hashes, self._rows = array("Q", hashes), array("q", rows)


def _hash(key: str) -> int:
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
