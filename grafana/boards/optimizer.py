"""What the optimizer did about bottlenecks, and what that brought."""

from typing import Any

from grafana.boards.alerts import alerts_over_time, firing_alerts
from grafana.boards.optimizer_actions import FAILURES, WITHOUT, actions_in_all, actions_over_time
from grafana.boards.optimizer_ledger import ledger
from grafana.kit import links, look
from grafana.kit.base import Panel
from grafana.kit.board import Board
from grafana.kit.graphs import events, lines
from grafana.kit.queries import increase, of_optimizer, query
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat

NO_OPTIMIZER = "no optimizer is scraped"
IMPROVEMENT = "tweetbot_optimizer_improvement_ratio_bucket"
STATES = {name: colour for name, (_, colour) in look.STATES.items()}
OUTCOMES = {name: colour for name, (_, colour) in look.OUTCOMES.items()}
CODES = {"200": look.GREEN, "400": look.PURPLE, "401": look.RED, "429": look.ORANGE}


def board() -> Board:
    result = Board(
        "tweetbot-optimizer",
        "TweetBot / Optimizer",
        "What the optimizer did about bottlenecks, what that brought, and whether it works itself.",
    )
    _now(result)
    ledger(result)
    _optimizations(result)
    _effect(result)
    _actions(result)
    _reaching_it(result)
    result.row("Alerts")
    result.add(9, alerts_over_time(select=of_optimizer))
    return result


def _bot(name: str, *matchers: str) -> str:
    return f"max by (bot) ({of_optimizer(name, *matchers)})"


def _grown(name: str, by: str) -> str:
    return f"sum by ({by}) ({increase(of_optimizer(name))})"


def _now(board: Board) -> None:
    def now(title: str, description: str, expr: str, **options: Any) -> Panel:
        shown: dict[str, Any] = {"unit": "none", "empty": NO_OPTIMIZER, "width": 4} | options
        return stat(title, description + WITHOUT, query(expr, title.lower(), instant=True), **shown)

    info, acting = "tweetbot_optimizer_info", 'mode="act"'
    moment = f"{_bot('tweetbot_optimizer_last_run_timestamp_seconds')} * 1000"
    board.add(
        4,
        now(
            "Optimizer",
            "Whether it looks at what is open: its process is up and does not hang.",
            _bot("optimizer:working:bool"),
            states=look.HEALTH,
        ),
        now(
            "Mode",
            "◌ observe writes down what it would do; ▶ act does it.",
            f"max by (bot) (2 * {of_optimizer(info, acting)} or {of_optimizer(info)})",
            states=look.MODE,
        ),
        now(
            "Prometheus",
            "Whether Prometheus answered the optimizer when it was last asked: without it nothing is measured.",
            _bot("tweetbot_optimizer_prometheus_up"),
            states=look.HEALTH,
        ),
        now(
            "Bridge",
            "Whether the bot's bridge answered when it was last asked. Who only observes need not ask.",
            _bot("tweetbot_optimizer_bridge_up"),
            states=look.HEALTH,
            empty="not asked yet",
        ),
        now(
            "Last look",
            "When all open optimizations were last looked at. Normal: seconds ago.",
            moment,
            neutral="Optimizer says whether it is too long ago",
            unit=look.MOMENT_AGO,
        ),
        now(
            "Open now",
            "Optimizations that wait, act, are measured or are being rolled back.",
            f"sum({of_optimizer('tweetbot_optimizer_open')})",
            neutral="it only counts",
            unit=look.NUMBER,
            decimals=0,
        ),
    )


def _optimizations(board: Board) -> None:
    ended = "tweetbot_optimizer_optimizations_total"
    board.row("Optimizations")
    board.add(
        9,
        lines(
            "Open by state",
            "Waiting: not confirmed yet, or not their turn. One agent has one that acts or measures at a "
            "time." + WITHOUT,
            query(f"sum by (state) ({of_optimizer('tweetbot_optimizer_open')})", "{{state}}"),
            unit=look.COUNT,
            decimals=0,
            stacked=True,
            fill=40,
            bounds=(0, None),
            soft_max=1,
            colours=STATES,
            empty=NO_OPTIMIZER,
            width=7,
        ),
        events(
            "Ended, by outcome",
            "Optimizations that ended in each interval. Normal: succeeded or improved." + WITHOUT,
            query(f"{_grown(ended, 'outcome')} > 0", "{{outcome}}"),
            colours=OUTCOMES,
            empty="none ended in this time range, or no optimizer is scraped",
            width=8,
        ),
        table(
            "Ended in all",
            "All closed optimizations in the ledger, by bottleneck and outcome." + WITHOUT,
            [
                Key(
                    "bottleneck",
                    "Bottleneck",
                    words=look.BOTTLENECK,
                    links=[links.to("tweetbot-overview", "Show overview", agent="")],
                ),
                Key("outcome", "Outcome", 160, states=look.mapping(look.OUTCOMES)),
            ],
            [
                Value(
                    "Ended", f"sum by (bottleneck, outcome) ({of_optimizer(ended)}) > 0", decimals=0, width=80
                )
            ],
            sort="Ended",
            small=True,
            empty="none has ended yet, or no optimizer is scraped",
            width=9,
        ),
    )


def _measured(bound: str) -> str:
    """How many were measured at most `bound` better, in each interval."""
    at_most = increase(of_optimizer(IMPROVEMENT, f'le="{bound}"'))
    return f"sum by (bot) ({at_most})"


def _effect(board: Board) -> None:
    def measured(*matchers: str) -> str:
        return f"sum by (bottleneck) ({of_optimizer(IMPROVEMENT, *matchers)})"

    counted, worse, not_better = (measured(f'le="{bound}"') for bound in ("+Inf", "-0.05", "0.05"))
    some = f"and on (bottleneck) {counted} > 0"
    median = f"histogram_quantile(0.5, sum by (bottleneck, le) ({of_optimizer(IMPROVEMENT)}))"
    nothing = "nothing could be measured yet, or no optimizer is scraped"
    board.row("What it brought")
    board.add(
        8,
        events(
            "Measured improvement",
            "Optimizations that were measured in each interval. Better and worse: by more than 5 % of the "
            "value before. Normal: none is worse." + WITHOUT,
            query(f"{_measured('+Inf')} - {_measured('0.05')}", "better"),
            query(f"{_measured('0.05')} - {_measured('-0.05')}", "the same"),
            query(_measured("-0.05"), "worse"),
            colours={"better": look.GREEN, "the same": look.GREY, "worse": look.RED},
            empty=nothing,
            width=12,
        ),
        table(
            "Effect by bottleneck",
            "All that was measured. Better and worse: by more than 5 % of the value before. The median is an "
            "estimate from a histogram. Normal: above 0." + WITHOUT,
            [Key("bottleneck", "Bottleneck", words=look.BOTTLENECK)],
            [
                Value("Measured", f"{counted} > 0", decimals=0),
                Value("Better", f"{counted} - {not_better} {some}", decimals=0),
                Value("Worse", f"{worse} {some}", decimals=0),
                Value("Median", f"{median} {some}", look.RATIO, 0),
            ],
            sort="Measured",
            small=True,
            empty=nothing,
            width=12,
        ),
    )


def _actions(board: Board) -> None:
    board.row("What it did on the bot")
    board.add(
        8,
        actions_over_time(width=7),
        events(
            "Actions that failed",
            "What the bot refused, failed or did not answer in time; the table has the agents. Normal: nothing."
            + WITHOUT,
            query(f"sum by (action) ({increase(of_optimizer(FAILURES))})", "{{action}}"),
            soft_max=1,
            empty="✓ no action failed in this time range",
            width=5,
        ),
        actions_in_all(width=12),
    )


def _reaching_it(board: Board) -> None:
    rejected = "tweetbot_optimizer_alerts_rejected_total"
    taken_in = f"{_grown('tweetbot_optimizer_alerts_total', 'bot')} - {_grown(rejected, 'bot')}"
    board.row("What reaches it, and its own alerts")
    board.add(
        8,
        events(
            "Requests to the webhook",
            "By HTTP status code. 401: a wrong token; 429: too many; 503: the ledger could not be written."
            + WITHOUT,
            query(f"{_grown('tweetbot_optimizer_webhook_requests_total', 'code')} > 0", "{{code}}"),
            colours=CODES,
            empty="no request yet, or no optimizer is scraped",
            width=7,
        ),
        events(
            "Alerts, and why they were passed over",
            "Alerts in those requests. Normal: most are `open` (known already) or `repeated`." + WITHOUT,
            query(f"clamp_min({taken_in}, 0)", "taken in"),
            query(f"{_grown(rejected, 'reason')} > 0", "{{reason}}"),
            colours={"taken in": look.GREEN},
            empty="no alert yet, or no optimizer is scraped",
            width=7,
        ),
        firing_alerts("Firing alerts about the optimizer", of_optimizer, width=10),
    )
