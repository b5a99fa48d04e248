"""The simulated bot's state document, as the bridge in a real bot serves it (bridge/state.schema.json).

It agrees with the database: success and times are over the same newest 50 executions. Counters start with the
process. Agents appear by id, and in messages by name, as with the real bot.
"""

from __future__ import annotations

import math

from exporter.demo.agents import SimulatedAgent
from exporter.demo.simulation import ORCHESTRATOR, Simulation

Document = dict[str, object]
POLL_SECONDS = 15.0
"""Interval at which the bridge polls the agents for progress and reports."""
NOISE_PAIRS = 20
"""Of answers, the newest, that the bridge compares."""
AMPLITUDE = 0.02


def state_document(simulation: Simulation, process: Document, now: float) -> Document:
    agents = list(simulation.agents_by_id.values())
    reporters = [agent for agent in agents if agent.profile.reports_itself and agent.running]
    return {
        "version": 1,
        "time": now,
        "process": process,
        "orchestrator": _orchestrator(simulation, agents),
        "agents": [_agent(simulation, agent, now) for agent in agents],
        "communication": _communication(simulation, agents),
        "selfReports": [
            {"agent": agent.profile.id, "time": _last_poll(simulation, now), "report": _report(agent)}
            for agent in reporters
        ],
        "leftOut": {"agents": 0, "messages": 0, "reportValues": 0, "malformed": 0},
    }


def _moment(simulation: Simulation, at: int) -> float:
    return simulation.clock.moment(at).timestamp()


def _polls(simulation: Simulation, now: float) -> int:
    return max(0, int((now - _moment(simulation, 0)) // POLL_SECONDS))


def _last_poll(simulation: Simulation, now: float) -> float:
    return _moment(simulation, 0) + _polls(simulation, now) * POLL_SECONDS


def _oscillate(value: float, cycles: int, phase: float = 0.0) -> float:
    """Varies with the cycles but not at random: a request must not change the simulation."""
    return round(min(1.0, max(0.0, value + AMPLITUDE * math.sin(cycles / 9 + phase))), 4)


def _agent(simulation: Simulation, agent: SimulatedAgent, now: float) -> Document:
    profile, cycles = agent.profile, agent.counters.cycles
    known = [execution.success for execution in agent.recent if execution.success is not None]
    document: Document = {
        "id": profile.id,
        "running": agent.running,
        "cycles": cycles,
        "reputation": _oscillate(profile.reputation, cycles),
        "autonomy": agent.autonomy,
        "adaptations": agent.counters.adaptations,
        "recentDecisions": min(10, agent.decision_count),
        "decisionHistory": agent.decision_count,
        "successHistory": {"succeeded": known.count(True), "failed": known.count(False)},
    }
    if agent.last_at is not None:
        document["lastExecutionTime"] = _moment(simulation, agent.last_at)
    if agent.running:
        progress = _goals(agent) | {"time": _last_poll(simulation, now)}
        if polls := _polls(simulation, now):
            # The answers of these agents change only with what they do.
            progress["noise"] = {"pairs": min(NOISE_PAIRS, polls), "medianChange": 0.0}
        document["goalProgress"] = progress
    return document


def _goals(agent: SimulatedAgent) -> Document:
    goal, cycles = agent.profile.goal_progress, agent.counters.cycles
    parts = {
        "primary": _oscillate(goal + 0.02, cycles),
        "secondary": _oscillate(goal + 0.05, cycles, 1.0),
        "tactical": _oscillate(goal - 0.07, cycles, 2.0),
    }
    return {**parts, "overall": round(sum(parts.values()) / len(parts), 4)}


def _orchestrator(simulation: Simulation, agents: list[SimulatedAgent]) -> Document:
    orchestrator = next(agent for agent in agents if agent.profile.id == ORCHESTRATOR)
    ratios = [agent.success_ratio for agent in agents if agent.success_ratio is not None]
    confidences = [agent.mean_confidence for agent in agents if agent.mean_confidence is not None]
    cycles: Document = {
        "total": orchestrator.counters.cycles,
        "failed": orchestrator.counters.failed_cycles,
        "running": 0,
        "duration": simulation.cycles.document(),
    }
    if orchestrator.counters.cycles and orchestrator.last_at is not None:
        cycles["lastStart"] = _moment(simulation, orchestrator.last_at)
    performance = {
        "successRate": sum(ratios) / max(1, len(ratios)),
        "decisionQuality": sum(confidences) / max(1, len(confidences)),
        "adaptationEffectiveness": _oscillate(0.8, orchestrator.counters.cycles),
    }
    return {
        "running": orchestrator.running,
        "cycles": cycles,
        "learningRate": 0.15,
        "performance": performance,
    }


def _communication(simulation: Simulation, agents: list[SimulatedAgent]) -> Document:
    channel = simulation.channel
    return {
        "startTime": _moment(simulation, 0),
        "pairs": [
            {"from": sender, "to": receiver, "sent": pair.sent, "failed": pair.failed}
            for (sender, receiver), pair in channel.pairs.items()
        ],
        "latency": [{"from": sender} | latency.document() for sender, latency in channel.latency.items()],
        "negotiations": [
            {
                "agent": agent.profile.id,
                "total": agent.counters.negotiations,
                "succeeded": agent.counters.negotiations_succeeded,
            }
            for agent in agents
        ],
        "queued": channel.queued,
    }


def _report(agent: SimulatedAgent) -> Document:
    """The agent's getPerformanceMetrics(): not every agent has every key, and some use percent."""
    profile, counters = agent.profile, agent.counters
    scale = 100 if profile.confidence_as_percent else 1
    report: Document = {
        "decisionCount" if scale == 100 else "totalDecisions": counters.decisions,
        "sourcesQueried": counters.sources_queried,
        "apiCallsUsed": counters.api_calls,
        "queue": {"depth": counters.cycles % 4, "retries": {"total": counters.failed_cycles}},
    }
    if profile.signals_of_execution is not None:
        report["signalsGenerated"] = counters.signals
    if profile.cache_hit_ratio is not None and counters.sources_queried:
        report["cacheHitRate"] = counters.cache_hits / counters.sources_queried
    means = {
        "successRate": (agent.success_ratio, scale),
        "avgConfidence": (agent.mean_confidence, scale),
        "avgResponseTime": (agent.mean_milliseconds, 1),
    }
    return report | {name: value * factor for name, (value, factor) in means.items() if value is not None}
