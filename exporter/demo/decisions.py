"""Rows of `agent_decisions`; most outcomes are patched in later, some twice, some never."""

from __future__ import annotations

import string
from dataclasses import dataclass
from random import Random

from exporter.demo.clock import Clock, Statement
from exporter.demo.crew import Member, Run
from exporter.demo.executions import Json, compact, stated
from exporter.demo.expert import bulky_context, bulky_goals, expert_advice
from exporter.demo.portfolio import Portfolio
from exporter.demo.scenarios import LEAST_AUTONOMY, MOST_AUTONOMY

INSERT_DECISION = """
INSERT INTO agent_decisions (id, timestamp, agent, type, context, reasoning, outcome, agent_state, system,
                             feedback)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
PATCH_OUTCOME = "UPDATE agent_decisions SET outcome = json_patch(outcome, ?) WHERE id = ?"

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
class Patch:
    """One later UPDATE of a decision's outcome."""

    delay_seconds: float
    document: str


@dataclass(frozen=True)
class Decision:
    id: str
    type: str
    statement: Statement
    patches: tuple[Patch, ...]
    targets: tuple[str, ...]
    """Whom it told of it."""


def decide(
    at: int, clock: Clock, member: Member, run: Run, portfolio: Portfolio, crew: list[Member]
) -> Decision:
    rng, agent = member.rng, member.agent
    decision_id = f"dec_{clock.epoch_ms(at)}_{''.join(rng.choices(ID_LETTERS, k=9))}"
    kind = rng.choice(agent.decision_types)
    came_true = rng.random() < (run.confidence if agent.comes_true is None else agent.comes_true)
    at_once = came_true and rng.random() < AT_ONCE
    targets = _targets(member, crew)
    columns = (
        bulky_context(at, clock, kind, portfolio, crew),
        _reasoning(member, kind, run),
        _outcome(kind, at_once),
        _state(member),
        _system(at, clock, targets, rng),
        _feedback(member),
    )
    row = (decision_id, clock.iso(at), agent.name, kind, *(compact(column) for column in columns))
    patches = () if at_once else tuple(_patches(member, came_true))
    return Decision(decision_id, kind, Statement(INSERT_DECISION, row), patches, targets)


def patch(decision_id: str, document: str) -> Statement:
    return Statement(PATCH_OUTCOME, (document, decision_id))


def _patches(member: Member, came_true: bool) -> list[Patch]:
    rng, fate = member.rng, member.rng.random()
    if fate > SOON + LATER:
        return []
    delay = rng.uniform(*(SOON_SECONDS if fate < SOON else LATER_SECONDS))
    if rng.random() < TEXT_PATCH:
        return [Patch(delay, '"completed"')]
    patches = [Patch(delay, _result(member, came_true))]
    if rng.random() < REVISED:
        patches.append(Patch(delay + rng.uniform(*REVISION_SECONDS), _result(member, not came_true)))
    return patches


def _result(member: Member, came_true: bool) -> str:
    actual: object = "as expected" if came_true else "missed"
    if member.agent.numeric_results:
        actual = round(member.rng.gauss(0.6 if came_true else -0.25, 0.2), 4)
    return compact({"actualResult": actual, "success": came_true})


def _targets(member: Member, crew: list[Member]) -> tuple[str, ...]:
    others = [other.agent.name for other in crew if other is not member and other.agent.execution_types]
    how_many = member.rng.choices((0, 1, 2), (50, 40, 10))[0]
    return tuple(member.rng.sample(others, how_many))


def _reasoning(member: Member, kind: str, run: Run) -> Json:
    rng = member.rng
    reasoning: Json = {
        "analysis": f"Autonomous {kind} by {member.agent.id}",
        "alternatives": rng.sample(ALTERNATIVES, rng.choices(range(7), (6, 14, 40, 20, 12, 5, 3))[0]),
        "selectedOption": "Execute decision",
        "confidence": stated(run.confidence, member.agent),
    }
    risk = rng.choices(RISKS, RISK_WEIGHTS)[0]
    return reasoning if risk is None else reasoning | {"riskAssessment": risk}


def _outcome(kind: str, at_once: bool) -> Json:
    return {
        "action": kind,
        "parameters": expert_advice() if kind == "EXPERT_METHODOLOGY_INTEGRATION" else {},
        "expectedResult": "Improved agent performance",
        "actualResult": "as expected" if at_once else None,
        "success": True if at_once else None,
    }


def _state(member: Member) -> Json:
    agent, ratio = member.agent, member.success_ratio
    autonomy = min(MOST_AUTONOMY, max(LEAST_AUTONOMY, member.rng.gauss(member.autonomy, 0.01)))
    return {
        "autonomyLevel": round(autonomy * 100) if agent.autonomy_as_percent else round(autonomy, 4),
        "learningRate": 0.15,
        "performanceScore": round((agent.reputation + agent.goal_progress + (ratio or 0.8)) / 3, 6),
        "goals": bulky_goals() if agent.id == "strategic-orchestrator" else [],
    }


def _system(at: int, clock: Clock, targets: tuple[str, ...], rng: Random) -> Json:
    return {
        "cycleId": f"cycle_{clock.epoch_ms(at)}",
        "coordinatorDecision": None,
        "interAgentCommunication": [{"target": name, "type": rng.choice(MESSAGE_TYPES)} for name in targets],
        "emergentBehaviors": [],
    }


def _feedback(member: Member) -> Json:
    rng = member.rng
    learnt: list[Json] = []
    if rng.random() < member.agent.learns:
        learnt = [
            {
                "parameter": rng.choice(("confidenceThreshold", "sourceWeights", "riskLimit")),
                "delta": rng.uniform(-0.1, 0.1),
            }
            for _ in range(rng.randint(1, 2))
        ]
    return {
        "humanFeedback": None,
        "systemFeedback": None,
        "learningAdjustments": learnt,
        "futureConsiderations": [],
    }
