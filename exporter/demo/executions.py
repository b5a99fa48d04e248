"""Rows of `agent_executions`, with the JSON that the bot's agents write there."""

from __future__ import annotations

import json
from random import Random

from exporter.demo.clock import Clock, Statement
from exporter.demo.crew import Run
from exporter.demo.market import Wandering
from exporter.demo.portfolio import Portfolio
from exporter.demo.scenarios import Agent

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


def compact(document: Json) -> str:
    """As JavaScript's JSON.stringify."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def stated(confidence: float, agent: Agent) -> float:
    """As the agent writes it: a ratio, or whole percent."""
    return round(confidence * 100) if agent.confidence_as_percent else confidence


def execution(at: int, clock: Clock, agent: Agent, run: Run, portfolio: Portfolio) -> Statement:
    row = (
        clock.plain(at),
        agent.name,
        run.execution_type,
        compact(_input(at, clock, run, portfolio)),
        compact(_output(agent, run, portfolio)),
        None if run.success is None else int(run.success),
        run.milliseconds,
        run.error,
    )
    return Statement(INSERT_EXECUTION, row)


def market_context(market: Wandering, rng: Random) -> Json:
    change = market.day_change_percent()
    return {
        "volatility": rng.choice(("low", "medium", "medium", "high")),
        "trend": "bullish" if change > 0.5 else "bearish" if change < -0.5 else "neutral",
        "volume": "normal",
        "timeOfDay": rng.choice(("asian", "european", "american")),
        "fearGreedIndex": round(market.fear_greed),
    }


def _input(at: int, clock: Clock, run: Run, portfolio: Portfolio) -> Json:
    market, rng = portfolio.market, portfolio.rng
    if run.error is not None:
        return {"error": run.error}
    if run.execution_type == "trading_decision":
        return _trading_input(portfolio)
    context = market_context(market, rng)
    decision: Json = {
        "timestamp": clock.iso(at),
        "selectedSources": rng.sample(SOURCES, rng.randint(1, 4)),
        "reasoning": f"Expected value of the selected sources in a {context['trend']} market",
        "confidence": run.confidence,
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


def _output(agent: Agent, run: Run, portfolio: Portfolio) -> Json:
    if run.error is not None:
        return {"action": "ERROR"}
    said: Json = {"confidence": stated(run.confidence, agent)}
    if run.signals is not None:
        collected = portfolio.rng.sample(SOURCES, min(len(SOURCES), run.signals + 1))
        said |= {"dataCollected": collected, "signalsGenerated": run.signals}
    if run.execution_type != "trading_decision":
        return said | {
            "action": run.execution_type.upper(),
            "reasoning": "Within the limits of the current goals",
        }
    return said | {
        "action": portfolio.rng.choice(("HOLD", "HOLD", "BUY", "SELL")),
        "amount": 0,
        "price": portfolio.market.price,
        "reasoning": "HOLD: Slightly behind target, waiting for stronger market signals.",
        "urgency": "LOW",
        "executed": False,
        "marketBasis": f"Market Score: {portfolio.rng.uniform(40, 90):.1f}% | Sentiment: neutral",
    }
