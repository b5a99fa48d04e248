"""The newest of the optimizer's ledger, a row for each optimization."""

from grafana.boards.optimizer_actions import WITHOUT
from grafana.kit import links, look
from grafana.kit.board import Board
from grafana.kit.queries import of_optimizer
from grafana.kit.tables import Key, Value, table

LEDGER = "tweetbot_optimizer_ledger"
LABELS = "id, agent, bottleneck"


def ledger(board: Board) -> None:
    def measured(phase: str) -> str:
        return _of("measured_value", f'phase="{phase}"')

    board.row("The ledger")
    board.add(
        12,
        table(
            "The newest optimizations",
            "What each was about, measured before and after in seconds or as a ratio (1 is all), what became of it "
            "and why. `tweetbot-exporter optimizations` has them all." + WITHOUT,
            [
                Key("id", "No.", 60),
                Key("agent", "Agent", 200, links=[links.to_agent("__value.raw")]),
                Key("bottleneck", "Bottleneck", 130, words=look.MEASURED),
                Key("outcome", "Verdict", 150, states=look.mapping(look.OUTCOMES | look.STATES)),
                Key("reason", "Why", wrap=True),
            ],
            [
                Value("Before", measured("before"), look.SCORE, 2, width=75),
                Value("After", measured("after"), look.SCORE, 2, width=75),
                Value(
                    "Better by",
                    _of("improvement_ratio"),
                    look.RATIO,
                    0,
                    width=95,
                    extra=look.coloured(look.signed(0.005)),
                ),
                Value("Since", f"{_since()} * 1000", look.MOMENT_AGO, width=125),
            ],
            sort="Since",
            small=True,
            empty="the ledger is empty, or no optimizer is scraped",
            width=24,
        ),
    )


def _of(name: str, *matchers: str) -> str:
    return f"max by ({LABELS}) ({of_optimizer(f'{LEDGER}_{name}', *matchers)})"


def _since() -> str:
    return f"max by ({LABELS}, outcome, reason) ({of_optimizer(f'{LEDGER}_timestamp_seconds')})"
