"""Vertical marks on every graph: firing alerts, restarts of the bot, trades."""

from typing import Any

from grafana_foundation_sdk.models import dashboard as model

from grafana.kit.look import ORANGE, PURPLE, RED
from grafana.kit.queries import DATASOURCE, TARGET, of


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


def annotations(*, trades: bool) -> list[model.AnnotationQuery]:
    """All of them. Trades are switched off at first where they would be noise."""
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
            "Trades",
            f"max by (side) ({of('tweetbot_trade_last_timestamp_seconds')}) * 1000",
            PURPLE,
            on=trades,
            at_value=True,
            title="trade: {{side}}",
            tags="side",
        ),
    ]
