"""Is the money all right? What the overview, trading and the fleet say of it."""

from grafana_foundation_sdk.models import common

from grafana.kit import links, look
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.queries import BOT_KEY, of, of_bot, query, verdict
from grafana.kit.values import stat

NO_PORTFOLIO = "no portfolio, or the database is not read"
NO_TRADES = "no trade yet, or the database is not read"
DRAWDOWN = "bot:portfolio_drawdown:ratio"


def newest(name: str, combine: str = "max") -> str:
    """One value of each bot: of the last five minutes, since one read that fails does not take the money away."""
    return f"{combine} by (bot) (last_over_time({of(name)}[5m]))"


VALUE = newest("tweetbot_portfolio_value_usd")
UNREALISED = newest("tweetbot_position_unrealized_profit_usd")
REALISED = (
    f"{newest('tweetbot_trade_gains_usd_total', 'sum')} - {newest('tweetbot_trade_losses_usd_total', 'sum')}"
)
TO_TRADING = links.to("tweetbot-trading", "Show trading", agent="")
NAMED = common.BigValueTextMode.VALUE_AND_NAME


def gained_since(start: str) -> str:
    """USD that the portfolio is worth more than it was: `start` is the family that says what it was."""
    return f"{VALUE} - {newest(start)}"


def drawdown_verdict() -> str:
    """Of the drawdown against its recorded thresholds."""
    recorded = "bot:portfolio_drawdown_ratio:threshold"
    bounds = (of(f"{recorded}_warning"), of(f"{recorded}_critical"))
    return verdict(of(DRAWDOWN), ">", *bounds, key=BOT_KEY, by="bot")


def row(board: Board) -> None:
    """Whether the money is all right, on one line."""
    board.add(
        4,
        value(width=3),
        profit_and_loss(width=7),
        of_trades(width=5),
        drawdown(width=4),
        position(width=5),
    )


def value(width: int) -> Panel:
    return stat(
        "Portfolio",
        "Cash plus bitcoin at the newest price, and its change over the time range that is shown.",
        query(VALUE, "value"),
        unit=look.USD,
        decimals=0,
        better="higher",
        empty=NO_PORTFOLIO,
        links=[TO_TRADING],
        width=width,
    )


def profit_and_loss(width: int) -> Panel:
    return stat(
        "Profit and loss (USD)",
        "What the portfolio is worth more than at the first snapshot of today and of this week (both from "
        "00:00 UTC, the week from Monday), and than its starting value. Green is a gain, red a loss.",
        query(gained_since("tweetbot_portfolio_day_start_value_usd"), "today", instant=True),
        query(gained_since("tweetbot_portfolio_week_start_value_usd"), "this week", instant=True),
        query(gained_since("tweetbot_portfolio_starting_value_usd"), "since start", instant=True),
        unit=look.NUMBER,
        decimals=0,
        steps=look.signed(0.5),
        show=NAMED,
        empty=NO_PORTFOLIO,
        links=[TO_TRADING],
        width=width,
    )


def of_trades(width: int) -> Panel:
    return stat(
        "Made by trades (USD)",
        "Realised: gains minus losses of all sells, matched first-in-first-out with earlier buys, fees "
        "included. Unrealised: what the open position is worth more than it cost. Green is a gain, red a "
        "loss.",
        query(REALISED, "realised", instant=True),
        query(UNREALISED, "unrealised", instant=True),
        unit=look.NUMBER,
        decimals=0,
        steps=look.signed(0.5),
        show=NAMED,
        empty=NO_TRADES,
        links=[TO_TRADING],
        width=width,
    )


def drawdown(width: int) -> Panel:
    return stat(
        "Under its peak",
        "How far the value is now under its highest (drawdown), and its verdict by the recorded thresholds: "
        "10 % and 20 % as delivered.",
        query(of_bot(DRAWDOWN), "drawdown", instant=True),
        verdict=drawdown_verdict(),
        unit=look.RATIO,
        decimals=1,
        empty="portfolio_history is empty or missing",
        links=[TO_TRADING],
        width=width,
    )


def position(width: int) -> Panel:
    return stat(
        "Open position",
        "Bitcoin that was bought and is not sold yet, and the share of the portfolio that is in it.",
        query(newest("tweetbot_position_btc"), "bitcoin", instant=True),
        query(newest("tweetbot_portfolio_deployed_ratio"), "share", instant=True),
        neutral="how much is right is the bot's strategy",
        unit=look.BTC,
        decimals=3,
        show=NAMED,
        overrides={"share": look.PERCENT},
        empty=NO_TRADES,
        links=[TO_TRADING],
        width=width,
    )
