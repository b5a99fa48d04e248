"""Rows of `agent_executions`, with the JSON that the bot's agents write there."""

from __future__ import annotations

import json
from random import Random

from exporter.demo.agents import Execution
from exporter.demo.clock import Clock
from exporter.demo.market import MarketSimulation
from exporter.demo.portfolio import Portfolio
from exporter.demo.scenarios import AgentProfile
from exporter.demo.transaction import Statement

INSERT_EXECUTION = """
INSERT INTO agent_executions (timestamp, agent_name, execution_type, input_data, output_data, success,
                              execution_time_ms, error_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
Json = dict[str, object]
SOURCES = (
    "whaleMovements",
    "macroSignals",
    "derivatives",
    "institutionalFlows",
    "narrativeShifts",
    "influencers",
)


def to_json(document: Json) -> str:
    """JSON as JavaScript's JSON.stringify writes it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def stated_confidence(confidence: float, profile: AgentProfile) -> float:
    """A confidence as the agent writes it: a ratio, or whole percent."""
    return round(confidence * 100) if profile.confidence_as_percent else confidence


def execution_row(
    at: int, clock: Clock, profile: AgentProfile, execution: Execution, portfolio: Portfolio
) -> Statement:
    row = (
        clock.plain(at),
        profile.name,
        execution.execution_type,
        to_json(_input(at, clock, execution, portfolio)),
        to_json(_output(profile, execution, portfolio)),
        None if execution.success is None else int(execution.success),
        execution.milliseconds,
        execution.error,
    )
    return Statement(INSERT_EXECUTION, row)


def market_context(market: MarketSimulation, rng: Random) -> Json:
    change = market.day_change_percent()
    return {
        "volatility": rng.choice(("low", "medium", "medium", "high")),
        "trend": "bullish" if change > 0.5 else "bearish" if change < -0.5 else "neutral",
        "volume": "normal",
        "timeOfDay": rng.choice(("asian", "european", "american")),
        "fearGreedIndex": round(market.fear_greed),
    }


def _input(at: int, clock: Clock, execution: Execution, portfolio: Portfolio) -> Json:
    market, rng = portfolio.market, portfolio.rng
    if execution.error is not None:
        return {"error": execution.error}
    if execution.execution_type == "trading_decision":
        return _trading_input(portfolio)
    context = market_context(market, rng)
    decision: Json = {
        "timestamp": clock.iso(at),
        "selectedSources": rng.sample(SOURCES, rng.randint(1, 4)),
        "reasoning": f"Expected value of the selected sources in a {context['trend']} market",
        "confidence": execution.confidence,
        "marketContext": context,
        "expectedValue": rng.random(),
    }
    return {"decision": decision, "marketContext": context}


def _trading_input(portfolio: Portfolio) -> Json:
    rng, gained = portfolio.rng, portfolio.value / 10_000 - 1
    progress: Json = {
        "currentReturn": gained,
        "targetReturn": 0.05,
        "progressPercent": f"{gained / 0.05 * 100:.1f}",
        "daysRemaining": 4,
        "remainingReturn": 0.05 - gained,
        "dailyTargetRemaining": (0.05 - gained) / 4,
        "isOnTrack": gained > 0.02,
        "urgency": "LOW",
    }
    sentiment: Json = {
        "overall": "neutral",
        "score": rng.uniform(-0.3, 0.3),
        "confidence": 1,
        "newsCount": 10,
    }
    intelligence: Json = {
        "sentiment": sentiment,
        "impactScore": rng.uniform(40, 99),
        "trend": "bullish",
        "volatility": "moderate",
        "newsCount": 10,
    }
    return {
        "progressMetrics": progress,
        "marketIntelligence": intelligence,
        "portfolioValue": portfolio.value,
    }


def _output(profile: AgentProfile, execution: Execution, portfolio: Portfolio) -> Json:
    if execution.error is not None:
        return {"action": "ERROR"}
    output: Json = {"confidence": stated_confidence(execution.confidence, profile)}
    if execution.signals is not None:
        collected = portfolio.rng.sample(SOURCES, min(len(SOURCES), execution.signals + 1))
        output |= {"dataCollected": collected, "signalsGenerated": execution.signals}
    if execution.execution_type != "trading_decision":
        return output | {
            "action": execution.execution_type.upper(),
            "reasoning": "Within the limits of the current goals",
        }
    return output | {
        "action": portfolio.rng.choice(("HOLD", "HOLD", "BUY", "SELL")),
        "amount": 0,
        "price": portfolio.market.price,
        "reasoning": "HOLD: Slightly behind target, waiting for stronger market signals.",
        "urgency": "LOW",
        "executed": False,
        "marketBasis": f"Market Score: {portfolio.rng.uniform(40, 90):.1f}% | Sentiment: neutral",
    }
