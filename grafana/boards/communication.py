"""Who talks to whom, how fast, and what comes of it."""

from grafana.boards.alerts import OF_THESE_AGENTS, alerts_over_time
from grafana.kit import links, look, variables
from grafana.kit.board import Board
from grafana.kit.graphs import events, heatmap_of_buckets, lines
from grafana.kit.queries import (
    before,
    increase,
    of,
    of_agent,
    per_minute,
    quantile_of,
    query,
    threshold,
    verdict,
)
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import node_graph, stat

SENDER = 'from_agent=~"$agent"'
NEEDS_BRIDGE = "needs the live bot: no bridge is attached, or no message was sent"
DELIVERED = "bot:messages_succeeded_per_message:ratio_increase1h"
SENT = increase(of("tweetbot_messages_total", SENDER), "$__range")
FAILED = increase(of("tweetbot_messages_failed_total", SENDER), "$__range")


def board() -> Board:
    result = Board(
        "tweetbot-communication",
        "TweetBot / Communication",
        "Who talks to whom, how fast, how often it fails, and what comes of it.",
        agent=variables.some_agents(),
    )
    _now(result)
    _who(result)
    _how(result)
    result.row("Alerts")
    result.add(9, alerts_over_time(OF_THESE_AGENTS))
    return result


def _now(board: Board) -> None:
    board.add(
        4,
        stat(
            "Messages (1 h)",
            "Of the chosen agents, as senders.",
            query(f"sum({of_agent('agent:messages:increase1h')})", "now"),
            before=f"sum({before(of_agent('agent:messages:increase1h'), 'agent')})",
            neutral="how many are right is the bot's own matter",
            unit=look.NUMBER,
            decimals=0,
            empty=NEEDS_BRIDGE,
            width=4,
        ),
        stat(
            "Delivered (1 h)",
            "Share of all messages that arrived, and the verdict of the sender that fails most. Normal: over 90 %.",
            query(f"max by (bot) ({of(DELIVERED)})", "now"),
            before=before(of(DELIVERED), "bot"),
            verdict=_worst(
                of_agent("agent:messages_failed_per_message:ratio_increase1h"),
                ">",
                "agent:message_failure_ratio:threshold",
            ),
            unit=look.RATIO,
            decimals=1,
            empty=NEEDS_BRIDGE,
            width=5,
        ),
        stat(
            "Slowest sender (1 h)",
            "95th percentile of the latency of the slowest sender. Normal: well under a second.",
            query(f"max({quantile_of(LATENCY, '0.95')})", "now"),
            before=f"max({before(quantile_of(LATENCY, '0.95'), 'agent')})",
            verdict=_worst(quantile_of(LATENCY, "0.95"), ">", "agent:message_latency_seconds:threshold"),
            unit=look.SECONDS,
            empty=NEEDS_BRIDGE,
            width=6,
        ),
        stat(
            "Lowest coordination (1 h)",
            "The agent whose negotiations succeed least. Normal: over 60 %.",
            query(f"min({of_agent('agent:coordination:ratio_increase1h')})", "now"),
            before=f"min({before(of_agent('agent:coordination:ratio_increase1h'), 'agent')})",
            verdict=_worst(
                of_agent("agent:coordination:ratio_increase1h"),
                "<",
                "agent:coordination_ratio:threshold_medium",
            ),
            unit=look.RATIO,
            decimals=0,
            empty=NEEDS_BRIDGE,
            width=6,
        ),
        stat(
            "Queue",
            "Length of the channel's message queue. The bot never empties it: it only grows.",
            query(f"max by (bot) ({of('tweetbot_messages_queued')})", "queued"),
            neutral="it grows in every bot",
            unit=look.NUMBER,
            decimals=0,
            graph=True,
            empty=NEEDS_BRIDGE,
            width=3,
        ),
    )


def _worst(value: str, comparison: str, threshold: str) -> str:
    """Of the chosen agents, the worst verdict."""
    return f"max({verdict(value, comparison, of_agent(threshold))})"


def _who(board: Board) -> None:
    board.row("Who talks to whom")
    board.add(
        22,
        node_graph(
            "Messages between agents",
            "A node is an agent, with the messages that it sent in this time range and how many of them "
            "failed, which is also the red part of its ring. An edge is a pair with the same numbers.",
            query(_nodes(), table=True),
            query(_edges(), table=True),
            links=[links.to_agent("__data.fields.id")],
            empty=NEEDS_BRIDGE,
            width=24,
        ),
    )
    board.add(
        10,
        table(
            "Pairs",
            "Each pair in this time range. Normal: few failures, on no pair more than on others.",
            [
                Key("from_agent", "From", links=[links.to_agent("__value.raw")]),
                Key("to_agent", "To", links=[links.to_agent("__value.raw")]),
            ],
            [
                Value("Messages", f"sum by (from_agent, to_agent) ({SENT}) > 0", decimals=0, width=90),
                Value(
                    "Failed",
                    f"sum by (from_agent, to_agent) ({FAILED}) and sum by (from_agent, to_agent) "
                    f"({SENT}) > 0",
                    decimals=0,
                    width=75,
                ),
            ],
            sort="Failed",
            small=True,
            empty=NEEDS_BRIDGE,
            width=24,
        ),
    )


def _nodes() -> str:
    """The agents that sent or received, with their messages and failures as labels; the value is the failed share."""

    def by(end: str, expr: str) -> str:
        return f'sum by (id) (label_replace({expr}, "id", "$1", "{end}", "(.+)"))'

    sent = f"({by('from_agent', SENT)} or 0 * {by('to_agent', SENT)})"
    failed = f"({by('from_agent', FAILED)} or 0 * {sent})"
    share = f"{failed} / ({sent} > 0) or 0 * {sent}"
    return f'label_replace({_labelled(share, sent, failed, "id")}, "title", "$1", "id", "(.+)")'


def _edges() -> str:
    def pairs(expr: str) -> str:
        for label, end in (("source", "from_agent"), ("target", "to_agent")):
            expr = f'label_replace({expr}, "{label}", "$1", "{end}", "(.+)")'
        return f"sum by (source, target) ({expr})"

    sent = f"({pairs(SENT)} >= 0.5)"
    labelled = _labelled(sent, sent, f"({pairs(FAILED)} and {sent})", "source, target")
    return f'label_join({labelled}, "id", " → ", "source", "target")'


def _labelled(value: str, sent: str, failed: str, keys: str) -> str:
    """With the two numbers as labels: whole ones, since `increase` is an estimate."""
    for label, expr, words in (("mainstat", sent, "$1 sent"), ("secondarystat", failed, "$1 failed")):
        counted = f'count_values by ({keys}) ("{label}", round({expr}))'
        named = f'label_replace({counted}, "{label}", "{words}", "{label}", "(.+)")'
        value = f"({value}) * on ({keys}) group_left ({label}) {named}"
    return value


def _how(board: Board) -> None:
    buckets = increase(of("tweetbot_message_latency_seconds_bucket", SENDER))
    board.row("How fast, how reliably")
    board.add(
        9,
        heatmap_of_buckets(
            "Latency of messages",
            "How many messages took how long until sendMessage was done. Normal: one low band.",
            query(f"sum by (le) ({buckets})", "{{le}}", heatmap=True),
            unit=look.SECONDS,
            interval="1m",
            empty=NEEDS_BRIDGE,
            width=12,
        ),
        lines(
            "95th percentile of latency by sender (1 h)",
            "Above the dashed line it alerts.",
            query(f"max by (agent) ({quantile_of(LATENCY, '0.95')})", "{{agent}}"),
            threshold("agent:message_latency_seconds:threshold"),
            unit=look.SECONDS,
            bounds=(0, None),
            legend_at="right",
            empty=NEEDS_BRIDGE,
            width=12,
        ),
    )
    board.add(
        9,
        lines(
            "Coordination by agent (1 h)",
            "Negotiations that succeeded; for an agent without any, messages delivered. Below the dashed "
            "line is a bottleneck.",
            query(f"max by (agent) ({of_agent('agent:coordination:ratio_increase1h')})", "{{agent}}"),
            threshold("agent:coordination_ratio:threshold_medium"),
            **look.SHARE,
            legend_at="right",
            empty=NEEDS_BRIDGE,
            width=12,
        ),
        lines(
            "Failed messages by sender (1 h)",
            "Share of an agent's messages that failed. Above the dashed line it alerts.",
            query(
                f"max by (agent) ({of_agent('agent:messages_failed_per_message:ratio_increase1h')})",
                "{{agent}}",
            ),
            threshold("agent:message_failure_ratio:threshold"),
            unit=look.RATIO,
            bounds=(0, None),
            legend_at="right",
            empty=NEEDS_BRIDGE,
            width=12,
        ),
    )
    board.add(
        8,
        lines(
            "Messages per minute",
            "All chosen agents together.",
            query(f"sum({per_minute(of('tweetbot_messages_total', SENDER))})", "sent"),
            query(f"sum({per_minute(of('tweetbot_messages_failed_total', SENDER))})", "failed"),
            unit=look.COUNT,
            interval="1m",
            bounds=(0, None),
            empty=NEEDS_BRIDGE,
            colours={"sent": look.BLUE, "failed": look.RED},
            width=6,
        ),
        lines(
            "Negotiations per minute",
            "Where the bot has negotiations.",
            query(f"sum({per_minute(of_agent('tweetbot_negotiations_total'))})", "all"),
            query(f"sum({per_minute(of_agent('tweetbot_negotiations_succeeded_total'))})", "succeeded"),
            unit=look.COUNT,
            interval="1m",
            bounds=(0, None),
            empty="this bot has no negotiations",
            colours={"all": look.BLUE, "succeeded": look.GREEN},
            width=6,
        ),
        events(
            "Messages noted in decisions per minute",
            "Messages that decisions in the database mention, by addressee; known without the live bot.",
            query(
                f"sum by (to_agent) ({per_minute(of_agent('tweetbot_decision_messages_total'))})",
                "{{to_agent}}",
            ),
            empty="no decision mentions a message",
            legend_at="right",
            width=12,
        ),
    )


LATENCY = "agent_quantile:message_latency_seconds:histogram_quantile_increase1h"
