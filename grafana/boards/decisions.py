"""What agents decide: volume, outcomes, risk, alternatives, and whether their confidence is true."""

from grafana.boards.alerts import OF_THESE_AGENTS, alerts_over_time
from grafana.boards.confidence import calibration_row
from grafana.kit import links, look, variables
from grafana.kit.board import Board
from grafana.kit.graphs import events, heatmap_of_buckets
from grafana.kit.queries import before, increase, of_agent, per_minute, query, verdict
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat

NO_DECISIONS = "these agents log no decisions"
NO_OUTCOMES = "no outcome of these agents is known yet"
RISKS = {"low": look.GREEN, "medium": look.ORANGE, "high": look.RED, "other": look.GREY}
"""From the bottom of the stack."""


def board() -> Board:
    result = Board(
        "tweetbot-decisions",
        "TweetBot / Decisions",
        "What the agents decide, how it turns out, and whether their confidence is true.",
        agent=variables.some_agents(),
    )
    _now(result)
    _volume(result)
    _outcomes(result)
    calibration_row(result)
    result.row("Alerts")
    result.add(9, alerts_over_time(OF_THESE_AGENTS))
    return result


def _total(name: str) -> str:
    return f"sum({of_agent(name)})"


def _risky(risk: str) -> str:
    return per_minute(of_agent("tweetbot_decisions_by_risk_total", f'risk="{risk}"'))


def _now(board: Board) -> None:
    misleads = verdict(
        of_agent("tweetbot_decision_brier_score"), ">", of_agent("agent:brier_score:threshold")
    )
    known = f"({_total('tweetbot_decisions_succeeded_total')} + {_total('tweetbot_decisions_failed_total')})"
    board.add(
        4,
        stat(
            "Decisions (1 h)",
            "Of all chosen agents.",
            query(f"sum({of_agent('agent:decisions:increase1h')})", "now"),
            before=f"sum({before(of_agent('agent:decisions:increase1h'), 'agent')})",
            neutral="how many are right is the bot's own matter",
            unit=look.NUMBER,
            decimals=0,
            empty=NO_DECISIONS,
            width=4,
        ),
        stat(
            "Outcome known",
            "Share of all decisions in the database whose outcome is known. On some bots outcomes never "
            "become known.",
            query(f"{known} / ({_total('tweetbot_decisions_total')} > 0)", "known", instant=True),
            neutral="on some bots outcomes never become known",
            unit=look.RATIO,
            decimals=0,
            empty=NO_DECISIONS,
            width=4,
        ),
        stat(
            "Succeeded",
            "Share of the known outcomes, over the whole database.",
            query(
                f"{_total('tweetbot_decisions_succeeded_total')} / ({known} > 0)", "succeeded", instant=True
            ),
            neutral="no threshold is recorded for it",
            unit=look.RATIO,
            decimals=0,
            empty=NO_OUTCOMES,
            width=4,
        ),
        stat(
            "Pending",
            "Decisions whose outcome is not known yet.",
            query(_total("tweetbot_decisions_pending"), "pending"),
            neutral="on some bots outcomes never become known",
            unit=look.NUMBER,
            decimals=0,
            graph=True,
            empty=NO_DECISIONS,
            width=4,
        ),
        stat(
            "Worst Brier score",
            "The agent whose stated confidence is least true: 0 is perfect, over 0.25 misleads.",
            query(f"max({of_agent('tweetbot_decision_brier_score')})", "now"),
            before=f"max({before(of_agent('tweetbot_decision_brier_score'), 'agent')})",
            verdict=f"max({misleads})",
            unit=look.SCORE,
            decimals=2,
            empty=NO_OUTCOMES,
            width=4,
        ),
        stat(
            "Outcomes revised",
            "Outcomes that changed after they were first known. Normal: few.",
            query(_total("tweetbot_decision_outcome_revisions_total"), "revised", instant=True),
            neutral="no threshold is recorded for it",
            unit=look.NUMBER,
            decimals=0,
            empty=NO_DECISIONS,
            width=4,
        ),
    )


def _volume(board: Board) -> None:
    board.row("What is decided")
    board.add(
        8,
        events(
            "Decisions per minute by type",
            "All chosen agents together.",
            query(
                f"sum by (decision_type) ({per_minute(of_agent('tweetbot_decisions_total'))})",
                "{{decision_type}}",
            ),
            legend_at="right",
            empty=NO_DECISIONS,
            width=12,
        ),
        events(
            "Decisions per minute by agent",
            "A gap is an agent that does not decide.",
            query(f"sum by (agent) ({per_minute(of_agent('tweetbot_decisions_total'))})", "{{agent}}"),
            legend_at="right",
            empty=NO_DECISIONS,
            width=12,
        ),
    )
    alternatives = increase(of_agent("tweetbot_decision_alternatives_bucket"))
    board.add(
        8,
        events(
            "Risk of decisions",
            "Decisions per minute by the risk that the agent saw; decisions without one are left out.",
            # One query each: a stack has the order of its queries, else that of the alphabet.
            *(query(f"sum by (risk) ({_risky(risk)})", "{{risk}}") for risk in RISKS),
            empty="no decision states a risk",
            colours=RISKS,
            width=8,
        ),
        heatmap_of_buckets(
            "Alternatives considered",
            "How many decisions weighed how many alternatives. Normal: more than one.",
            query(f"sum by (le) ({alternatives})", "{{le}}", heatmap=True),
            unit=look.COUNT,
            interval="1m",
            empty="no decision lists alternatives",
            width=8,
        ),
        heatmap_of_buckets(
            "Confidence of decisions",
            "How many decisions were made with which confidence.",
            query(
                f"sum by (le) ({increase(of_agent('tweetbot_decision_confidence_ratio_bucket'))})",
                "{{le}}",
                heatmap=True,
            ),
            unit=look.RATIO,
            interval="1m",
            empty="no decision states a confidence",
            width=8,
        ),
    )


def _outcomes(board: Board) -> None:
    def rate(name: str) -> str:
        return f"sum({per_minute(of_agent(name))})"

    board.row("How it turns out")
    board.add(
        10,
        events(
            "Outcomes per minute",
            "Outcomes at the moment at which they became known, which may be long after the decision.",
            query(rate("tweetbot_decisions_succeeded_total"), "succeeded"),
            query(rate("tweetbot_decisions_failed_total"), "failed"),
            empty=NO_OUTCOMES,
            colours={"succeeded": look.GREEN, "failed": look.RED},
            width=6,
        ),
        table(
            "Outcomes by agent",
            "Totals of the database. Known outcomes of a day; result is the mean numeric outcome of the "
            "newest 50.",
            [Key("agent", "Agent", links=[links.to_agent("__value.raw")])],
            [
                Value(
                    "Decisions",
                    f"sum by (agent) ({of_agent('tweetbot_decisions_total')})",
                    decimals=0,
                    width=88,
                ),
                Value(
                    "Pending",
                    f"sum by (agent) ({of_agent('tweetbot_decisions_pending')})",
                    decimals=0,
                    width=78,
                ),
                Value(
                    "Last decision",
                    f"max by (agent) ({of_agent('tweetbot_decision_last_timestamp_seconds')}) * 1000",
                    look.MOMENT_AGO,
                    width=142,
                ),
                Value(
                    "Succeeded (1 d)",
                    f"max by (agent) ({of_agent('agent:decisions_succeeded_per_known:ratio_increase1d')})",
                    look.RATIO,
                    0,
                    width=150,
                    bar=True,
                ),
                Value(
                    "Result",
                    f"max by (agent) ({of_agent('tweetbot_recent_actual_result')})",
                    "none",
                    decimals=2,
                    width=70,
                ),
                Value(
                    "Adjustments",
                    f"max by (agent) ({of_agent('tweetbot_learning_adjustments_total')})",
                    decimals=0,
                    width=110,
                ),
            ],
            sort="Succeeded (1 d)",
            descending=False,
            small=True,
            empty=NO_DECISIONS,
            width=18,
        ),
    )
