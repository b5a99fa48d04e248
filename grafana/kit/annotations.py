"""Vertical marks on every graph: where alerts began, restarts of the bot, actions of the optimizer, trades."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.models import dashboard as model

from grafana.kit.look import BLUE, GREY, ORANGE, PURPLE, RED
from grafana.kit.queries import DATASOURCE, firing_since, of, of_optimizer


class Annotation(model.AnnotationQuery):
    """An annotation of the Prometheus data source: the SDK's type lacks what that data source adds.

    The value of `expr` is the moment of the mark, in milliseconds. Samples that are true over time would become a
    region that covers the graph.
    """

    OWN_KEYS = ("titleFormat", "textFormat", "tagKeys", "step", "useValueForTime")

    def __init__(self, name: str, expr: str, colour: str, *, on: bool, title: str, tags: str):
        super().__init__(
            name=name, expr=expr, datasource=DATASOURCE, enable=on, hide=False, icon_color=colour, built_in=0
        )
        values = (title, name, tags, "60s", True)
        self._own: dict[str, Any] = dict(zip(self.OWN_KEYS, values, strict=True))

    def to_json(self) -> dict[str, object]:
        """The SDK's keys and the data source's own."""
        return super().to_json() | self._own


def annotations(*, of_agents: bool, warnings: bool) -> list[model.AnnotationQuery]:
    """All of them. Off at first: `warnings` where those of all agents would crowd, and trades, which always do.

    `of_agents`: the dashboard is about chosen agents; what is about the whole bot, without an agent, is for all.
    """
    chosen = ('agent=~"$agent|"',) if of_agents else ()
    acted = of_optimizer("tweetbot_optimizer_action_last_timestamp_seconds", *chosen)
    return [
        _alerts("Warnings", "warning", ORANGE, chosen, on=warnings),
        _alerts("Critical alerts", "critical", RED, chosen, on=True),
        Annotation(
            "Bot restarts",
            f"max by (bot) ({of('tweetbot_process_start_time_seconds')}) * 1000",
            PURPLE,
            on=True,
            title="{{bot}} started",
            tags="bot",
        ),
        Annotation(
            "Optimizer actions",
            f"max by (agent, action) ({acted}) * 1000",
            BLUE,
            on=True,
            title="optimizer: {{action}} {{agent}}",
            tags="action",
        ),
        Annotation(
            "Trades",
            f"max by (side) ({of('tweetbot_trade_last_timestamp_seconds')}) * 1000",
            GREY,
            on=False,
            title="trade: {{side}}",
            tags="side",
        ),
    ]


def _alerts(name: str, severity: str, colour: str, chosen: Sequence[str], *, on: bool) -> Annotation:
    began = firing_since(of, *chosen, severity=severity)
    return Annotation(name, began, colour, on=on, title="{{alertname}} {{agent}}", tags="severity")
