"""Basic authentication against bcrypt hashes, as the web configuration has them."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

import bcrypt

from exporter.http.rate_limiter import RateLimiter

MOST_REMEMBERED = 100
# A hash takes a good part of a tenth of a second of the bot's machine.
CHECKS_BURST = 20
CHECKS_PER_SECOND = 2.0
_BCRYPT_BYTES = 72


class TooManyChecksError(Exception):
    """More passwords came than are checked; try again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class BasicAuth:
    """Checks passwords, and remembers those that were right, so that a scrape does not pay for bcrypt each time.

    What is remembered is keyed with a secret of this process, and ends with the hash that it was right for.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._right: dict[bytes, None] = {}
        self._one_at_a_time = asyncio.Lock()
        self._limiter = RateLimiter(CHECKS_BURST, CHECKS_PER_SECOND)

    async def check(self, authorization: str, users: Mapping[str, str]) -> bool:
        """Whether the header names one of `users` (name → hash) and its password; TooManyChecksError."""
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        # An unknown user costs what a known one does.
        hashed = users.get(user, max(users.values(), key=_cost))
        digest = self._digest(user, hashed, password)
        if digest in self._right:
            return True
        if wait := self._limiter.wait():
            raise TooManyChecksError(wait)
        self._limiter.charge(1)
        async with self._one_at_a_time:
            right = await asyncio.to_thread(_matches, password, hashed) and user in users
        if right:
            self._remember(digest)
        return right

    def _digest(self, user: str, hashed: str, password: bytes) -> bytes:
        parts = b"".join(hashlib.sha256(part).digest() for part in (user.encode(), hashed.encode(), password))
        return hmac.digest(self._secret, parts, "sha256")

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = None
        if len(self._right) > MOST_REMEMBERED:
            del self._right[next(iter(self._right))]


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def _matches(password: bytes, hashed: str) -> bool:
    # bcrypt itself looks at no more, and Python's refuses more.
    return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed.encode())


def _cost(hashed: str) -> int:
    return int(hashed.split("$")[2])
