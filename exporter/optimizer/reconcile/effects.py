"""Where optimizations meet on the bot, and what they leave there: pure."""

from collections.abc import Collection, Iterable

from exporter.optimizer.ledger.entries import ActionEntry, Entry
from exporter.optimizer.model import State

CHANGING: Collection[State] = ("acting", "measuring", "restoring")
"""In these states what the bot does may be an optimization's effect."""


def in_the_way(
    entry: Entry, open_ones: Iterable[Entry], states: Collection[State] = CHANGING
) -> Entry | None:
    """Which one is changing the agent of `entry`, which is not: the effects of both could not be separated."""
    return next((other for other in open_ones if other.state in states and overlap(entry, other)), None)


def overlap(one: Entry, other: Entry) -> bool:
    """One about the whole bot is about every agent."""
    return one.subject.agent == other.subject.agent or "" in (one.subject.agent, other.subject.agent)


def settled_at(closed: Entry) -> float:
    """From when on the bot is as a closed optimization left it, and what is measured shows it."""
    assert closed.closed_at is not None
    assert closed.strategy is not None
    # What was never answered may have been done until it was given up. A restart undoes at that moment.
    certain = closed.outcome != "interrupted" and all(each.status != "unanswered" for each in closed.actions)
    changed = [each.answered_at for each in closed.actions if each.changes and each.answered_at is not None]
    return (max(changed) if certain else closed.closed_at) + closed.strategy.implementation_seconds


def to_restore(entry: Entry, by_hand: bool) -> list[ActionEntry]:
    """The actions that changed something, or may have, and were not restored: newest first.

    A pause ends only by hand.
    """
    return [
        action
        for action in reversed(entry.actions)
        if action.restores is None and not action.restored and _may_have_changed(action, by_hand)
    ]


def _may_have_changed(action: ActionEntry, by_hand: bool) -> bool:
    if action.name == "pause" and not by_hand:
        return False
    unknown = action.status in ("sent", "unanswered")
    return unknown or bool(action.changes) or (action.name == "pause" and action.status == "done")
