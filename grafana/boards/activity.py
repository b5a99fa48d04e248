"""Who is at work: used by the overview and by the agent's dashboard."""

from collections.abc import Callable


def activity(select: Callable[[str], str], by: str = "agent") -> str:
    """2 active, 1 silent for too long, 0 stopped, −1 where nothing says it, as of one that only trades.

    An agent without executions is taken at its word.
    """
    running = f"max by ({by}) ({select('tweetbot_agent_running')})"
    executing = f"max by ({by}) ({select('agent:executing:bool')})"
    known = f"max by ({by}) ({select('agent:known:group')})"
    return f"(({running} == 0) or ({executing} + 1) or (2 * {running}) or (0 * {known} - 1))"
