"""The bridge in one of the bot's processes: its state document, as it is now."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.collectors.base import CollectorError
from exporter.collectors.bridge.document import DocumentReader
from exporter.config import Bridge as Settings
from exporter.http.client import FetchError, fetch_json
from exporter.http.tokens import read_token
from exporter.runtime.files import UnreadableFileError

VERSION = 1
LONGEST_NAME = 128
MOST_DATABASES = 8

_HINTS = {
    401: "; it wants another token than bridge.token_file has (or there is none configured)",
    404: "; is that the bridge?",
    421: "; it only answers to a local name such as 127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A document that can be trusted as a whole. `run` is the same while the process is."""

    name: str
    """Which of the bot's processes it is; empty where the bridge does not say."""
    document: dict[str, Any]
    time: float
    run: tuple[float | None, float | None]
    """Process id and start."""


class Endpoint:
    """One bridge, by its address: http://… or unix:/path/of/the.sock."""

    def __init__(
        self, url: str, settings: Settings, database: Path | None, clock: Callable[[], float]
    ) -> None:
        self.url = url
        self._settings = settings
        self._database = database
        self._clock = clock
        self.newest: float | None = None
        """The time of the document that was read last, also of a stale one."""

    async def state(self, headers: dict[str, str], seconds: float) -> ProcessState:
        """The state as it is now; CollectorError if it cannot be had, or is another bot's."""
        try:
            document = await fetch_json(self.url, seconds, headers)
        except FetchError as error:
            raise CollectorError(f"{error}{_hint(error)}") from None
        return self._checked(document)

    def _checked(self, document: Any) -> ProcessState:
        if not isinstance(document, dict) or "version" not in document:
            raise CollectorError(f"{self.url} does not answer with a bridge's document")
        version = document["version"]
        if version != VERSION or isinstance(version, bool):
            raise CollectorError(
                f"{self.url} answers in a version that this exporter does not know (it knows {VERSION}); "
                "take the bridge and the exporter from the same release"
            )
        reader = DocumentReader()
        moment = reader.positive(document, "time")
        if moment is None:
            raise CollectorError(f"{self.url} answers with a document without a time")
        self.newest = moment
        if not self._is_fresh(moment):
            raise CollectorError(self._not_fresh(moment))
        process = reader.part(document, "process")
        self._check_database(reader, process)
        return ProcessState(
            reader.text(process, "name", LONGEST_NAME) or "",
            document,
            moment,
            (reader.count(process, "pid"), reader.positive(process, "startTime")),
        )

    def _is_fresh(self, moment: float) -> bool:
        return abs(self._clock() - moment) <= self._settings.stale_after_seconds

    def _not_fresh(self, moment: float) -> str:
        bound = f"{self._settings.stale_after_seconds:g} seconds (bridge.stale_after_seconds)"
        if moment < self._clock():
            return f"{self.url} answers with a stale document, older than {bound}"
        return f"{self.url} answers with a document from the future, by over {bound}; compare the clocks"

    def _check_database(self, reader: DocumentReader, process: dict[str, Any]) -> None:
        """Two bots may share a port: when one ends, the other's bridge takes it."""
        databases = list(reader.entries(process, "databases", MOST_DATABASES))
        if self._database is None or not self._settings.verify_database or not databases:
            return
        if not any(_is_same(self._database, database) for database in databases):
            paths = " and ".join(str(database.get("path")) for database in databases)
            raise CollectorError(
                f"{self.url} is a process with another database: it has {paths} open, "
                f"database.path is {self._database} (bridge.verify_database)"
            )


def _is_same(path: Path, database: dict[str, Any]) -> bool:
    """By path, or by inode and name: another container or mount shows a file under another path and device."""
    theirs = Path(str(database.get("path")))
    if theirs == path.resolve():
        return True
    try:
        return theirs.name == path.name and str(path.stat().st_ino) == database.get("inode")
    except OSError:
        return False


def _hint(error: FetchError) -> str:
    if str(error).endswith("connection refused"):
        return "; the bot is down, or runs without the bridge"
    return _HINTS.get(error.status, "")


def headers(token_file: Path | None) -> dict[str, str]:
    """Read each time, as a token may be changed while the exporter runs. CollectorError if it cannot be read."""
    if token_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {read_token(token_file, 'bridge.token_file')}"}
    except UnreadableFileError as error:
        raise CollectorError(str(error)) from None
