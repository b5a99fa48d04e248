"""The large JSON columns of the orchestrator's decisions, 1 to 3 kB each, as the real bot writes them."""

from __future__ import annotations

from exporter.demo.agents import SimulatedAgent
from exporter.demo.clock import Clock
from exporter.demo.executions import Json
from exporter.demo.portfolio import Portfolio

REGIME = "CHOPPY_RANGE_BOUND"
PRINCIPLES = [
    "Capital preservation first",
    "Risk-adjusted returns over absolute returns",
    "Regime-appropriate strategy selection",
    "Systematic risk management",
]
PRIMARY_GOAL: Json = {
    "id": "primary-bitcoin-intelligence",
    "description": "Become the most trusted Bitcoin intelligence source on X",
    "priority": 1,
    "measurable": True,
    "kpis": ["reputation_score", "influence_reach", "trust_index"],
    "autonomouslyModifiable": False,
}
SECONDARY_GOALS: list[Json] = [
    {
        "id": "grow-follower-base",
        "description": "Grow engaged follower base",
        "priority": 0.8,
        "kpis": ["follower_growth", "engagement_rate"],
    },
    {
        "id": "increase-engagement",
        "description": "Maximize meaningful engagement",
        "priority": 0.7,
        "kpis": ["reply_quality", "retweet_rate"],
    },
]


def goals_payload() -> Json:
    return {"primary": PRIMARY_GOAL, "secondary": SECONDARY_GOALS, "all": [PRIMARY_GOAL, *SECONDARY_GOALS]}


def expert_payload() -> Json:
    guidance = f"Regime: {REGIME}, Risk: 1.40%"
    decision: Json = {
        "regime": {
            "regime": REGIME,
            "strategy": "MEAN_REVERSION",
            "riskMultiplier": 0.7,
            "leverageMax": 2,
            "description": "Sideways market - market making opportunities",
        },
        "action": "WAIT_FOR_SETUP",
        "positionGuidance": {"riskAmount": 140, "riskPercentage": 1.4, "leverage": 2, "reasoning": guidance},
        "riskAssessment": {"currentExposure": 0.15, "riskLevel": "moderate", "drawdownFromPeak": 0.05},
        "reasoning": "Expert Analysis: Sideways market - market making opportunities. "
        f"Current risk: moderate. Position guidance: {guidance}",
        "confidence": 0.7,
        "expertPrinciples": PRINCIPLES,
    }
    validation: Json = {
        "expertScore": 0.35,
        "recommendation": "IMPROVE_EFFICIENCY",
        "criticalIssues": ["POOR_RISK_ADJUSTED_RETURNS", "INCONSISTENT_PERFORMANCE"],
        "expertAnalysis": {"verdict": "HIGH_RISK", "focus": "EFFICIENCY"},
    }
    return {"expertDecision": decision, "expertValidation": validation}


def context_payload(
    at: int, clock: Clock, kind: str, portfolio: Portfolio, agents: list[SimulatedAgent]
) -> Json:
    if kind not in ("EXPERT_METHODOLOGY_INTEGRATION", "AGENT_ADAPTATION"):
        return {"trigger": "autonomous", "inputs": {}, "systemState": {}, "marketConditions": {}}
    inputs: Json = {"agentId": "market-hunter", "performanceScore": 0.74, "threshold": 0.5}
    if kind == "EXPERT_METHODOLOGY_INTEGRATION":
        holdings: Json = {
            "totalValue": portfolio.value,
            "btcHoldings": portfolio.btc,
            "cashHoldings": portfolio.usd,
        }
        inputs = {
            "marketData": {"price_usd": portfolio.market.price},
            "portfolioState": holdings,
            **expert_payload(),
        }
    state: Json = {
        "timestamp": clock.iso(at),
        "portfolioValue": portfolio.value,
        "agentCount": len(agents),
        "systemEfficiency": portfolio.rng.uniform(0.7, 0.95),
        "agentStates": [_agent_state(agent) for agent in agents[:5]],
    }
    return {"trigger": "expertAnalysis", "inputs": inputs, "systemState": state, "marketConditions": {}}


def _agent_state(agent: SimulatedAgent) -> Json:
    rng = agent.rng
    return {
        "agentId": agent.profile.id,
        "performanceMetrics": {
            "efficiency": rng.uniform(0.7, 1),
            "accuracy": rng.uniform(0.6, 1),
            "responsiveness": rng.uniform(0.82, 1),
        },
        "goalProgress": rng.gauss(agent.profile.goal_progress, 0.05),
        "autonomyLevel": agent.autonomy,
    }
