"""Is stated confidence true? For one agent and for several."""

from grafana.kit import look
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.graphs import lines
from grafana.kit.queries import of_agent, query, threshold
from grafana.kit.values import bars, calibration

NO_OUTCOMES = "no known outcomes yet"


def curve() -> tuple[Panel, Panel]:
    """The calibration curve of the chosen agents, and how many decisions stand behind each of its points."""
    succeeded = f"sum by (confidence_band) ({of_agent('tweetbot_decision_resolved_succeeded_total')})"
    resolved = f"sum by (confidence_band) ({of_agent('tweetbot_decision_resolved_total')})"
    # Without any row the panel would show "Err".
    nothing = 'label_replace(vector(nan), "confidence_band", "0.0", "", "")'
    return (
        calibration(
            "Calibration curve",
            "Of the decisions made with this confidence, the share that succeeded. On the diagonal, "
            "confidence means what it says; below it, it is too high. Without known outcomes there is no point.",
            query(f"{succeeded} / ({resolved} > 0) or on () {nothing}", table=True),
            empty=NO_OUTCOMES,
            width=8,
        ),
        bars(
            "Decisions behind it",
            "Decisions with a known outcome in each band of confidence: a point of the curve with few says "
            "little.",
            query(f"{resolved} > 0", "{{confidence_band}} +", instant=True),
            unit=look.NUMBER,
            decimals=0,
            fixed=look.BLUE,
            empty=NO_OUTCOMES,
            width=5,
        ),
    )


def calibration_row(board: Board) -> None:
    """The row about several agents."""
    board.row("Is their confidence true?")
    board.add(
        9,
        *curve(),
        lines(
            "Brier score by agent",
            "Mean squared difference of confidence and outcome (newest 50). Above the dashed line, "
            "confidence misleads more than always saying 50 %.",
            query(f"max by (agent) ({of_agent('tweetbot_decision_brier_score')})", "{{agent}}"),
            threshold("agent:brier_score:threshold"),
            unit=look.SCORE,
            decimals=2,
            bounds=(0, None),
            soft_max=0.3,
            legend_at="right",
            empty=NO_OUTCOMES,
            width=11,
        ),
    )
