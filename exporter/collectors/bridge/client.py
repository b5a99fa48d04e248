"""The bridge in the bot's process: its state document, fetched once for all who want it at a time."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from exporter.collectors.base import CollectorError
from exporter.collectors.bridge.document import DocumentReader
from exporter.config import Bridge as Settings
from exporter.http.client import FetchError, fetch_json
from exporter.http.tokens import read_token
from exporter.runtime.files import UnreadableFileError

T = TypeVar("T")

VERSION = 1
SHARE = 0.8
"""Of a collector's time: the rest is for what it does with the document."""
LOCAL_HOSTS = ("localhost", "::1")

_HINTS = {
    401: "; it wants another token than bridge.token_file has (or there is none configured)",
    404: "; is that the bridge?",
    421: "; it only answers to a local name such as 127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class BotState:
    """A document that can be trusted as a whole. `run` is the same while the bot's process is."""

    document: dict[str, Any]
    time: float
    run: tuple[float | None, float | None]


class BridgeClient:
    """Fetches the document. Callers that come while a fetch is under way share it."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        if settings.url is None:
            raise ValueError("there is no bridge without a url")
        self.url = settings.url
        self._settings = settings
        self._clock = clock
        self._task: asyncio.Task[BotState] | None = None
        # One thread: what is made of a document must not overlap with what is made of the next one.
        self._executor = ThreadPoolExecutor(1, "bridge")
        self.newest: float | None = None
        """The time of the document that was read last, also of a stale one."""

    @property
    def is_local(self) -> bool:
        """Whether the bot runs on this machine: its process id means something here."""
        host = urlsplit(self.url).hostname or ""
        return host in LOCAL_HOSTS or host.startswith("127.")

    async def state(self, timeout: float) -> BotState:
        """The state as it is now; CollectorError if it cannot be had within `timeout` seconds."""
        if self._task is None:
            self._task = asyncio.create_task(self._fetch(timeout * SHARE), name="fetch the bot's state")
            self._task.add_done_callback(self._ended)
        task = self._task
        # Waiting, unlike awaiting, leaves the task to the other collectors when one is cancelled.
        await asyncio.wait({task}, timeout=timeout)
        if not task.done() or task.cancelled():
            raise CollectorError(f"{self.url} did not answer in time")
        return task.result()

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Does `work` in a thread: a large document would block the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _ended(self, task: "asyncio.Task[BotState]") -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn where all callers are gone

    async def _fetch(self, seconds: float) -> BotState:
        try:
            headers = await asyncio.to_thread(_headers, self._settings.token_file)
            document = await fetch_json(self.url, min(seconds, self._settings.timeout_seconds), headers)
        except UnreadableFileError as error:
            raise CollectorError(str(error)) from None
        except FetchError as error:
            raise CollectorError(f"{error}{_hint(error)}") from None
        return self._checked(document)

    def _checked(self, document: Any) -> BotState:
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
        return BotState(
            document, moment, (reader.count(process, "pid"), reader.positive(process, "startTime"))
        )

    def _is_fresh(self, moment: float) -> bool:
        return abs(self._clock() - moment) <= self._settings.stale_after_seconds

    def _not_fresh(self, moment: float) -> str:
        bound = f"{self._settings.stale_after_seconds:g} seconds (bridge.stale_after_seconds)"
        if moment < self._clock():
            return f"{self.url} answers with a stale document, older than {bound}"
        return f"{self.url} answers with a document from the future, by over {bound}; compare the clocks"


def _hint(error: FetchError) -> str:
    if str(error).endswith("connection refused"):
        return "; the bot is down, or runs without the bridge"
    return _HINTS.get(error.status, "")


def _headers(token_file: Path | None) -> dict[str, str]:
    """Read each time, as a token may be changed while the exporter runs."""
    if token_file is None:
        return {}
    return {"Authorization": f"Bearer {read_token(token_file, 'bridge.token_file')}"}
