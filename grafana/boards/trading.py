"""The portfolio, its trades, and the market beside it."""

from grafana.boards import money
from grafana.boards.alerts import OF_THESE_AGENTS, alerts_over_time
from grafana.boards.market import market
from grafana.kit import links, look, variables
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
NOT_SO_OLD = "Prometheus does not know the start of this time range"


def _grew(name: str) -> str:
    """Its growth since the start of the time range that is shown."""
    return f"(max by (bot) ({of(name)}) / max by (bot) ({of(name)} @ start()) - 1)"


PORTFOLIO_GREW = _grew("tweetbot_portfolio_value_usd")
PRICE_GREW = _grew("tweetbot_market_price_usd")


def board() -> Board:
    result = Board(
        "tweetbot-trading",
        "TweetBot / Trading",
        "The portfolio on its way to the goal, who trades with what success, and the market beside it.",
        agent=variables.some_agents(),
    )
    _now(result)
    _portfolio(result)
    _profit(result)
    _trades(result)
    market(result)
    result.row("Alerts")
    result.add(9, alerts_over_time(OF_THESE_AGENTS))
    return result


def _bot(name: str) -> str:
    return f"max by (bot) ({of(name)})"


def _now(board: Board) -> None:
    money.row(board)
    board.add(
        4,
        stat(
            "Made in this time range",
            "Gains minus losses of the matched sells of the chosen agents. Green is a gain, red a loss.",
            query(_made(), "now", instant=True),
            before=_made(" offset $__range"),
            unit=look.USD,
            decimals=0,
            steps=look.signed(0.5),
            empty=NO_TRADES,
            width=6,
        ),
        stat(
            "Profit factor",
            "Gains divided by losses of the matched sells of the chosen agents: over 1 they earned, under 1 they lost. "
            "Won is the share of these sells that earned something: few large gains can be worth many small losses.",
            query(
                f"sum({_each('gains_usd', of='trade')}) / (sum({_each('losses_usd', of='trade')}) > 0)",
                "factor",
                instant=True,
            ),
            query(
                f"sum({_each('profitable')}) / (sum({_each('profitable')}) + sum({_each('unprofitable')}) > 0)",
                "won",
                instant=True,
            ),
            unit=look.SCORE,
            decimals=2,
            steps=((None, "text"), (0, look.RED), (1, look.GREEN)),
            show=money.NAMED,
            overrides={"won": [*look.PERCENT, *look.thresholds(look.NEUTRAL)]},
            empty="no sell has lost anything yet",
            width=6,
        ),
        stat(
            "Better than holding bitcoin",
            "How much more the portfolio has grown in this time range than bitcoin has: below 0, holding "
            "bitcoin would have been better.",
            query(f"{PORTFOLIO_GREW} - {PRICE_GREW}", "difference"),
            unit=look.RATIO,
            decimals=1,
            steps=look.signed(0.0005),
            empty=NOT_SO_OLD,
            width=6,
        ),
        stat(
            "Way to the goal",
            "How much of the way from the starting value to the goal is done: 100 % is there, below 0 is a loss.",
            query(_bot("tweetbot_portfolio_goal_progress_ratio"), "progress"),
            unit=look.RATIO,
            decimals=0,
            steps=look.signed(0.005),
            graph=True,
            empty=NO_PORTFOLIO,
            width=6,
        ),
    )


def _made(when: str = "") -> str:
    def grown(name: str) -> str:
        return f"sum(increase({of_agent(f'tweetbot_trade_{name}_usd_total')}[$__range]{when}))"

    return f"{grown('gains')} - {grown('losses')}"


def _each(result: str, *, of: str = "trades") -> str:
    return of_agent(f"tweetbot_{of}_{result}_total")


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


def _profit(board: Board) -> None:
    board.row("Profit and loss")
    board.add(
        8,
        lines(
            "Profit since the start",
            "What the portfolio is worth more than its starting value, and the part of it that is in the "
            "open position and not realised yet.",
            query(money.gained_since("tweetbot_portfolio_starting_value_usd"), "in all"),
            query(money.UNREALISED, "unrealised"),
            unit=look.USD,
            decimals=0,
            fill=10,
            colours={"in all": look.BLUE, "unrealised": look.PURPLE},
            empty=NO_PORTFOLIO,
            width=8,
        ),
        lines(
            "Profit by day",
            "Gains minus losses of the sells of each day that ends at the time shown, by agent. Look at it "
            "over a week or more.",
            query(f"sum by (agent) ({of_agent('agent:trade_profit_usd:increase1d')})", "{{agent}}"),
            unit=look.USD,
            decimals=0,
            bars=True,
            interval="1d",
            empty="Prometheus does not know a whole day yet, or there was no sell",
            width=8,
        ),
        lines(
            "Against holding bitcoin",
            "Growth since the start of this time range: of the portfolio, and of bitcoin that is bought "
            "then and held. Together: the market did it, not the bot.",
            query(PORTFOLIO_GREW, "portfolio"),
            query(PRICE_GREW, "holding bitcoin"),
            unit=look.RATIO,
            colours={"portfolio": look.BLUE, "holding bitcoin": look.ORANGE},
            empty=NOT_SO_OLD,
            width=8,
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
        8,
        table(
            "Trades by agent",
            "Totals of the database. Won is the share of matched sells that earned something; net is gains "
            "minus losses.",
            [Key("agent", "Agent", 200, links=[links.to_agent("__value.raw")])],
            [
                Value("Trades", f"sum by (agent) ({of_agent('tweetbot_trades_total')})", decimals=0),
                Value("In 1 h", f"sum by (agent) ({of_agent('agent:trades:increase1h')})", decimals=0),
                Value(
                    "Volume",
                    f"sum by (agent) ({of_agent('tweetbot_trade_volume_usd_total')})",
                    look.USD,
                    0,
                ),
                Value(
                    "Fees",
                    f"sum by (agent) ({of_agent('tweetbot_trade_fees_usd_total')})",
                    look.USD,
                    2,
                ),
                Value("Won", WON, look.RATIO, 0, bar=True),
                Value("Net", NET, look.USD, 2),
            ],
            sort="Net",
            small=True,
            empty=NO_TRADES,
            width=24,
        ),
    )
