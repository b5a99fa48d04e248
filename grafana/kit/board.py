"""A dashboard: a grid that fills itself, from left to right, row by row."""

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import links, variables
from grafana.kit.annotations import annotations
from grafana.kit.base import Panel
from grafana.kit.ids import panel_id, row_id

WIDTH = 24
OPTIONS_OF = "11.6.0"
"""The version of Grafana whose panel options the SDK writes; a newer one migrates them from there."""


class Board:
    """Collects panels; `build` adds what all dashboards share."""

    def __init__(
        self,
        uid: str,
        title: str,
        description: str,
        *,
        agent: build.QueryVariable | None = None,
        every_bot: bool = False,
        others: Sequence[build.QueryVariable] = (),
    ) -> None:
        self.uid = uid
        self._title = title
        self._description = description
        self._variables = [*variables.target(every_bot=every_bot), *([agent] if agent else []), *others]
        self._annotations = annotations(of_agents=agent is not None)
        self._panels: list[Any] = []
        self._into = self._panels
        self._into_from = 0
        self._y = 0

    def row(self, title: str, *, collapsed: bool = False) -> None:
        """A heading; what is added next stands under it. A collapsed one asks nothing until it is opened."""
        if self._into is not self._panels:  # what is in a collapsed row takes no room
            self._y = self._into_from
        position = model.GridPos(x=0, y=self._y, w=WIDTH, h=1)
        inside: list[Any] = []
        self._panels.append(
            model.RowPanel(
                title=title, collapsed=collapsed, id_val=row_id(title), grid_pos=position, panels=inside
            )
        )
        self._into = inside if collapsed else self._panels
        self._y += 1
        self._into_from = self._y

    def add(self, height: int, *panels: Panel) -> None:
        """One line of panels, whose widths add up to the whole width."""
        built = [panel.build() for panel in panels]
        positions = [panel.grid_pos or model.GridPos() for panel in built]
        if sum(position.w for position in positions) != WIDTH:
            titles = [panel.title for panel in built]
            raise ValueError(f"{self._title}: the widths of {titles} do not add up to {WIDTH}")
        x = 0
        for panel, position in zip(built, positions, strict=True):
            panel.id_val, panel.plugin_version = panel_id(panel.title or ""), OPTIONS_OF
            position.x, position.y, position.h = x, self._y, height
            self._into.append(panel)
            x += position.w
        self._y += height

    def build(self) -> model.Dashboard:
        """The finished dashboard."""
        result = (
            build.Dashboard(self._title)
            .uid(self.uid)
            .description(self._description)
            .tags([links.TAG])
            .readonly()
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .time("now-1h", "now")
            .refresh("30s")
            .timezone("browser")
            .week_start("monday")
            .fiscal_year_start_month(0)
            .live_now(False)
            .preload(False)
            .version(1)
            .links([links.dashboards(), *links.elsewhere()])
            .timepicker(build.TimePicker().hidden(False).refresh_intervals(["30s", "1m", "5m", "15m", "1h"]))
            .variables([variables.datasource(), *self._variables])
            .build()
        )
        result.annotations = model.AnnotationContainer(list_val=self._annotations)
        result.panels = list(self._panels)
        return result


def to_json(board: Board) -> str:
    """As it is committed."""
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
