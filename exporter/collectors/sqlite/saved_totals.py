"""Totals that survive a restart: a document in a directory of the exporter's own, never beside the bot's database.

Saved is what `Database.dump` gives, with the settings that it depends on. What was read after the last time is read
again; rows that were deleted before that are lost.
"""

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

import cbor2
import structlog

from exporter.config import Config
from exporter.runtime.state_file import StateFile, StateFileError

FORMAT_VERSION = 6
"""Of the document. Raise it with every change of what an aggregate dumps."""
SAVE_INTERVAL = 300.0
"""Seconds."""

log = structlog.get_logger(__name__)


class SavedTotals:
    """The saved totals of the database at `path`; of none where no `storage.path` is configured."""

    def __init__(self, path: Path, config: Config) -> None:
        directory = config.storage.path
        digest = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
        self._file = StateFile(directory / f"database-{digest}", FORMAT_VERSION) if directory else None
        self._settings = _settings(config)
        self._saved_at = time.monotonic()
        self._fault = ""

    @property
    def is_due(self) -> bool:
        """Whether it is time to save again."""
        return self._file is not None and time.monotonic() - self._saved_at >= SAVE_INTERVAL

    async def load(self) -> dict[str, Any]:
        """What was saved, by table; nothing where that does not fit, which is logged."""
        if self._file is None:
            log.info("totals are not saved: every start reads the whole history again; see storage.path")
            return {}
        try:
            found = await asyncio.to_thread(self._file.load)
        except StateFileError as error:
            log.warning("saved totals left out, the whole history is read again", why=str(error))
            return {}
        if found is None:
            return {}
        if found["settings"] != self._settings:
            log.warning("saved totals left out, the whole history is read again", why="other settings")
            return {}
        tables: dict[str, Any] = found["tables"]
        log.info("saved totals found", file=str(self._file.path), tables=",".join(tables))
        return tables

    async def save(self, tables: dict[str, Any]) -> None:
        """Replaces what was saved. That it cannot be written is logged, once."""
        if self._file is None:
            return
        self._saved_at = time.monotonic()
        # Encoded before anything else runs: the totals go on changing.
        document = cbor2.dumps({"settings": self._settings, "tables": tables})
        try:
            await asyncio.to_thread(self._file.save, document)
        except StateFileError as error:
            if str(error) != self._fault:
                log.warning("totals could not be saved", error=str(error))
            self._fault = str(error)
        else:
            self._fault = ""


def _settings(config: Config) -> dict[str, Any]:
    """What totals depend on besides the rows."""
    return {
        "window": config.database.window,
        "limits": config.limits.model_dump(),
        "aliases": dict(config.agents.aliases),
        "starting_value_usd": config.portfolio.starting_value_usd,
    }
