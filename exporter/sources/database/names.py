"""From the data's own names to label values: one spelling, bounded in length and in number."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from exporter.sources.database.sql import NAME_LENGTH

UNKNOWN = "unknown"
OTHER = "other"

_SEPARATORS = re.compile(r"[\W_]+")


@lru_cache(maxsize=1024)
def kebab(name: str) -> str:
    """Lower case, runs of other than letters and digits become one hyphen; empty where nothing is left."""
    return _SEPARATORS.sub("-", unicodedata.normalize("NFC", name).lower()).strip("-")


def agent_label(name: str | None, aliases: Mapping[str, str]) -> str:
    """The `agent` label of a name in the data. The keys and values of `aliases` are labels."""
    if name is not None and len(name) > NAME_LENGTH:
        return OTHER
    label = kebab(name or "") or UNKNOWN
    return aliases.get(label, label)


def type_label(name: str | None) -> str:
    """An execution or decision type: its own spelling."""
    if not name:
        return UNKNOWN
    # Prometheus refuses a whole page for one NUL.
    return OTHER if len(name) > NAME_LENGTH else name.replace("\0", "\ufffd")


class Labels:
    """The labels of one table: the first names in row order keep theirs, later ones become `other`.

    `overflow` counts the rows or entries to which that happened.
    """

    def __init__(self, aliases: Mapping[str, str], agents: int, pairs: int) -> None:
        self._aliases = aliases
        self._max_agents, self._max_pairs = agents, pairs
        self._agents: set[str] = set()
        self._pairs: dict[str, set[tuple[str, str]]] = {}
        self.overflow = 0

    def agent(self, name: str | None, count: int = 0) -> str:
        """The label of an agent's name, in `count` rows that are new; with 0 nothing new is admitted."""
        label = agent_label(name, self._aliases)
        if label not in self._agents:
            if count and label != OTHER and len(self._agents) < self._max_agents:
                self._agents.add(label)
            else:
                self.overflow += count
                return OTHER
        return label

    def pair(self, kind: str, name: str | None, second: str, count: int) -> tuple[str, str]:
        """The labels of an agent's name with a second label, each kind of pair within its own bound."""
        overflow = self.overflow
        pair = self.agent(name, count), second
        pairs = self._pairs.setdefault(kind, set())
        if pair not in pairs:
            if second != OTHER and len(pairs) < self._max_pairs:
                pairs.add(pair)
            else:
                self.overflow = overflow + count
                return pair[0], OTHER
        return pair

    def target(self, name: str | None) -> str:
        """The label of an agent that is only spoken of."""
        return agent_label(name, self._aliases)
