"""The scenarios: all parameters in which they differ, and the effects of actions.

Shares "of 50" are exact, since the exporter's window is the newest 50 rows of an agent (shuffle_bag.py).
Intervals are in seconds of the live bot at speed 1; the older history runs HISTORY_STRETCH times slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

HISTORY_STRETCH = 20
"""The older history has one event for this many of the live bot."""

WARM_UP_SECONDS = 2400
"""Time before the start (divided by the speed) at which events reach the live rate, to fill each window of 50."""

TROUBLE_SECONDS = 6 * 3600
"""Time before the start at which a scenario's trouble began; before that every bot was healthy."""


AUTONOMY = "autonomyLevel"
STRATEGY = "goals.analysisDepth"
GOALS: Mapping[str, float] = MappingProxyType({STRATEGY: 64.0, "goals.signalTarget": 20.0})
"""Initial values of each agent. With another strategy it is adapted and takes its profile from `Scenario.adapted`."""


class Adjustment(NamedTuple):
    """Multiplies one value of an agent, within bounds."""

    path: str
    factor: float
    least: float
    most: float

    def apply(self, value: float) -> float:
        return min(self.most, max(self.least, value * self.factor))


LEAST_AUTONOMY, MOST_AUTONOMY = 0.3, 0.95
DIRECTIONS: Mapping[str, Adjustment] = MappingProxyType(
    {
        "lower": Adjustment(AUTONOMY, 0.95, LEAST_AUTONOMY, MOST_AUTONOMY),
        "raise": Adjustment(AUTONOMY, 1.05, LEAST_AUTONOMY, MOST_AUTONOMY),
    }
)
ADAPTATIONS: Mapping[str, Adjustment] = MappingProxyType(
    {
        "GOAL_ADAPTATION": Adjustment("goals.signalTarget", 0.9, 1, 20),
        "STRATEGY_ADJUSTMENT": Adjustment(STRATEGY, 0.5, 1, 64),
        "INCREASE_AUTONOMY": DIRECTIONS["raise"],
    }
)


@dataclass(frozen=True)
class AgentProfile:
    """Parameters of an agent's behaviour."""

    name: str
    """As the data spells it: an id or a display name."""
    execution_types: tuple[str, ...]
    """Empty: it never logs an execution (it only trades)."""
    decision_types: tuple[str, ...]
    interval_seconds: float
    """Mean time between two executions."""
    response_ms: int = 700
    succeeded_of_50: int = 49
    coordinated_of_50: int = 45
    """Successful negotiations; always steady."""
    steady: bool = False
    """Any 50 consecutive executions have exactly that mean and success, not only each block of 50."""
    confidence: float = 0.82
    """Mean stated confidence. Outcomes come true as often as stated, unless `comes_true` says otherwise."""
    comes_true: float | None = None
    confidence_as_percent: bool = False
    autonomy: float = 0.85
    autonomy_as_percent: bool = False
    reputation: float = 0.86
    goal_progress: float = 0.76
    decision_share: float = 0.4
    """Share of its executions that log a decision."""
    trade_share: float = 0.0
    """Share of its executions that end in a trade."""
    signals_of_execution: int | None = None
    """Maximum of signals per execution; None: the agent does not report signals."""
    numeric_results: bool = False
    """`outcome.actualResult` is a number, not a sentence."""
    learning_share: float = 0.12
    """Share of its decisions with learning adjustments."""
    unlogged_share: float = 0.0
    """Share of its executions with neither `success` nor a time."""
    cache_hit_ratio: float | None = None
    reports_itself: bool = True
    """Has `getPerformanceMetrics()`."""
    stops_after_seconds: float | None = None
    """Time after the start (divided by the speed) at which it stops for good."""

    @property
    def id(self) -> str:
        return self.name.lower().replace(" ", "-")


@dataclass(frozen=True)
class MarketProfile:
    """Parameters of the market simulation."""

    drift: float
    """Of the price's level, per step, as a ratio."""
    floor: float = 0.7
    """Lower bound of the level, as a share of the first price."""
    fear_greed: int = 62
    deployed: float = 0.45
    """Share of the portfolio that the bot aims to hold in BTC."""


@dataclass(frozen=True)
class Scenario:
    name: str
    description: str
    agents: tuple[AgentProfile, ...]
    """Since the trouble began; before that HEALTHY_AGENTS."""
    market: MarketProfile
    alert_levels: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"info": 0.8, "warning": 0.2})
    )
    """Weights of the levels in `system_alerts`."""
    adapted: tuple[AgentProfile, ...] = ()
    """Profiles of agents whose strategy is adjusted. The others keep theirs."""

    def profile(self, name: str, *, adapted: bool) -> AgentProfile:
        profiles = (*self.adapted, *self.agents) if adapted else self.agents
        return next(agent for agent in profiles if agent.name == name)


MARKET_HUNTER = AgentProfile(
    "market-hunter",
    ("decision_cycle", "signal_scan"),
    ("MARKET_SCAN", "SOURCE_SELECTION", "STRATEGY_ADJUSTMENT"),
    interval_seconds=12,
    response_ms=1150,
    succeeded_of_50=48,
    confidence=0.8,
    autonomy=0.9,
    reputation=0.87,
    trade_share=0.04,
    signals_of_execution=4,
    numeric_results=True,
    cache_hit_ratio=0.78,
)
STRATEGIC_ORCHESTRATOR = AgentProfile(
    "strategic-orchestrator",
    ("orchestration_cycle",),
    ("AGENT_ADAPTATION", "EXPERT_METHODOLOGY_INTEGRATION"),
    interval_seconds=30,
    coordinated_of_50=47,
    response_ms=1350,
    autonomy=0.92,
    reputation=0.91,
    goal_progress=0.8,
    decision_share=0.7,
    trade_share=0.06,
    learning_share=0.25,
    reports_itself=False,
)
PERFORMANCE_OPTIMIZER = AgentProfile(
    "performance-optimizer",
    ("optimization_cycle",),
    ("STRATEGY_ADJUSTMENT", "RESOURCE_ALLOCATION"),
    interval_seconds=35,
    response_ms=520,
    confidence=0.84,
    numeric_results=True,
    learning_share=0.3,
    cache_hit_ratio=0.88,
)
CONTENT_CREATOR = AgentProfile(
    "content-creator",
    ("content_cycle", "post_draft"),
    ("CONTENT_PLAN", "MARKET_SCAN"),
    interval_seconds=38,
    coordinated_of_50=44,
    response_ms=1450,
    succeeded_of_50=48,
    confidence=0.78,
    confidence_as_percent=True,
    autonomy=0.78,
    cache_hit_ratio=0.64,
)
MARKET_ANALYZER = AgentProfile(
    "market-analyzer",
    ("analysis_cycle",),
    ("MARKET_SCAN", "STRATEGY_ADJUSTMENT"),
    interval_seconds=20,
    response_ms=820,
    confidence=0.83,
    trade_share=0.03,
    signals_of_execution=2,
    numeric_results=True,
)
NARRATIVE_ARCHITECT = AgentProfile(
    "narrative-architect",
    ("narrative_cycle",),
    ("NARRATIVE_SHIFT", "CONTENT_PLAN"),
    interval_seconds=32,
    coordinated_of_50=46,
    response_ms=940,
    confidence=0.79,
    autonomy_as_percent=True,
    cache_hit_ratio=0.7,
)
SENTIMENT_SCOUT = AgentProfile(
    "sentiment-scout",
    ("scouting_cycle",),
    ("SOURCE_SELECTION",),
    interval_seconds=25,
    response_ms=610,
    trade_share=0.04,
    signals_of_execution=3,
    unlogged_share=0.06,
)
INTELLIGENT_EXECUTION_AGENT = AgentProfile(
    "Intelligent Execution Agent",
    ("trading_decision",),
    ("TRADE_EXECUTION",),
    interval_seconds=22,
    response_ms=380,
    confidence=0.81,
    confidence_as_percent=True,
    autonomy=0.74,
    trade_share=0.3,
    numeric_results=True,
    reports_itself=False,
)
BITCOIN_ORCHESTRATOR = AgentProfile(
    "bitcoin-orchestrator", (), (), interval_seconds=150, trade_share=1.0, reports_itself=False
)

HEALTHY_AGENTS = (
    MARKET_HUNTER,
    STRATEGIC_ORCHESTRATOR,
    PERFORMANCE_OPTIMIZER,
    CONTENT_CREATOR,
    MARKET_ANALYZER,
    NARRATIVE_ARCHITECT,
    SENTIMENT_SCOUT,
    INTELLIGENT_EXECUTION_AGENT,
    BITCOIN_ORCHESTRATOR,
)
RISING = MarketProfile(drift=0.00009)
LEVEL = MarketProfile(drift=0.0)

HEALTHY = Scenario("healthy", "no threshold is crossed", HEALTHY_AGENTS, LEVEL)


def _with(*changed: AgentProfile) -> tuple[AgentProfile, ...]:
    by_name = {agent.name: agent for agent in changed}
    return tuple(by_name.get(agent.name, agent) for agent in HEALTHY_AGENTS)


DEGRADED_HUNTER = replace(
    MARKET_HUNTER, response_ms=2800, succeeded_of_50=31, coordinated_of_50=27, steady=True
)
DEGRADED = Scenario(
    "degraded",
    "market-hunter answers in 2.8 s, succeeds in 62 % and coordinates in 54 %; all others are healthy; "
    "an adjusted strategy heals it",
    _with(DEGRADED_HUNTER),
    LEVEL,
    adapted=(MARKET_HUNTER,),
)
HARMFUL = replace(
    DEGRADED,
    name="harmful",
    description="as degraded, but an adjusted strategy makes market-hunter worse: 5 s, 40 % and 36 %",
    adapted=(replace(DEGRADED_HUNTER, response_ms=5000, succeeded_of_50=20, coordinated_of_50=18),),
)
TRADEOFF = replace(
    DEGRADED,
    name="tradeoff",
    description="as degraded, but an adjusted strategy makes market-hunter faster and worse: 0.9 s and 24 %",
    adapted=(replace(DEGRADED_HUNTER, response_ms=900, succeeded_of_50=12),),
)
FAILING = Scenario(
    "failing",
    "narrative-architect stops, market-analyzer succeeds in 40 %, trades are slow, the price falls",
    _with(
        replace(NARRATIVE_ARCHITECT, stops_after_seconds=90),
        replace(
            MARKET_ANALYZER,
            succeeded_of_50=20,
            coordinated_of_50=22,
            steady=True,
            confidence=0.9,
            comes_true=0.35,
            autonomy=0.4,
            reputation=0.38,
            goal_progress=0.31,
        ),
        replace(
            INTELLIGENT_EXECUTION_AGENT, response_ms=3400, succeeded_of_50=33, steady=True, goal_progress=0.45
        ),
        replace(STRATEGIC_ORCHESTRATOR, succeeded_of_50=41, steady=True, reputation=0.7, goal_progress=0.52),
    ),
    MarketProfile(drift=-0.0006, fear_greed=18, deployed=0.85),
    MappingProxyType({"info": 0.3, "warning": 0.4, "error": 0.2, "critical": 0.1}),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {s.name: s for s in (HEALTHY, DEGRADED, FAILING, HARMFUL, TRADEOFF)}
)
