"""The overview's table of agents, coloured by the recorded thresholds."""

from grafana.boards.activity import activity
from grafana.boards.trouble import agent_rank
from grafana.kit import links, look
from grafana.kit.board import Board
from grafana.kit.queries import of, verdict
from grafana.kit.tables import Key, Value, table


def _order() -> str:
    """Who is in trouble first, by how much; then the others, by profile score."""
    known = f"group by (agent) ({of('agent:known:group')})"
    well = f"(1 - max by (agent) ({of('agent:profile_score:avg')})) / 2"
    return f"{agent_rank()} or {well} or 0 * {known}"


def agents(board: Board) -> None:
    def mean(name: str, *matchers: str) -> str:
        return f"max by (agent) ({of(name, *matchers)})"

    def mark(header: str, value: str, comparison: str, *thresholds: str) -> Value:
        expr = verdict(of(value), comparison, *(of(name) for name in thresholds))
        return Value(header, expr, "none", 0, width=50, states=look.MARK)

    board.row("Agents")
    board.add(
        11,
        table(
            "Agents",
            "One row for each agent; the sign after a number says whether it is inside its recorded "
            "threshold: ✓ inside, ▲ beyond, ✖ beyond the critical one. A cell without a value: the bot "
            "does not say.",
            [Key("agent", "Agent", 200, links=[links.to_agent("__value.raw")])],
            [
                Value("Now", activity(of), "none", 0, states=look.ACTIVITY),
                Value("Profile", mean("agent:profile_score:avg"), look.SCORE, 2, bar=True),
                Value("Success", mean("agent:recent_success_ratio:last5m"), look.RATIO, 0),
                mark(
                    " ",
                    "agent:recent_success_ratio:last5m",
                    "<",
                    "agent:recent_success_ratio:threshold_medium",
                    "agent:recent_success_ratio:threshold_critical",
                ),
                Value("Response", mean("agent:recent_response_time_seconds:last5m"), look.SECONDS),
                mark(
                    "  ",
                    "agent:recent_response_time_seconds:last5m",
                    ">",
                    "agent:recent_response_time_seconds:threshold_high",
                ),
                Value("Confidence", mean("agent:recent_confidence_ratio:last5m"), look.RATIO, 0),
                mark(
                    "   ",
                    "agent:recent_confidence_ratio:last5m",
                    "<",
                    "agent:recent_confidence_ratio:threshold",
                ),
                Value("Coordination", mean("agent:coordination:ratio_increase1h"), look.RATIO, 0, width=122),
                mark(
                    "    ",
                    "agent:coordination:ratio_increase1h",
                    "<",
                    "agent:coordination_ratio:threshold_medium",
                ),
                Value("Goal", mean("agent:goal_progress_ratio:last5m"), look.RATIO, 0),
                mark("     ", "agent:goal_progress_ratio:last5m", "<", "agent:goal_progress_ratio:threshold"),
            ],
            order=_order(),
            small=True,
            empty="no agent is known: is the exporter scraped?",
            width=24,
        ),
    )
