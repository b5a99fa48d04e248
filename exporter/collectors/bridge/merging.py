"""The documents of a bot's processes as one document."""

from collections.abc import Sequence
from typing import Any

from exporter.collectors.bridge.document import DocumentReader

LISTS = {"agents": ("id",), "selfReports": ("agent",)}
"""Lists of the document, and the keys that identify an entry."""
COMMUNICATION_LISTS = {"pairs": ("from", "to"), "latency": ("from",), "negotiations": ("agent",)}


def merged(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One document with what all of them have.

    Where two have the same entry, or the same part that is no list, the first one's counts. Values are not checked:
    that is for the reader.
    """
    if len(documents) == 1:
        return documents[0]
    whole: dict[str, Any] = {}
    for document in documents:
        for key, value in document.items():
            whole.setdefault(key, value)
    for key, identity in LISTS.items():
        if any(key in document for document in documents):
            whole[key] = _entries(documents, key, identity)
    reader = DocumentReader()
    parts = [reader.part(document, "communication") for document in documents]
    if any(parts):
        lists = {key: _entries(parts, key, identity) for key, identity in COMMUNICATION_LISTS.items()}
        whole["communication"] = {**next(filter(None, parts)), **lists}
    whole["leftOut"] = _sums([reader.part(document, "leftOut") for document in documents])
    return whole


def has_orchestrator(document: dict[str, Any]) -> bool:
    return isinstance(document.get("orchestrator"), dict)


def _entries(parts: Sequence[dict[str, Any]], key: str, identity: tuple[str, ...]) -> list[Any]:
    found: dict[object, Any] = {}
    for part in parts:
        entries = part.get(key)
        for entry in entries if isinstance(entries, list) else ():
            known = isinstance(entry, dict)
            found.setdefault(str([entry.get(name) for name in identity]) if known else id(entry), entry)
    return list(found.values())


def _sums(parts: Sequence[dict[str, Any]]) -> dict[str, float]:
    reader = DocumentReader()
    sums: dict[str, float] = {}
    for part in parts:
        for key in part:
            sums[key] = sums.get(key, 0.0) + (reader.count(part, key) or 0.0)
    return sums
