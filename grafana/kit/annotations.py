"""Vertical marks on every graph: firing alerts, restarts of the bot, actions of the optimizer, trades."""

from typing import Any

from grafana_foundation_sdk.models import dashboard as model

from grafana.kit.look import BLUE, ORANGE, PURPLE, RED
from grafana.kit.queries import DATASOURCE, TARGET, of, of_optimizer


class Annotation(model.AnnotationQuery):
    """An annotation of the Prometheus data source: the SDK's type lacks what that data source adds."""

    OWN_KEYS = ("titleFormat", "textFormat", "tagKeys", "step", "useValueForTime")

    def __init__(self, name: str, expr: str, colour: str, *, on: bool, at_value: bool, title: str, tags: str):
        super().__init__(
            name=name, expr=expr, datasource=DATASOURCE, enable=on, hide=False, icon_color=colour, built_in=0
        )
        values = (title, name, tags, "60s", at_value)
        self._own: dict[str, Any] = dict(zip(self.OWN_KEYS, values, strict=True))

    def to_json(self) -> dict[str, object]:
        """The SDK's keys and the data source's own."""
        return super().to_json() | self._own


def annotations(*, trades: bool, of_agents: bool) -> list[model.AnnotationQuery]:
    """All of them. Trades are switched off at first where they would be noise.

    `of_agents`: the dashboard is about chosen agents; what was done to the whole bot, without an agent, is for all.
    """
    chosen = ('agent=~"$agent|"',) if of_agents else ()
    acted = of_optimizer("tweetbot_optimizer_action_last_timestamp_seconds", *chosen)
    alerts = f'ALERTS{{{TARGET}, alertname=~"Tweetbot.+", alertstate="firing"}}'
    return [
        Annotation(
            "Firing alerts",
            f"max by (alertname, agent, severity) ({alerts})",
            RED,
            on=True,
            at_value=False,
            title="{{alertname}} {{agent}}",
            tags="severity",
        ),
        Annotation(
            "Bot restarts",
            f"max by (bot) ({of('tweetbot_process_start_time_seconds')}) * 1000",
            ORANGE,
            on=True,
            at_value=True,
            title="{{bot}} started",
            tags="bot",
        ),
        Annotation(
            "Optimizer actions",
            f"max by (agent, action) ({acted}) * 1000",
            BLUE,
            on=True,
            at_value=True,
            title="optimizer: {{action}} {{agent}}",
            tags="action",
        ),
        Annotation(
            "Trades",
            f"max by (side) ({of('tweetbot_trade_last_timestamp_seconds')}) * 1000",
            PURPLE,
            on=trades,
            at_value=True,
            title="trade: {{side}}",
            tags="side",
        ),
    ]
