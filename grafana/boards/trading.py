"""The portfolio, its trades, and the market beside it."""

from grafana.boards.alerts import OF_THESE_AGENTS, alerts_over_time
from grafana.boards.market import market
from grafana.kit import links, look, variables
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.graphs import events, heatmap_of_buckets, lines
from grafana.kit.queries import increase, of, of_agent, query, threshold
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat

NO_PORTFOLIO = "the database has no portfolio"
NO_TRADES = "no trade of these agents"

PROFITABLE = f"sum by (agent) ({of_agent('tweetbot_trades_profitable_total')})"
UNPROFITABLE = f"sum by (agent) ({of_agent('tweetbot_trades_unprofitable_total')})"
WON = f"{PROFITABLE} / ({PROFITABLE} + {UNPROFITABLE} > 0)"
NET = (
    f"sum by (agent) ({of_agent('tweetbot_trade_gains_usd_total')})"
    f" - sum by (agent) ({of_agent('tweetbot_trade_losses_usd_total')})"
)


def board() -> Board:
    result = Board(
        "tweetbot-trading",
        "TweetBot / Trading",
        "The portfolio on its way to the goal, who trades with what success, and the market beside it.",
        agent=variables.some_agents(),
    )
    _now(result)
    _portfolio(result)
    _trades(result)
    market(result)
    result.row("Alerts")
    result.add(6, alerts_over_time(OF_THESE_AGENTS))
    return result


def _bot(name: str) -> str:
    return f"max by (bot) ({of(name)})"


def _now(board: Board) -> None:
    def number(title: str, description: str, name: str, unit: str, decimals: int) -> Panel:
        return stat(
            title,
            description,
            query(_bot(name), title.lower()),
            unit=unit,
            decimals=decimals,
            graph=True,
            empty=NO_PORTFOLIO,
            width=4,
        )

    board.add(
        4,
        number(
            "Value", "Cash plus bitcoin at the newest price.", "tweetbot_portfolio_value_usd", look.USD, 0
        ),
        number(
            "Growth in total",
            "Against the starting value.",
            "tweetbot_portfolio_growth_ratio",
            look.RATIO,
            1,
        ),
        number(
            "Growth this week", "Since Monday 00:00 UTC.", "bot:portfolio_week_growth:ratio", look.RATIO, 1
        ),
        number(
            "Way to the goal",
            "100 % is the goal, below 0 is a loss.",
            "tweetbot_portfolio_goal_progress_ratio",
            look.RATIO,
            0,
        ),
        number(
            "Under its peak",
            "How far the value is now under its highest snapshot. Normal: under 10 %.",
            "bot:portfolio_drawdown:ratio",
            look.RATIO,
            1,
        ),
        number(
            "Held in bitcoin",
            "Share of the value that is deployed.",
            "tweetbot_portfolio_deployed_ratio",
            look.RATIO,
            0,
        ),
    )


def _portfolio(board: Board) -> None:
    board.row("Portfolio (the whole bot)")
    board.add(
        8,
        lines(
            "Value, goal, peak",
            "The portfolio on its way from the starting value to the goal.",
            query(_bot("tweetbot_portfolio_value_usd"), "value"),
            query(_bot("tweetbot_portfolio_goal_value_usd"), "goal"),
            query(_bot("tweetbot_portfolio_peak_value_usd"), "peak"),
            query(_bot("tweetbot_portfolio_starting_value_usd"), "start"),
            unit=look.USD,
            decimals=0,
            colours={"start": look.GREY, "peak": look.PURPLE},
            empty=NO_PORTFOLIO,
            width=12,
        ),
        lines(
            "Drawdown",
            "Under the highest snapshot: now, and the worst ever. Beyond a dashed line it alerts.",
            query(_bot("bot:portfolio_drawdown:ratio"), "now"),
            query(_bot("tweetbot_portfolio_max_drawdown_ratio"), "worst"),
            threshold("bot:portfolio_drawdown_ratio:threshold_warning", agents=False),
            threshold("bot:portfolio_drawdown_ratio:threshold_critical", "threshold: critical", agents=False),
            unit=look.RATIO,
            bounds=(0, None),
            fill=10,
            empty="portfolio_history is empty or missing",
            width=6,
        ),
        lines(
            "Cash and bitcoin",
            "The two parts of the portfolio. They move against each other with every trade.",
            query(_bot("tweetbot_portfolio_balance_usd"), "cash"),
            query(_bot("tweetbot_portfolio_balance_btc"), "bitcoin"),
            unit=look.USD,
            right_axis={"bitcoin": look.BTC},
            empty=NO_PORTFOLIO,
            width=6,
        ),
    )


def _trades(board: Board) -> None:
    def grown(name: str, by: str) -> str:
        return f"sum by ({by}) ({increase(of_agent(name))})"

    values = f"sum by (le) ({increase(of('tweetbot_trade_value_usd_bucket'))})"
    board.row("Trades of the chosen agents")
    board.add(
        8,
        events(
            "Trades by side",
            "Trades in each interval.",
            query(grown("tweetbot_trades_total", "side"), "{{side}}"),
            interval="2m",
            empty=NO_TRADES,
            colours={"buy": look.BLUE, "sell": look.ORANGE},
            width=8,
        ),
        lines(
            "Gains and losses",
            "Sells matched first-in-first-out with earlier buys, fees included, in each interval.",
            query(grown("tweetbot_trade_gains_usd_total", "bot"), "gains"),
            query(f"-{grown('tweetbot_trade_losses_usd_total', 'bot')}", "losses"),
            query(f"-{grown('tweetbot_trade_fees_usd_total', 'bot')}", "fees of all trades"),
            unit=look.USD,
            decimals=0,
            bars=True,
            interval="2m",
            empty=NO_TRADES,
            colours={"gains": look.GREEN, "losses": look.RED, "fees of all trades": look.GREY},
            width=8,
        ),
        heatmap_of_buckets(
            "Value of trades",
            "How many trades were how large (of the whole bot). Normal: within the sizes it is meant to "
            "trade.",
            query(values, "{{le}}", heatmap=True),
            unit=look.USD,
            interval="2m",
            empty="no trade",
            width=8,
        ),
    )
    board.add(
        9,
        table(
            "Trades by agent",
            "Totals of the database. Won is the share of matched sells that earned something; net is gains "
            "minus losses.",
            [Key("agent", "Agent", links=[links.to_agent("__value.raw")])],
            [
                Value(
                    "Trades", f"sum by (agent) ({of_agent('tweetbot_trades_total')})", decimals=0, width=65
                ),
                Value(
                    "In 1 h", f"sum by (agent) ({of_agent('agent:trades:increase1h')})", decimals=0, width=60
                ),
                Value(
                    "Volume",
                    f"sum by (agent) ({of_agent('tweetbot_trade_volume_usd_total')})",
                    look.USD,
                    0,
                    width=85,
                ),
                Value(
                    "Fees",
                    f"sum by (agent) ({of_agent('tweetbot_trade_fees_usd_total')})",
                    look.USD,
                    2,
                    width=75,
                ),
                Value("Won", WON, look.RATIO, 0, width=110, bar=True),
                Value("Net", NET, look.USD, 2, width=100),
            ],
            sort="Net",
            small=True,
            empty=NO_TRADES,
            width=14,
        ),
        lines(
            "Trading frequency",
            "Trades of each agent in the last hour. Normal: even.",
            query(f"sum by (agent) ({of_agent('agent:trades:increase1h')})", "{{agent}}"),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            legend_at="right",
            empty=NO_TRADES,
            width=10,
        ),
    )
