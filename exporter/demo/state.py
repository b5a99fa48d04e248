"""The simulated bot's state document, as the bridge in a real bot serves it (bridge/state.schema.json).

It says what the file says: success and times are over the same newest 50 executions. Counters start with the
process. Agents are spelled by their ids here and by their names in messages, as with the real bot.
"""

from __future__ import annotations

import math

from exporter.demo.crew import Member
from exporter.demo.simulation import ORCHESTRATOR, Simulation

Document = dict[str, object]
ASKED_EVERY_SECONDS = 15.0
"""The bridge asks the agents for progress and reports in the background."""
WOBBLE = 0.02


def state_document(simulation: Simulation, process: Document, now: float) -> Document:
    crew = list(simulation.members.values())
    reporters = [member for member in crew if member.agent.reports_itself and member.running]
    return {
        "version": 1,
        "time": now,
        "process": process,
        "orchestrator": _orchestrator(simulation, crew),
        "agents": [_agent(simulation, member, now) for member in crew],
        "communication": _communication(simulation, crew),
        "selfReports": [
            {"agent": member.agent.id, "time": _asked(simulation, now), "report": _report(member)}
            for member in reporters
        ],
        "leftOut": {"agents": 0, "messages": 0, "reportValues": 0, "malformed": 0},
    }


def _moment(simulation: Simulation, at: int) -> float:
    return simulation.clock.moment(at).timestamp()


def _asked(simulation: Simulation, now: float) -> float:
    start = _moment(simulation, 0)
    return start + max(0.0, (now - start) // ASKED_EVERY_SECONDS * ASKED_EVERY_SECONDS)


def _moving(value: float, cycles: int, phase: float = 0.0) -> float:
    """A little up and down with the cycles, without chance: a request must not change the simulation."""
    return round(min(1.0, max(0.0, value + WOBBLE * math.sin(cycles / 9 + phase))), 4)


def _agent(simulation: Simulation, member: Member, now: float) -> Document:
    agent, cycles = member.agent, member.tally.cycles
    known = [run.success for run in member.window if run.success is not None]
    document: Document = {
        "id": agent.id,
        "running": member.running,
        "cycles": cycles,
        "reputation": _moving(agent.reputation, cycles),
        "autonomy": member.autonomy,
        "adaptations": member.tally.adaptations,
        "recentDecisions": min(10, member.decided),
        "decisionHistory": member.decided,
        "successHistory": {"succeeded": known.count(True), "failed": known.count(False)},
    }
    if member.last_at is not None:
        document["lastExecutionTime"] = _moment(simulation, member.last_at)
    if member.running:
        document["goalProgress"] = _goals(member) | {"time": _asked(simulation, now)}
    return document


def _goals(member: Member) -> Document:
    goal, cycles = member.agent.goal_progress, member.tally.cycles
    parts = {
        "primary": _moving(goal + 0.02, cycles),
        "secondary": _moving(goal + 0.05, cycles, 1.0),
        "tactical": _moving(goal - 0.07, cycles, 2.0),
    }
    return {**parts, "overall": round(sum(parts.values()) / len(parts), 4)}


def _orchestrator(simulation: Simulation, crew: list[Member]) -> Document:
    chief = next(member for member in crew if member.agent.id == ORCHESTRATOR)
    ratios = [member.success_ratio for member in crew if member.success_ratio is not None]
    confidences = [member.mean_confidence for member in crew if member.mean_confidence is not None]
    cycles: Document = {
        "total": chief.tally.cycles,
        "failed": chief.tally.failed_cycles,
        "running": 0,
        "duration": simulation.cycles.document(),
    }
    if chief.tally.cycles and chief.last_at is not None:
        cycles["lastStart"] = _moment(simulation, chief.last_at)
    performance = {
        "successRate": sum(ratios) / max(1, len(ratios)),
        "decisionQuality": sum(confidences) / max(1, len(confidences)),
        "adaptationEffectiveness": _moving(0.8, chief.tally.cycles),
    }
    return {"running": chief.running, "cycles": cycles, "learningRate": 0.15, "performance": performance}


def _communication(simulation: Simulation, crew: list[Member]) -> Document:
    channel = simulation.channel
    return {
        "startTime": _moment(simulation, 0),
        "pairs": [
            {"from": sender, "to": receiver, "sent": pair.sent, "failed": pair.failed}
            for (sender, receiver), pair in channel.pairs.items()
        ],
        "latency": [{"from": sender} | latency.document() for sender, latency in channel.latency.items()],
        "negotiations": [
            {"agent": m.agent.id, "total": m.tally.negotiations, "succeeded": m.tally.negotiations_succeeded}
            for m in crew
        ],
        "queued": channel.queued,
    }


def _report(member: Member) -> Document:
    """What the agent's getPerformanceMetrics() says: not every agent has every key, some speak in percent."""
    agent, tally = member.agent, member.tally
    scale = 100 if agent.confidence_as_percent else 1
    report: Document = {
        "decisionCount" if scale == 100 else "totalDecisions": tally.decisions,
        "sourcesQueried": tally.sources_queried,
        "apiCallsUsed": tally.api_calls,
        "queue": {"depth": tally.cycles % 4, "retries": {"total": tally.failed_cycles}},
    }
    if agent.signals_of_execution is not None:
        report["signalsGenerated"] = tally.signals
    if agent.cache_hit_ratio is not None and tally.sources_queried:
        report["cacheHitRate"] = tally.cache_hits / tally.sources_queried
    means = {
        "successRate": (member.success_ratio, scale),
        "avgConfidence": (member.mean_confidence, scale),
        "avgResponseTime": (member.mean_milliseconds, 1),
    }
    return report | {name: value * factor for name, (value, factor) in means.items() if value is not None}
