"""What the optimizer did on the bot: used by its own dashboard and by the agent's."""

from collections.abc import Callable

from grafana.kit import links, look
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.graphs import events
from grafana.kit.queries import increase, of_optimizer, query
from grafana.kit.tables import Key, Value, table

ACTIONS = "tweetbot_optimizer_actions_total"
FAILURES = "tweetbot_optimizer_actions_failed_total"
WITHOUT = " Empty without an optimizer, which is a process of its own and off by default."
THIS_AGENT = 'agent=~"$agent|"'
"""Also what has no agent: what was done to the whole bot was done to this one, too."""


def by_action(name: str, *matchers: str, over: Callable[[str], str] = str) -> str:
    """By agent and action; where there is no agent, it says so."""
    summed = f"sum by (agent, action) ({over(of_optimizer(name, *matchers))})"
    return f'label_replace({summed}, "agent", "whole system", "agent", "")'


def actions_over_time(*matchers: str, width: int) -> Panel:
    """When the bot was asked."""
    return events(
        "Actions",
        "What the bot was asked to do in each interval, rollbacks included." + WITHOUT,
        query(f"{by_action(ACTIONS, *matchers, over=increase)} > 0", "{{agent}}: {{action}}"),
        empty="no action in this time range: it only observes, or no optimizer is scraped",
        width=width,
    )


def actions_in_all(*matchers: str, width: int) -> Panel:
    """How often the bot was asked, how often in vain, and when last."""
    asked = by_action(ACTIONS, *matchers)
    moment = by_action("tweetbot_optimizer_action_last_timestamp_seconds", *matchers)
    return table(
        "Actions in all",
        "All actions in the ledger, and when the agent was last acted on." + WITHOUT,
        [Key("agent", "Agent", links=[links.to_agent("__value.raw")]), Key("action", "Action", 155)],
        [
            Value("Asked", f"{asked} > 0", decimals=0, width=70),
            Value("Failed", f"{by_action(FAILURES, *matchers)} and {asked} > 0", decimals=0, width=70),
            Value("Last", f"{moment} * 1000", look.MOMENT_AGO, width=125),
        ],
        sort="Last",
        small=True,
        empty="no action yet, or no optimizer is scraped",
        width=width,
    )


def actions_of_agent(board: Board) -> None:
    """The row of the agent's dashboard."""
    board.row("What the optimizer did to it", collapsed=True)
    board.add(7, actions_over_time(THIS_AGENT, width=12), actions_in_all(THIS_AGENT, width=12))
