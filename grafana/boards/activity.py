"""Who is at work: used by the overview and by the agent's dashboard."""

from collections.abc import Callable


def activity(select: Callable[[str], str]) -> str:
    """2 active, 1 silent for too long, 0 stopped. An agent without executions is taken at its word."""
    running = f"max by (agent) ({select('tweetbot_agent_running')})"
    executing = f"max by (agent) ({select('agent:executing:bool')})"
    return f"({running} == 0) or ({executing} + 1) or (2 * {running})"
