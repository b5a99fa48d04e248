"""Is the system healthy, which agent is not, since when, and why?"""

from grafana.boards.activity import activity
from grafana.boards.agents_table import agents
from grafana.kit import links, look
from grafana.kit.board import Board
from grafana.kit.graphs import lines, timeline
from grafana.kit.queries import BOT_KEY, firing, firing_since, of, query, threshold, verdict
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat

BOTTLENECKS = (
    f"{of('agent:bottleneck_impact:ratio')} or "
    f'label_replace({of("bot:bottleneck_impact:ratio")}, "agent", "whole system", "", "")'
)


def board() -> Board:
    result = Board(
        "tweetbot-overview",
        "TweetBot / Overview",
        "Ten seconds: is the system healthy, which agent is not, since when, and why?",
    )
    _at_a_glance(result)
    _what_is_wrong(result)
    agents(result)
    _course(result)
    return result


def _state() -> str:
    """The worst of three: 1 or 2 for the score, 1 for a bottleneck, 2 for a critical alert."""
    thresholds = (of("bot:overall_score:threshold_high"), of("bot:overall_score:threshold_critical"))
    score = verdict(of("bot:overall_score:avg"), "<", *thresholds, key=BOT_KEY, by="bot")
    critical = of("ALERTS", 'alertname=~"Tweetbot.+"', 'alertstate="firing"', 'severity="critical"')
    return (
        f"max by (bot) ({score}"
        f' or label_replace(group by (bot) ({BOTTLENECKS}), "id", "bottleneck", "", "")'
        f' or label_replace(2 * group by (bot) ({critical}), "id", "alert", "", "")'
        f' or label_replace(0 * group by (bot) ({of("bot:known:group")}), "id", "known", "", ""))'
    )


def _at_a_glance(board: Board) -> None:
    board.add(
        4,
        stat(
            "System",
            "The worst of: the overall score against its thresholds, any bottleneck (▲), any critical "
            "alert (✖). Normal: ✓ ok.",
            query(_state(), instant=True),
            unit="none",
            states=look.VERDICT,
            empty="the exporter is not scraped",
            width=4,
        ),
        stat(
            "Overall score",
            "Mean of the agents' profile scores. 1 is perfect; under 0.75 (as delivered) is a bottleneck.",
            query(f"max by (bot) ({of('bot:overall_score:avg')})", "score"),
            unit=look.SCORE,
            decimals=2,
            graph=True,
            bounds=(0, 1),
            empty="fewer than two scored agents",
            width=4,
        ),
        stat(
            "Bottlenecks now",
            "Thresholds that are broken at this moment, whether or not they already alert. Normal: 0.",
            query(f"count(max by (agent, bottleneck) ({BOTTLENECKS})) or vector(0)", "bottlenecks"),
            unit=look.NUMBER,
            decimals=0,
            graph=True,
            width=4,
        ),
        stat(
            "Alerts firing",
            "Alerts about this bot that page or open a ticket. Normal: 0.",
            query(f"count(max by (severity, alertname, agent) ({firing(of)})) or vector(0)", "alerts"),
            unit=look.NUMBER,
            decimals=0,
            graph=True,
            width=4,
        ),
        stat(
            "Portfolio value",
            "Cash plus bitcoin at the newest price.",
            query(f"max by (bot) ({of('tweetbot_portfolio_value_usd')})", "value"),
            unit=look.USD,
            decimals=0,
            graph=True,
            links=[links.to("tweetbot-trading", "Show trading", agent="")],
            width=4,
        ),
        stat(
            "Way to the goal",
            "How much of the way from the starting value to the goal is done: 100 % is there, below 0 is a "
            "loss.",
            query(f"max by (bot) ({of('tweetbot_portfolio_goal_progress_ratio')})", "progress"),
            unit=look.RATIO,
            decimals=0,
            graph=True,
            links=[links.to("tweetbot-trading", "Show trading", agent="")],
            width=4,
        ),
    )


def _what_is_wrong(board: Board) -> None:
    keys = "agent, bottleneck, bottleneck_severity"
    pending = of("ALERTS_FOR_STATE", 'bottleneck=~".+"')
    named = f'label_replace({pending}, "agent", "whole system", "agent", "")'
    board.row("What is wrong now")
    board.add(
        7,
        table(
            "Bottlenecks",
            "Each broken threshold with its impact: how far beyond it is (response time: in shares of the "
            "threshold; success and score: in points; coordination: half of them). Normal: empty.",
            [
                Key("agent", "Agent", links=[links.to_agent("__value.raw")]),
                Key(
                    "bottleneck",
                    "Bottleneck",
                    175,
                    links=[links.to("tweetbot-optimizer", "Show what the optimizer did", agent="")],
                ),
                Key("bottleneck_severity", "Severity", 98, states=look.BOTTLENECK_SEVERITY),
            ],
            [
                Value("Impact", f"max by ({keys}) ({BOTTLENECKS})", look.RATIO, 0, width=130, bar=True),
                Value(
                    "Since",
                    f"min by ({keys}) ({named}) * 1000 and on ({keys}) ({BOTTLENECKS})",
                    look.MOMENT_AGO,
                    width=125,
                ),
            ],
            sort="Impact",
            small=True,
            empty="✓ no bottleneck: everything is inside its thresholds",
            width=13,
        ),
        table(
            "Firing alerts",
            "What pages or opens a ticket now, and since when its condition holds. Normal: empty.",
            [
                Key("severity", "Severity", 98, states=look.SEVERITY),
                Key("alertname", "Alert"),
                Key("agent", "Agent", 140, links=[links.to_agent("__value.raw")]),
            ],
            [
                Value("Since", firing_since(of), look.MOMENT_AGO, width=125),
            ],
            sort="Severity",
            descending=False,
            small=True,
            empty="✓ no alert is firing",
            width=11,
        ),
    )


def _course(board: Board) -> None:
    board.row("Since when")
    board.add(
        8,
        lines(
            "Overall score over time",
            "The score of the whole system with its thresholds. A step down says when it began.",
            query(f"max by (bot) ({of('bot:overall_score:avg')})", "overall score"),
            threshold("bot:overall_score:threshold_high", agents=False),
            threshold("bot:overall_score:threshold_critical", "threshold: critical", agents=False),
            unit=look.SCORE,
            decimals=2,
            bounds=(0, 1),
            fill=10,
            empty="fewer than two scored agents",
            width=12,
        ),
        lines(
            "Impact of bottlenecks",
            "Each bottleneck while it is one. Normal: nothing drawn.",
            query(f"max by (agent, bottleneck) ({BOTTLENECKS})", "{{agent}}: {{bottleneck}}"),
            unit=look.RATIO,
            fill=10,
            bounds=(0, None),
            empty="✓ no bottleneck in this time range",
            width=12,
        ),
    )
    board.add(
        10,
        timeline(
            "Who was at work",
            "● active: running and acting as often as usual. ◐ silent: running, but no new row for ten of "
            "its usual intervals. ○ stopped: says itself that it does not run.",
            query(activity(of), "{{agent}}"),
            states=look.ACTIVITY,
            empty="no agent is known: is the exporter scraped?",
            width=12,
        ),
        lines(
            "Portfolio value and goal",
            "The portfolio on its way from the starting value to the goal.",
            query(f"max by (bot) ({of('tweetbot_portfolio_value_usd')})", "value"),
            query(f"max by (bot) ({of('tweetbot_portfolio_goal_value_usd')})", "goal"),
            query(f"max by (bot) ({of('tweetbot_portfolio_starting_value_usd')})", "start"),
            unit=look.USD,
            decimals=0,
            colours={"start": look.GREY},
            legend_at="bottom",
            calcs=("lastNotNull", "min", "max"),
            width=12,
        ),
    )
