"""Rows of `agent_decisions`; most outcomes are set by a later update, some twice, some never."""

from __future__ import annotations

import string
from dataclasses import dataclass
from random import Random

from exporter.demo.agents import Execution, SimulatedAgent
from exporter.demo.clock import Clock
from exporter.demo.decision_payloads import context_payload, expert_payload, goals_payload
from exporter.demo.executions import Json, stated_confidence, to_json
from exporter.demo.portfolio import Portfolio
from exporter.demo.scenarios import LEAST_AUTONOMY, MOST_AUTONOMY
from exporter.demo.transaction import Statement

INSERT_DECISION = """
INSERT INTO agent_decisions (id, timestamp, agent, type, context, reasoning, outcome, agent_state, system,
                             feedback)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_OUTCOME = "UPDATE agent_decisions SET outcome = json_patch(outcome, ?) WHERE id = ?"

# How an outcome becomes known: share, then the shortest and longest delay in seconds of the live bot.
AT_ONCE = 0.1
SOON, SOON_SECONDS = 0.5, (20.0, 120.0)
LATER, LATER_SECONDS = 0.25, (300.0, 1200.0)
REVISED, REVISION_SECONDS = 0.03, (120.0, 600.0)
TEXT_PATCH = 0.004
ALTERNATIVES = (
    "No action",
    "Execute decision",
    "Wait for confirmation",
    "Ask the orchestrator",
    "Halve the size",
    "Hedge",
)
RISKS, RISK_WEIGHTS = ("low", "medium", "high", "moderate", None), (50, 33, 12, 3, 2)
MESSAGE_TYPES = ("adaptation_request", "signal_shared", "status_update")
ID_LETTERS = string.digits + string.ascii_lowercase


@dataclass(frozen=True)
class OutcomeUpdate:
    """One later UPDATE of a decision's outcome."""

    delay_seconds: float
    document: str


@dataclass(frozen=True)
class Decision:
    id: str
    type: str
    statement: Statement
    outcome_updates: tuple[OutcomeUpdate, ...]
    targets: tuple[str, ...]
    """Names of the agents that were sent a message about it."""


def decide(
    at: int,
    clock: Clock,
    agent: SimulatedAgent,
    execution: Execution,
    portfolio: Portfolio,
    agents: list[SimulatedAgent],
) -> Decision:
    rng, profile = agent.rng, agent.profile
    decision_id = f"dec_{clock.epoch_ms(at)}_{''.join(rng.choices(ID_LETTERS, k=9))}"
    kind = rng.choice(profile.decision_types)
    came_true = rng.random() < (execution.confidence if profile.comes_true is None else profile.comes_true)
    at_once = came_true and rng.random() < AT_ONCE
    targets = _targets(agent, agents)
    columns = (
        context_payload(at, clock, kind, portfolio, agents),
        _reasoning(agent, kind, execution),
        _outcome(kind, at_once),
        _state(agent),
        _system(at, clock, targets, rng),
        _feedback(agent),
    )
    row = (decision_id, clock.iso(at), profile.name, kind, *(to_json(column) for column in columns))
    outcome_updates = () if at_once else tuple(_outcome_updates(agent, came_true))
    return Decision(decision_id, kind, Statement(INSERT_DECISION, row), outcome_updates, targets)


def outcome_update(decision_id: str, document: str) -> Statement:
    return Statement(UPDATE_OUTCOME, (document, decision_id))


def _outcome_updates(agent: SimulatedAgent, came_true: bool) -> list[OutcomeUpdate]:
    rng, fate = agent.rng, agent.rng.random()
    if fate > SOON + LATER:
        return []
    delay = rng.uniform(*(SOON_SECONDS if fate < SOON else LATER_SECONDS))
    if rng.random() < TEXT_PATCH:
        return [OutcomeUpdate(delay, '"completed"')]
    outcome_updates = [OutcomeUpdate(delay, _result(agent, came_true))]
    if rng.random() < REVISED:
        outcome_updates.append(
            OutcomeUpdate(delay + rng.uniform(*REVISION_SECONDS), _result(agent, not came_true))
        )
    return outcome_updates


def _result(agent: SimulatedAgent, came_true: bool) -> str:
    actual: object = "as expected" if came_true else "missed"
    if agent.profile.numeric_results:
        actual = round(agent.rng.gauss(0.6 if came_true else -0.25, 0.2), 4)
    return to_json({"actualResult": actual, "success": came_true})


def _targets(agent: SimulatedAgent, agents: list[SimulatedAgent]) -> tuple[str, ...]:
    others = [other.profile.name for other in agents if other is not agent and other.profile.execution_types]
    how_many = agent.rng.choices((0, 1, 2), (50, 40, 10))[0]
    return tuple(agent.rng.sample(others, how_many))


def _reasoning(agent: SimulatedAgent, kind: str, execution: Execution) -> Json:
    rng = agent.rng
    reasoning: Json = {
        "analysis": f"Autonomous {kind} by {agent.profile.id}",
        "alternatives": rng.sample(ALTERNATIVES, rng.choices(range(7), (6, 14, 40, 20, 12, 5, 3))[0]),
        "selectedOption": "Execute decision",
        "confidence": stated_confidence(execution.confidence, agent.profile),
    }
    risk = rng.choices(RISKS, RISK_WEIGHTS)[0]
    return reasoning if risk is None else reasoning | {"riskAssessment": risk}


def _outcome(kind: str, at_once: bool) -> Json:
    return {
        "action": kind,
        "parameters": expert_payload() if kind == "EXPERT_METHODOLOGY_INTEGRATION" else {},
        "expectedResult": "Improved agent performance",
        "actualResult": "as expected" if at_once else None,
        "success": True if at_once else None,
    }


def _state(agent: SimulatedAgent) -> Json:
    profile, ratio = agent.profile, agent.success_ratio
    autonomy = min(MOST_AUTONOMY, max(LEAST_AUTONOMY, agent.rng.gauss(agent.autonomy, 0.01)))
    return {
        "autonomyLevel": round(autonomy * 100) if profile.autonomy_as_percent else round(autonomy, 4),
        "learningRate": 0.15,
        "performanceScore": round((profile.reputation + profile.goal_progress + (ratio or 0.8)) / 3, 6),
        "goals": goals_payload() if profile.id == "strategic-orchestrator" else [],
    }


def _system(at: int, clock: Clock, targets: tuple[str, ...], rng: Random) -> Json:
    return {
        "cycleId": f"cycle_{clock.epoch_ms(at)}",
        "coordinatorDecision": None,
        "interAgentCommunication": [{"target": name, "type": rng.choice(MESSAGE_TYPES)} for name in targets],
        "emergentBehaviors": [],
    }


def _feedback(agent: SimulatedAgent) -> Json:
    rng = agent.rng
    adjustments: list[Json] = []
    if rng.random() < agent.profile.learning_share:
        adjustments = [
            {
                "parameter": rng.choice(("confidenceThreshold", "sourceWeights", "riskLimit")),
                "delta": rng.uniform(-0.1, 0.1),
            }
            for _ in range(rng.randint(1, 2))
        ]
    return {
        "humanFeedback": None,
        "systemFeedback": None,
        "learningAdjustments": adjustments,
        "futureConsiderations": [],
    }
