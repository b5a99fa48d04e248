"""Vertical marks on every graph: where alerts began, restarts of the bot, actions of the optimizer."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.models import dashboard as model

from grafana.kit.look import BLUE, ORANGE, PURPLE, RED
from grafana.kit.queries import DATASOURCE, began_in_milliseconds, firing, of, of_optimizer


class Annotation(model.AnnotationQuery):
    """An annotation of the Prometheus data source: the SDK's type lacks what that data source adds.

    The value of `expr` is the moment of the mark, in milliseconds. Samples that are true over time would become a
    region that covers the graph.
    """

    OWN_KEYS = ("titleFormat", "textFormat", "tagKeys", "step", "useValueForTime")

    # One that is on needs no switch: it does not crowd.
    def __init__(self, name: str, expr: str, colour: str, *, on: bool, title: str, tags: str):
        super().__init__(
            name=name, expr=expr, datasource=DATASOURCE, enable=on, hide=on, icon_color=colour, built_in=0
        )
        values = (title, name, tags, "60s", True)
        self._own: dict[str, Any] = dict(zip(self.OWN_KEYS, values, strict=True))

    def to_json(self) -> dict[str, object]:
        """The SDK's keys and the data source's own."""
        return super().to_json() | self._own


def annotations(*, of_agents: bool) -> list[model.AnnotationQuery]:
    """All of them. Alerts are off at first: a panel of each dashboard has them over time.

    `of_agents`: the dashboard is about chosen agents; what is about the whole bot, without an agent, is for all.
    """
    chosen = ('agent=~"$agent|"',) if of_agents else ()
    acted = of_optimizer("tweetbot_optimizer_action_last_timestamp_seconds", *chosen)
    return [
        _alerts("Warnings", "warning", ORANGE, chosen),
        _alerts("Critical alerts", "critical", RED, chosen),
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
    ]


def _alerts(name: str, severity: str, colour: str, chosen: Sequence[str]) -> Annotation:
    began = began_in_milliseconds(of, firing(of, *chosen, severity=severity), *chosen)
    return Annotation(name, began, colour, on=False, title="{{alertname}} {{agent}}", tags="severity")
