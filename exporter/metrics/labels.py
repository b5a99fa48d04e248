"""From the data's own names to label values: one spelling, bounded in length and in number."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

NAME_LENGTH = 128
"""Characters; a longer name is counted under OTHER."""
UNKNOWN = "unknown"
OTHER = "other"
TOO_LONG = None
"""The spelling of a name that is longer than a label value may be."""

_SEPARATORS = re.compile("-+")


@lru_cache(maxsize=1024)
def slugify(name: str) -> str:
    """Lower case, runs of other than letters and digits become one hyphen; empty where nothing is left.

    The marks of a letter (vowel signs, accents that have no letter of their own) stay with it.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower()):
        is_mark = bool(kept) and kept[-1] != "-" and unicodedata.category(character).startswith("M")
        kept.append(character if character.isalnum() or is_mark else "-")
    return _SEPARATORS.sub("-", "".join(kept)).strip("-")


def spell_agent(name: str | None, aliases: Mapping[str, str]) -> str | None:
    """The `agent` label of a name in the data. The keys and values of `aliases` are labels."""
    if name is not None and len(name) > NAME_LENGTH:
        return TOO_LONG
    label = slugify(name or "")
    return aliases.get(label, label) or UNKNOWN


def spell_type(name: str | None) -> str | None:
    """An execution or decision type: its own spelling."""
    if not name:
        return UNKNOWN
    # Prometheus refuses a whole page for one NUL.
    return TOO_LONG if len(name) > NAME_LENGTH else name.replace("\0", "\ufffd")


class LabelBounds:
    """The labels of one table: the first names in row order keep theirs, later ones become `other`.

    `overflow` counts the rows or entries to which that happened. Data that says "other" takes no place.
    """

    def __init__(self, aliases: Mapping[str, str], agents: int, pairs: int) -> None:
        self._aliases = {slugify(name): slugify(alias) for name, alias in aliases.items()}
        self._max_agents, self._max_pairs = agents, pairs
        self._agents: set[str] = set()
        self._types: set[tuple[str, str]] = set()
        self._recipients: set[tuple[str, str]] = set()
        self.overflow = 0

    def dump(self) -> dict[str, Any]:
        """Which names have their place, in JSON's types."""
        return {
            "agents": sorted(self._agents),
            "types": sorted(self._types),
            "recipients": sorted(self._recipients),
            "overflow": self.overflow,
        }

    def load(self, found: Mapping[str, Any]) -> None:
        """Takes what `dump` gave."""
        self._agents = set(found["agents"])
        self._types = {(agent, kind) for agent, kind in found["types"]}
        self._recipients = {(agent, to_agent) for agent, to_agent in found["recipients"]}
        self.overflow = found["overflow"]

    def spelling(self, name: str | None) -> str | None:
        """An agent's label as long as the bound is not reached."""
        return spell_agent(name, self._aliases)

    def bound_agent(self, agent: str | None, count: int) -> str:
        """The label of an agent in `count` new rows."""
        label, overflows = self._agent(agent)
        self.overflow += count * overflows
        return label

    def bound_type(self, agent: str | None, kind: str | None, count: int) -> tuple[str, str]:
        """The labels of an agent and a type in `count` new rows; a row overflows once."""
        label, agent_overflows = self._agent(agent)
        second, type_overflows = _bounded(
            spell_type(kind), lambda kind: _has_room(self._types, (label, kind), self._max_pairs)
        )
        self.overflow += count * (agent_overflows or type_overflows)
        return label, second

    def bound_recipient(self, agent: str | None, to_agent: str, count: int) -> tuple[str, str]:
        """The labels of an agent, whose row was bounded before, and of whom it wrote to in `count` entries."""
        return self.recipient_of(self.known_agent(agent), to_agent, count)

    def recipient_of(self, label: str, to_agent: str, count: int) -> tuple[str, str]:
        """As `bound_recipient`, of an agent by its own label."""
        second, overflows = _bounded(
            self.spelling(to_agent), lambda to: _has_room(self._recipients, (label, to), self._max_pairs)
        )
        self.overflow += count * overflows
        return label, second

    def bound_status(self, status: str | None, usual: Collection[str]) -> tuple[str, bool]:
        """The label of a status, and whether it is `other` because of the bound; counts nothing.

        The usual ones take no place.
        """
        return _bounded(
            spell_type(status),
            lambda kind: kind in usual or _has_room(self._types, ("", kind), self._max_agents),
        )

    def known_agent(self, agent: str | None) -> str:
        """The label of an agent whose row was bounded before."""
        return _bounded(self.spelling(agent), self._agents.__contains__)[0]

    def known_type(self, agent: str | None, kind: str | None) -> tuple[str, str]:
        """The labels of an agent and a type whose row was bounded before."""
        label = self.known_agent(agent)
        return label, _bounded(spell_type(kind), lambda kind: (label, kind) in self._types)[0]

    def _agent(self, agent: str | None) -> tuple[str, bool]:
        return _bounded(self.spelling(agent), lambda label: _has_room(self._agents, label, self._max_agents))


def _has_room(seen: set[T], value: T, limit: int) -> bool:
    if value not in seen and len(seen) < limit:
        seen.add(value)
    return value in seen


def _bounded(label: str | None, has_room: Callable[[str], bool]) -> tuple[str, bool]:
    """(label, whether it is `other` because of a bound)."""
    if label == OTHER:
        return OTHER, False
    if label is TOO_LONG or not has_room(label):
        return OTHER, True
    return label, False
