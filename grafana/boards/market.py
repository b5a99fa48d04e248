"""The rows of the trading dashboard about the market, and how fresh the data is."""

from grafana.kit import look
from grafana.kit.board import Board
from grafana.kit.graphs import lines
from grafana.kit.queries import of, query

NO_PORTFOLIO = "the database has no portfolio"
NO_MARKET = "market_data is empty or missing"


def _bot(name: str) -> str:
    return f"max by (bot) ({of(name)})"


def market(board: Board) -> None:
    board.row("The market beside it", collapsed=True)
    board.add(
        8,
        lines(
            "Price of bitcoin",
            "As the bot's newest market_data row has it.",
            query(_bot("tweetbot_market_price_usd"), "price"),
            unit=look.USD,
            decimals=0,
            empty=NO_MARKET,
            colours={"price": look.ORANGE},
            width=8,
        ),
        lines(
            "Mood: fear and greed, change of price",
            "0 is extreme fear, 100 extreme greed; the change is over 24 h.",
            query(_bot("tweetbot_market_fear_greed_index"), "fear and greed"),
            query(_bot("tweetbot_market_price_change_24h_ratio"), "price change (24 h)"),
            unit="none",
            ranges={"fear and greed": (0, 100)},
            empty=NO_MARKET,
            right_axis={"price change (24 h)": look.RATIO},
            width=8,
        ),
        lines(
            "Market volume (24 h)",
            "As the bot's newest market_data row has it.",
            query(_bot("tweetbot_market_volume_24h_usd"), "volume"),
            unit=look.USD,
            decimals=0,
            fill=10,
            empty=NO_MARKET,
            width=8,
        ),
    )
    board.add(
        7,
        lines(
            "Age of the portfolio's newest row",
            "Time since the portfolio was updated or a snapshot taken. Above the dashed line it is stale.",
            query(f"(time() - {_bot('bot:portfolio_timestamp_seconds:max')}) / 60", "age"),
            query(f"{_bot('bot:portfolio_age_seconds:threshold')} / 60", "threshold"),
            unit=look.MINUTES,
            decimals=0,
            bounds=(0, None),
            empty=NO_PORTFOLIO,
            width=12,
        ),
        lines(
            "Age of the market data",
            "Time since the newest market_data row. Above the dashed line it is stale.",
            query(f"(time() - {_bot('bot:market_data_timestamp_seconds:last5m')}) / 60", "age"),
            query(f"{_bot('bot:market_data_age_seconds:threshold')} / 60", "threshold"),
            unit=look.MINUTES,
            decimals=0,
            bounds=(0, None),
            empty=NO_MARKET,
            width=12,
        ),
    )
