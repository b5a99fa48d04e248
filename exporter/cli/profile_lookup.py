"""The `profile` command: a collection of its own, or what a running exporter says."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, TextIO
from urllib.parse import quote

from exporter.cli.profile_table import show
from exporter.collectors import registry
from exporter.collectors.scrape import Scraper
from exporter.config import Config
from exporter.http.client import FetchError, fetch_json
from exporter.metrics.labels import slugify
from exporter.profile.snapshot import Profile, Snapshot
from exporter.web.profile import AGENTS_PATH, take

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 5.0
"""With a database that cannot be read: the rest of the profile may be had."""
PROGRESS_SECONDS = 5.0
ANSWER_SECONDS = 15.0
DATABASE = "database"


class ProfileError(Exception):
    """There is nothing to show. The message is for the user."""


def run(config: Config, agents: Sequence[str], as_json: bool, url: str | None) -> None:
    """Prints the profiles of the agents named, or of all."""
    profiles = asyncio.run(asked(url, agents) if url is not None else _collected(config, agents))
    if not as_json:
        show(profiles)
        return
    documents = [profile.document() for profile in profiles]
    # Who names one agent gets one object.
    print(json.dumps(documents[0] if len(agents) == 1 else documents, indent=2, ensure_ascii=False))


async def _collected(config: Config, agents: Sequence[str]) -> list[Profile]:
    snapshot = await collect(config)
    names = _chosen(agents, list(snapshot.agents))
    return [snapshot.profile(name) for name in names]


async def collect(config: Config, progress: TextIO | None = None) -> Snapshot:
    """One scrape of all collectors, once the database has caught up; says on stderr how far it is."""
    scraper = Scraper(registry.build(config), config.collector_timeouts())
    try:
        await scraper.start()
        if DATABASE in scraper.names:
            await _caught_up(scraper, progress or sys.stderr)
        return await take(scraper)
    finally:
        await scraper.close()


async def _caught_up(scraper: Scraper, progress: TextIO) -> None:
    failing_since: float | None = None
    printed_at = time.monotonic() - PROGRESS_SECONDS + 1
    while True:
        await scraper.scrape([DATABASE])
        (state,) = [each for each in scraper.statuses() if each.name == DATABASE]
        now = time.monotonic()
        if not state.error and not state.not_ready:
            return
        failing_since = (failing_since or now) if state.error else None
        if failing_since is not None and now - failing_since > PATIENCE_SECONDS:
            return
        if now - printed_at > PROGRESS_SECONDS:
            printed_at = now
            what = state.error or "; ".join(state.not_ready)
            print(f"reading the database: {what}", file=progress, flush=True)
        await asyncio.sleep(POLL_SECONDS)


def _chosen(agents: Sequence[str], known: Sequence[str]) -> list[str]:
    """The agents' labels; all where none is named."""
    for name in agents:
        if slugify(name) not in known:
            raise ProfileError(_unknown(name, known))
    if not known:
        raise ProfileError("no agent is known; `tweetbot-exporter check` says what is found of the bot")
    return [slugify(name) for name in agents] or list(known)


def _unknown(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(slugify(name), known, 1)
    suggestion = f"did you mean {close[0]}?" if close else f"known: {', '.join(known) or 'none'}"
    return f"there is no agent {name!a}; {suggestion}"


async def asked(url: str, agents: Sequence[str]) -> list[Profile]:
    """What the exporter at `url` says."""
    base = url.rstrip("/") + AGENTS_PATH
    try:
        listed = await fetch_json(base, ANSWER_SECONDS)
        names = _chosen(agents, _names(listed))
        documents = [await fetch_json(f"{base}/{quote(name, safe='')}", ANSWER_SECONDS) for name in names]
    except FetchError as error:
        raise ProfileError(str(error)) from None
    with suppress(KeyError, TypeError, AttributeError, ValueError):
        return [Profile.of(document) for document in documents]
    raise ProfileError(f"{base} does not answer as an exporter of this release does")


def _names(listed: Any) -> list[str]:
    entries = listed.get("agents") if isinstance(listed, dict) else None
    return [str(entry["agent"]) for entry in entries or () if isinstance(entry, dict) and "agent" in entry]
