"""Source 2: the live agents and the orchestrator."""

from typing import Any

from prometheus_client.core import Metric

from exporter.collectors.bridge.collector import BridgeCollector, DocumentSamples
from exporter.metrics import catalogue as c
from exporter.metrics.samples import Samples

MOST_AGENTS = 1000
LONGEST_COMPLETION = 32
NOISE_THRESHOLD = 0.05
"""Of the median change of a progress while nothing is done. Random numbers from 0.5 to 1 change by 0.15."""
LEAST_NOISE_PAIRS = 5
"""Of readings, before a progress is called noise."""
GOALS = ("primary", "secondary", "tactical", "overall")
ASPECTS = {
    "successRate": "success",
    "decisionQuality": "decision_quality",
    "adaptationEffectiveness": "adaptation_effectiveness",
}


class AgentsCollector(BridgeCollector):
    """Collector `agents`. Labels and units stand in the catalogue."""

    name = "agents"
    part = "agents"
    part_type = list
    missing_detail = "the bridge has seen no orchestrator with a map of agents yet"

    def fold(self, document: dict[str, Any], page: DocumentSamples) -> None:
        for agent in self.reader.entries(document, "agents", MOST_AGENTS):
            if (origin := self.reader.name(agent, "id")) is not None:
                self._agent(agent, page, origin)
        self._orchestrator(self.reader.part(document, "orchestrator"), page)
        left_out = self.reader.part(document, "leftOut")
        # The bridge leaves out itself what it finds to be malformed in the bot.
        self.reader.malformed += int(self.reader.count(left_out, "malformed") or 0)
        self.earlier_overflow += int(self.reader.count(left_out, "agents") or 0)

    def _agent(self, agent: dict[str, Any], page: DocumentSamples, origin: str) -> None:
        reader, label = self.reader, self.labels.bound_agent(origin, 1)
        reputation = reader.ratio(agent, "reputation")
        autonomy = reader.ratio(agent, "autonomy")
        page.gauge(c.AGENT_RUNNING, reader.flag(agent, "running"), label)
        page.counter(c.AGENT_CYCLES, reader.count(agent, "cycles"), origin, label)
        page.gauge(c.AGENT_LAST_EXECUTION, reader.positive(agent, "lastExecutionTime"), label)
        page.gauge(c.AGENT_REPUTATION, reputation, label)
        page.gauge(c.AGENT_AUTONOMY, autonomy, label)
        page.counter(c.AGENT_ADAPTATIONS, reader.count(agent, "adaptations"), origin, label)
        page.gauge(c.AGENT_RECENT_DECISIONS, reader.count(agent, "recentDecisions"), label)
        page.gauge(c.AGENT_DECISION_HISTORY, reader.count(agent, "decisionHistory"), label)
        overall = self._goals(reader.part(agent, "goalProgress"), page, label)
        if reputation is not None and autonomy is not None and overall is not None:
            page.gauge(c.AGENT_PERFORMANCE, (reputation + overall + autonomy) / 3, label)
        self._success_history(reader.part(agent, "successHistory"), page, label)

    def _goals(self, progress: dict[str, Any], page: DocumentSamples, label: str) -> float | None:
        """Returns the overall progress; None where it is noise."""
        noise = self.reader.part(progress, "noise")
        change = self.reader.positive(noise, "medianChange")
        page.gauge(c.AGENT_GOAL_NOISE, change, label)
        pairs = self.reader.count(noise, "pairs") or 0
        if change is not None and change > NOISE_THRESHOLD and pairs >= LEAST_NOISE_PAIRS:
            return None
        page.gauge(c.AGENT_GOAL_PROGRESS_TIME, self.reader.positive(progress, "time"), label)
        values = {goal: self.reader.ratio(progress, goal) for goal in GOALS}
        for goal, value in values.items():
            page.gauge(c.AGENT_GOAL_PROGRESS, value, label, goal)
        return values["overall"]

    def _success_history(self, history: dict[str, Any], page: DocumentSamples, label: str) -> None:
        succeeded = self.reader.count(history, "succeeded")
        failed = self.reader.count(history, "failed")
        if succeeded is not None and failed is not None and succeeded + failed > 0:
            page.gauge(c.AGENT_SUCCESS_HISTORY, succeeded / (succeeded + failed), label)

    def _orchestrator(self, orchestrator: dict[str, Any], page: DocumentSamples) -> None:
        reader = self.reader
        cycles = reader.part(orchestrator, "cycles")
        duration = reader.histogram(reader.part(cycles, "duration"), c.ORCHESTRATOR_CYCLE_DURATION)
        page.gauge(c.ORCHESTRATOR_RUNNING, reader.flag(orchestrator, "running"))
        page.counter(c.ORCHESTRATOR_CYCLES, reader.count(cycles, "total"), None)
        page.counter(c.ORCHESTRATOR_CYCLES_FAILED, reader.count(cycles, "failed"), None)
        page.counter(c.ORCHESTRATOR_CYCLES_SKIPPED, reader.count(cycles, "skipped"), None)
        if (completion := reader.text(cycles, "completion", LONGEST_COMPLETION)) is not None:
            page.gauge(c.ORCHESTRATOR_INFO, 1.0, completion)
        page.histogram(c.ORCHESTRATOR_CYCLE_DURATION, duration, None)
        page.gauge(c.ORCHESTRATOR_LAST_CYCLE, reader.positive(cycles, "lastStart"))
        page.gauge(c.ORCHESTRATOR_LEARNING_RATE, reader.number(orchestrator, "learningRate"))
        performance = reader.part(orchestrator, "performance")
        for key, aspect in ASPECTS.items():
            page.gauge(c.ORCHESTRATOR_PERFORMANCE, reader.ratio(performance, key), aspect)

    def self_metrics(self) -> list[Metric]:
        samples = Samples()
        for process, is_up in self.bridge.up.items():
            samples.add(c.BRIDGE_UP, float(is_up), process)
        if self.bridge.newest is not None:
            samples.add(c.BRIDGE_STATE, self.bridge.newest)
        return [*samples.metrics(), *super().self_metrics()]
