"""What is counted of an agent's dealings with other agents."""

from exporter.optimizer.measures.base import Bounds, Estimate, Measure, Parts
from exporter.optimizer.measures.queries import counted_live
from exporter.optimizer.measures.statistics import share


def _coordination(parts: Parts) -> Estimate:
    """As in rules/recording/agents.yml: of negotiations, or of messages where the agent has none."""
    negotiations, messages = parts.get("negotiations", 0.0), parts.get("messages", 0.0)
    succeeded, failed = parts.get("negotiations_succeeded"), parts.get("messages_failed")
    if negotiations and succeeded is not None:
        return share(succeeded, negotiations, "negotiations")
    return share(None if failed is None else messages - failed, messages, "messages")


COORDINATION = Measure(
    name="coordination",
    scope="agent",
    direction="higher_is_better",
    unit="ratio",
    kind="events",
    relative=False,
    parts={
        "negotiations": counted_live("tweetbot_negotiations_total"),
        "negotiations_succeeded": counted_live("tweetbot_negotiations_succeeded_total"),
        # Messages belong to the agent that sends them.
        "messages": counted_live("tweetbot_messages_total", "from_agent"),
        "messages_failed": counted_live("tweetbot_messages_failed_total", "from_agent"),
    },
    mean=_coordination,
    no_value="no negotiations and no messages were counted",
    text="coordination",
    events="events",
    worse=Bounds(early=3.2, last=2.6),
)
