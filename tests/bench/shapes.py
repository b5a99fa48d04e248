"""Rows as the bot writes them, as long as its own: what the generator repeats with other times."""

import json
from itertools import product
from random import Random
from typing import Any

AGENTS = (
    "market-hunter",
    "strategic-orchestrator",
    "performance-optimizer",
    "content-creator",
    "market-analyzer",
    "narrative-architect",
    "autonomous-market-hunter",
    "Execution Agent",
    "Intelligent Execution Agent",
    "bitcoin-orchestrator",
    "Risk Manager",
    "Sentiment Analyst",
    "Whale Watcher",
    "Macro Analyst",
)
EXECUTION_TYPES = ("trading_decision", "autonomous_cycle", "content_generation")
DECISION_TYPES = ("MARKET_SCAN", "STRATEGY_ADJUSTMENT", "AGENT_ADAPTATION", "EXPERT_METHODOLOGY_INTEGRATION")
VARIANTS = 8
"""Shapes for each agent and type."""

Shape = tuple[Any, ...]


def executions(seed: int = 1) -> list[Shape]:
    """agent_name, execution_type, input_data, output_data, success, execution_time_ms, error_message."""
    random = Random(seed)
    shapes = [_execution(random, *key) for key in product(AGENTS, EXECUTION_TYPES) for _ in range(VARIANTS)]
    random.shuffle(shapes)
    return shapes


def decisions(seed: int = 2) -> list[Shape]:
    """agent, type, context, reasoning, outcome, agent_state, system, feedback."""
    random = Random(seed)
    shapes = [_decision(random, *key) for key in product(AGENTS, DECISION_TYPES) for _ in range(VARIANTS)]
    random.shuffle(shapes)
    return shapes


def _execution(random: Random, agent: str, kind: str) -> Shape:
    failed = random.random() < 0.08
    seen = {
        "progressMetrics": {
            "currentReturn": round(random.uniform(-0.05, 0.05), 6),
            "targetReturn": 0.05,
            "progressPercent": "0.0",
            "daysRemaining": random.randint(1, 7),
            "dailyTargetRemaining": random.random() / 100,
            "weekElapsed": random.random(),
            "isOnTrack": False,
            "urgency": "LOW",
        },
        "marketIntelligence": {
            "sentiment": {"overall": "neutral", "score": random.random(), "newsCount": 10},
            "impactScore": random.random() * 100,
            "trend": "bullish",
        },
        "portfolioValue": random.randint(9000, 11000),
    }
    done = {
        "action": random.choice(["HOLD", "BUY", "SELL"]),
        "price": random.randint(60000, 70000),
        "confidence": random.randint(40, 99),
        "signalsGenerated": random.randint(0, 6),
        "reasoning": "Slightly behind target, waiting for stronger market signals.",
        "marketBasis": "Market Score: 64.8% | Sentiment: neutral (0.02)",
    }
    error = "Rate limit exceeded, please try again" if failed else None
    ms = 0 if random.random() < 0.05 else int(random.lognormvariate(6.5, 1.2))
    return agent, kind, _text(seen), _text(done), int(not failed), ms, error


def _decision(random: Random, agent: str, kind: str) -> Shape:
    context = {
        "trigger": "expertAnalysis",
        "inputs": {"marketData": {"price_usd": random.randint(60000, 70000), "volume": 1000000}},
        "systemState": {
            "portfolioValue": 10000,
            "agentStates": [_state(random, name) for name in AGENTS[:5]],
        },
        "marketConditions": {},
    }
    reasoning = {
        "analysis": "Expert methodology applied: sideways market, performance verdict: high risk",
        "alternatives": ["Ignore expert guidance", "Partial implementation", "Full expert compliance"],
        "selectedOption": "Full expert compliance",
        "confidence": round(random.uniform(0.3, 0.99), 2),
        "riskAssessment": random.choice(["low", "medium", "high"]),
    }
    # Most outcomes are never written.
    known = random.random() < 0.1
    outcome = {
        "action": kind,
        "parameters": {
            "regime": "CHOPPY_RANGE_BOUND",
            "positionGuidance": {"positionSizeUSD": random.random() * 100, "riskAmount": 140, "leverage": 2},
            "reasoning": "Sideways market, market making opportunities. Current risk: moderate. " * 4,
        },
        "expectedResult": "Expert-level trading decisions",
        "actualResult": round(random.uniform(-0.1, 0.1), 4) if known else None,
        "success": random.random() < 0.7 if known else None,
    }
    goals = [
        {
            "id": f"goal-{place}",
            "description": "Become the most trusted Bitcoin intelligence source on X",
            "priority": place / 5,
            "kpis": ["reputation_score", "influence_reach", "trust_index"],
        }
        for place in range(5)
    ]
    state = {
        "autonomyLevel": round(random.random(), 2),
        "learningRate": 0.15,
        "performanceScore": round(random.random(), 4),
        "goals": {"primary": goals[0], "all": goals},
    }
    told = random.sample(AGENTS[:7], 2) if random.random() < 0.3 else []
    messages = [{"target": name, "message": "Adjust the weight of sentiment"} for name in told]
    system = {
        "cycleId": "cycle_1794488416831",
        "coordinatorDecision": None,
        "interAgentCommunication": messages,
        "emergentBehaviors": [],
    }
    feedback: dict[str, Any] = {
        "humanFeedback": None,
        "systemFeedback": None,
        "learningAdjustments": [],
        "futureConsiderations": [],
    }
    return agent, kind, *map(_text, (context, reasoning, outcome, state, system, feedback))


def _state(random: Random, agent: str) -> dict[str, Any]:
    rates = {name: random.random() for name in ("efficiency", "accuracy", "responsiveness")}
    return {
        "agentId": agent,
        "performanceMetrics": rates,
        "goalProgress": random.random(),
        "autonomyLevel": round(random.random(), 2),
    }


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
