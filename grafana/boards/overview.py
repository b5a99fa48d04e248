"""Is the system healthy, which agent is not, since when, and why?"""

from grafana.boards import money, trouble
from grafana.boards.activity import activity
from grafana.boards.agents_table import agents
from grafana.boards.alerts import alerts_over_time, firing_alerts
from grafana.kit import links, look
from grafana.kit.base import Panel, change
from grafana.kit.board import Board
from grafana.kit.graphs import lines, timeline
from grafana.kit.queries import BOT_KEY, before, of, of_bot, query, threshold, verdict
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat


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


def _at_a_glance(board: Board) -> None:
    board.add(
        4,
        trouble.bot_panel(width=4),
        trouble.worst_agent_panel(width=6),
        trouble.began_panel(width=4),
        trouble.alerts_panel(width=4),
        _score(width=6),
    )
    money.row(board)


def _score(width: int) -> Panel:
    thresholds = (of("bot:overall_score:threshold_high"), of("bot:overall_score:threshold_critical"))
    return stat(
        "Overall score",
        "Mean of what is known of the agents, 1 is perfect, and its verdict by the recorded thresholds: 0.75 "
        "and 0.6 as delivered.",
        query(of_bot("bot:overall_score:avg"), "now", instant=True),
        before=before(of("bot:overall_score:avg"), "bot"),
        verdict=verdict(of("bot:overall_score:avg"), "<", *thresholds, key=BOT_KEY, by="bot"),
        unit=look.SCORE,
        decimals=2,
        empty="fewer than two scored agents",
        width=width,
    )


def _what_is_wrong(board: Board) -> None:
    keys = "agent, bottleneck, bottleneck_severity"
    board.add(
        7,
        table(
            "Bottlenecks",
            "Each broken threshold with its impact: how far beyond it is (response time: in shares of the "
            "threshold; success and score: in points; coordination: half of them). ? may be chance: too few "
            "runs to tell, so no alert. Normal: empty.",
            [
                Key("agent", "Agent", links=[links.to_agent("__value.raw")]),
                Key(
                    "bottleneck",
                    "Bottleneck",
                    108,
                    words=look.BOTTLENECK,
                    links=[links.to("tweetbot-optimizer", "Show what the optimizer did", agent="")],
                ),
                Key("bottleneck_severity", "Severity", 90, states=look.BOTTLENECK_SEVERITY),
            ],
            [
                Value(
                    "Impact", f"max by ({keys}) ({trouble.bottlenecks()})", look.RATIO, 0, width=75, bar=True
                ),
                Value(
                    "Since",
                    trouble.bottleneck_began(keys),
                    look.MOMENT_AGO,
                    width=125,
                    extra=[change("mappings", look.NOT_EVIDENT)],
                ),
            ],
            order=trouble.bottleneck_rank(keys),
            small=True,
            empty="✓ no bottleneck: everything is inside its thresholds",
            width=12,
        ),
        firing_alerts("Firing alerts", width=12),
    )


def _course(board: Board) -> None:
    board.row("Since when")
    board.add(11, alerts_over_time())
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
            query(f"max by (agent, bottleneck) ({trouble.bottlenecks()})", "{{agent}}: {{bottleneck}}"),
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
