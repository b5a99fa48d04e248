"""Source 4: messages between agents."""

from exporter.metrics.catalogue.family import Declarations

LATENCY_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_declare = Declarations("communication")

MESSAGES = _declare.counter(
    "tweetbot_messages_total", "Calls of the channel's sendMessage.", "from_agent", "to_agent"
)
MESSAGES_FAILED = _declare.counter(
    "tweetbot_messages_failed_total", "Calls of sendMessage that threw or rejected.", "from_agent", "to_agent"
)
MESSAGE_LATENCY = _declare.histogram(
    "tweetbot_message_latency_seconds", "Time until sendMessage was done.", LATENCY_BUCKETS, "from_agent"
)
MESSAGES_QUEUED = _declare.gauge(
    "tweetbot_messages_queued", "Length of the channel's messageQueue, which the bot never empties."
)
NEGOTIATIONS = _declare.counter(
    "tweetbot_negotiations_total", "Negotiations, where the bot has them.", "agent"
)
NEGOTIATIONS_SUCCEEDED = _declare.counter(
    "tweetbot_negotiations_succeeded_total", "Negotiations that succeeded.", "agent"
)
AGENT_COORDINATION = _declare.gauge(
    "tweetbot_agent_coordination_ratio",
    "Successful / all negotiations since the bot's start; without any, delivered / sent messages.",
    "agent",
)
