"""Parts of the queries of measures. "{}" stands for a selector's matchers and range."""

REBASED = "rebased"
"""The part that is there where the database's counters cannot be compared within the window."""

EXECUTES = "executes"
"""The part that is there where an agent has executions at all, counted or not."""


def has_executions() -> str:
    """There for each agent whose newest executions are known: they are before all of them are counted."""
    return "group by (bot, agent) (max_over_time(tweetbot_recent_executions{}) > 0)"


def counted(counter: str, by: str = "bot, agent") -> str:
    """The last value in the window minus the first: exactly what was counted between two scrapes.

    increase() extrapolates to the window's edges, near 0 by another factor for each part of a ratio.
    """
    return f"sum by ({by}) ({_growth(counter)})"


def counted_live(counter: str, agent: str = "agent") -> str:
    """As `counted`; by increase() where the counter restarted within the window, as it does with the bot's process."""
    growth = f"{_growth(counter)} unless resets({counter}{{}}) > 0 or increase({counter}{{}})"
    return f'label_replace(sum by (bot, {agent}) ({growth}), "agent", "$1", "{agent}", "(.*)")'


def rebased(*counters: str) -> str:
    """There where what the database's counters grew by is not what happened, as in rules/recording/activity.yml.

    It was another file, or it lost rows before the exporter restarted: then increase() would add all that there is.
    """
    fell = (f"resets({counter}{{}}) > 0" for counter in counters)
    return f"group by (bot) ({' or '.join(['increase(tweetbot_database_replacements_total{}) > 0', *fell])})"


def _growth(counter: str) -> str:
    return f"max_over_time({counter}{{}}) - min_over_time({counter}{{}})"
