"""Where the history goes: files for promtool, or the import API of VictoriaMetrics."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

MANIFEST = "backfill.json"
IMPORT_PATH = "/api/v1/import/prometheus"
TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SILENCE_SECONDS = 60.0
"""How long an import may stand still."""


class BackfillError(Exception):
    """The history could not be written. The message is for the user."""


class Sink(Protocol):
    """Takes the history, part after part."""

    def resume(self) -> int:
        """The moment, in seconds since 1970, up to which there is nothing left to do."""

    async def write(self, pieces: Iterable[bytes], first: int, after: int) -> None:
        """Takes the part from `first` to before `after`, in OpenMetrics. BackfillError where that fails."""


class Nowhere:
    """For a dry run."""

    def resume(self) -> int:
        return 0

    async def write(self, pieces: Iterable[bytes], first: int, after: int) -> None:
        pass


class Directory:
    """A file for each part, and a manifest that says with what settings they were made, and up to when."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path, self._settings = path, dict(settings)

    def resume(self) -> int:
        """BackfillError where the directory holds a history that was made with other settings."""
        self._path.mkdir(parents=True, exist_ok=True)
        manifest = self._path / MANIFEST
        try:
            found = json.loads(manifest.read_text("utf-8"))
            after, settings = int(found["after"]), found["settings"]
        except FileNotFoundError:
            return 0
        except (ValueError, KeyError, TypeError):
            raise BackfillError(f"{manifest} cannot be read: remove the directory to start anew") from None
        if settings != self._settings:
            raise BackfillError(
                f"{self._path} holds a history with another database, other labels or another step: "
                "give another directory"
            )
        return after

    async def write(self, pieces: Iterable[bytes], first: int, after: int) -> None:
        name = f"{datetime.fromtimestamp(first, UTC):%Y%m%dT%H%M%SZ}.om"
        _replace(self._path / name, pieces)
        manifest = json.dumps({"settings": self._settings, "after": after}, indent=2)
        _replace(self._path / MANIFEST, [manifest.encode() + b"\n"])


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """The file is there as a whole, or as it was before."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        stream.writelines(pieces)
    part.replace(path)


class Import:
    """VictoriaMetrics at a URL; without a path in it, at the usual one."""

    def __init__(self, url: str) -> None:
        self._url = url if urlsplit(url).path.strip("/") else url.rstrip("/") + IMPORT_PATH

    def resume(self) -> int:
        return 0

    async def write(self, pieces: Iterable[bytes], first: int, after: int) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    self._url, data=_sent(pieces), headers={"Content-Type": TYPE}, allow_redirects=False
                ) as answer,
            ):
                status, fault = answer.status, ""
        except (aiohttp.ClientError, TimeoutError) as error:
            status, fault = 0, str(error) or "it did not answer in time"
        if status not in (200, 204):
            raise BackfillError(
                f"{self._shown} did not take the samples ({fault or f'status {status}'}); "
                f"go on with --start {datetime.fromtimestamp(first, UTC):%Y-%m-%dT%H:%M:%SZ}"
            )

    @property
    def _shown(self) -> str:
        """Without a password."""
        parts = urlsplit(self._url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


async def _sent(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in _joined(pieces):
        yield piece


def _joined(pieces: Iterable[bytes], size: int = 1 << 18) -> Iterator[bytes]:
    """Larger pieces: each is a chunk of the request."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= size:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)
