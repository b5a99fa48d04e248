"""Rows of the tables of collected signals, which the exporter does not read: they make the file like a real one."""

from __future__ import annotations

from random import Random

from exporter.demo.clock import Clock
from exporter.demo.transaction import Statement, Value

INSERT_NEWS = """
INSERT INTO news_analysis (timestamp, headline, source, sentiment_score, relevance_score, impact_prediction)
VALUES (?, 'Bitcoin headline', 'Reuters', ?, ?, 'neutral')
"""
INSERT_WHALE = """
INSERT INTO whale_movements (timestamp, asset, amount, from_address, to_address, confidence,
    historical_pattern, market_impact, tx_hash, tx_timestamp)
VALUES (?, 'BTC', ?, 'bc1qfrom', 'bc1qto', 0.85, 'accumulation', ?, 'ab37d7', ?)
"""
INSERT_NARRATIVE = """
INSERT INTO narrative_shifts (timestamp, theme, strength, velocity, sources, key_influencers, sentiment,
    novelty) VALUES (?, 'ETF', ?, ?, '["coingecko"]', '[]', 'bullish', 0.5)
"""
INSERT_ARBITRAGE = """
INSERT INTO arbitrage_opportunities (timestamp, buy_exchange, sell_exchange, asset, spread_percent, volume,
    execution_speed, profit_potential) VALUES (?, 'kraken', 'coinbase', 'BTC', ?, ?, 'fast', 0.1)
"""
INSERT_INFLUENCER = """
INSERT INTO influencer_signals (timestamp, influencer, asset, sentiment, historical_accuracy,
    followup_potential, reach, engagement) VALUES (?, 'x', 'BTC', 'bullish', 0.7, ?, 1000000, ?)
"""
INSERT_BREAKOUT = """
INSERT INTO technical_breakouts (timestamp, asset, pattern, strength, volume, historical_success, key_levels,
    timeframe, confirmation) VALUES (?, 'BTC', 'ascending_triangle', ?, ?, 0.7, '[]', '4h', 1)
"""
INSERT_FLOW = """
INSERT INTO institutional_flows (timestamp, institution, direction, asset, amount, certainty, market_impact)
VALUES (?, 'MicroStrategy', 'inflow', 'BTC', ?, ?, 0.8)
"""
INSERT_DERIVATIVE = """
INSERT INTO derivatives_signals (timestamp, asset, metric, value, sentiment, significance, liquidation_risk)
VALUES (?, 'BTC', 'funding_rate', ?, 'neutral', ?, 0.2)
"""
INSERT_MACRO = """
INSERT INTO macro_signals (timestamp, indicator, value, impact, confidence)
VALUES (?, 'Fear & Greed Index', ?, 'neutral', ?)
"""

# The statement, then the ranges of its two variable columns.
TWO_COLUMN_INSERTS = (
    (INSERT_NEWS, (-0.5, 0.5), (0.4, 0.9)),
    (INSERT_NARRATIVE, (0.1, 0.6), (0.2, 0.6)),
    (INSERT_ARBITRAGE, (0.05, 0.4), (1e4, 9e5)),
    (INSERT_INFLUENCER, (0.1, 0.9), (0.5, 0.95)),
    (INSERT_BREAKOUT, (0.3, 0.9), (1e8, 9e8)),
    (INSERT_FLOW, (1e9, 3e10), (0.8, 0.99)),
    (INSERT_DERIVATIVE, (0.001, 0.03), (0.3, 0.7)),
    (INSERT_MACRO, (20, 80), (0.8, 0.95)),
)


def signal(at: int, clock: Clock, rng: Random) -> Statement:
    """A row in one of the tables of collected signals."""
    choice = rng.randrange(len(TWO_COLUMN_INSERTS) + 1)
    if choice == len(TWO_COLUMN_INSERTS):
        return Statement(
            INSERT_WHALE, (clock.plain(at), rng.uniform(50, 400), rng.random(), clock.epoch_ms(at))
        )
    sql, first, second = TWO_COLUMN_INSERTS[choice]
    values: tuple[Value, ...] = (
        clock.plain(at),
        round(rng.uniform(*first), 4),
        round(rng.uniform(*second), 4),
    )
    return Statement(sql, values)
