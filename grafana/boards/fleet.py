"""All bots at once: a row each."""

from grafana.boards import money, trouble
from grafana.boards.alerts import alerts_over_time
from grafana.kit import links, look
from grafana.kit.board import Board
from grafana.kit.graphs import lines
from grafana.kit.queries import firing, firing_warnings, of, of_bot, query
from grafana.kit.tables import Key, Value, table

NOT_SCRAPED = "no exporter is scraped"


def board() -> Board:
    result = Board(
        "tweetbot-fleet",
        "TweetBot / Fleet",
        "All bots: which is not all right, what it has earned, and who in it is in trouble.",
        every_bot=True,
    )
    _bots(result)
    _course(result)
    return result


def _bots(board: Board) -> None:
    known = f"0 * group by (bot) ({of('bot:known:group')})"
    worst = f"topk by (bot) (1, {trouble.agent_rank('bot, agent')})"

    def count(alerts: str) -> str:
        return f"count by (bot) (max by (bot, alertname, agent) ({alerts})) or {known}"

    board.add(
        10,
        table(
            "Bots",
            "A row for each bot, the one that is worst off first. The verdict is that of its overview, to "
            "which its name leads; the agent is the one that is most in trouble.",
            [
                Key("bot", "Bot", links=[links.to_bot("__value.raw")]),
                Key("agent", "Agent in trouble", 195, links=[links.to_agent_of_bot()]),
            ],
            [
                Value("", worst),
                Value("State", trouble.state(), "none", 0, states=look.VERDICT),
                Value("Score", of_bot("bot:overall_score:avg"), look.SCORE, 2),
                Value("Pages", count(firing(of, severity="critical")), decimals=0),
                Value("Tickets", count(firing_warnings(of)), decimals=0),
                Value("Value", money.VALUE, look.USD, 0),
                _gain("Today", "tweetbot_portfolio_day_start_value_usd"),
                _gain("In all", "tweetbot_portfolio_starting_value_usd"),
                Value("Under its peak", of_bot(money.DRAWDOWN), look.RATIO, 1, width=130),
                Value(" ", money.drawdown_verdict(), "none", 0, width=50, states=look.MARK),
            ],
            order=f"{trouble.state()} + on (bot) max by (bot) ({worst} or {known}) / 10",
            empty=NOT_SCRAPED,
            width=24,
        ),
    )


def _gain(header: str, start: str) -> Value:
    return Value(header, money.gained_since(start), look.USD, 0, extra=look.coloured(look.signed(0.5)))


def _course(board: Board) -> None:
    board.add(
        9,
        lines(
            "Overall score by bot",
            "The thresholds are each bot's own, so they are on its overview.",
            query(of_bot("bot:overall_score:avg"), "{{bot}}"),
            unit=look.SCORE,
            decimals=2,
            bounds=(0, 1),
            legend_at="right",
            empty="no bot has two scored agents",
            width=12,
        ),
        lines(
            "Growth by bot",
            "Of the portfolio against its starting value.",
            query(of_bot("tweetbot_portfolio_growth_ratio"), "{{bot}}"),
            unit=look.RATIO,
            legend_at="right",
            empty="no bot has a portfolio",
            width=12,
        ),
    )
    board.add(12, alerts_over_time(by="bot, alertname, agent"))
