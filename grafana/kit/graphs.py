"""Panels over time: lines, bars, heatmap, state timeline."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import heatmap as build_heatmap
from grafana_foundation_sdk.builders import statetimeline, timeseries
from grafana_foundation_sdk.models import common, heatmap
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import base, look
from grafana.kit.base import Panel, Query, change, coloured, legend, start

# `threshold…` is a dashed line, `threshold: critical` a red one with shorter dashes.
DASHES = [
    change("custom.lineWidth", 1),
    change("custom.fillOpacity", 0),
    change("custom.showPoints", "never"),
]
STACKING_OFF = change("custom.stacking", {"group": "A", "mode": "none"})


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    bars: bool = False,
    stacked: bool = False,
    fill: int = 0,
    legend_at: str = "list",
    calcs: Sequence[str] = ("lastNotNull",),
    colours: dict[str, str] | None = None,
    right_axis: dict[str, str] | None = None,
    soft_max: float | None = None,
    ranges: dict[str, tuple[float, float]] | None = None,
    log: bool = False,
    dotted: Sequence[str] = (),
    **common_options: Any,
) -> Panel:
    """Lines, or bars for counts. `right_axis` maps series to the unit of an axis of their own; `dotted` ones
    stay visible on top of others."""
    panel = start(timeseries.Panel(), title, description, queries, unit, **common_options)
    panel.draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
    panel.line_width(1 if bars else 2).fill_opacity(60 if bars else fill)
    panel.line_interpolation(common.LineInterpolation.LINEAR).gradient_mode(common.GraphGradientMode.NONE)
    panel.show_points(common.VisibilityMode.NEVER).point_size(5).span_nulls(False).insert_nulls(False)
    panel.line_style(build_common.LineStyle().fill("solid")).bar_alignment(common.BarAlignment.CENTER)
    panel.bar_width_factor(0.8).stacking(_stacking(stacked or bars)).hide_from(base.hide_from())
    panel.thresholds_style(
        build_common.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.OFF)
    )
    panel.axis_placement(common.AxisPlacement.AUTO).axis_label("").axis_color_mode(common.AxisColorMode.TEXT)
    panel.axis_border_show(False).axis_centered_zero(False)
    panel.scale_distribution(base.logarithmic(2 if unit == look.BYTES else 10) if log else base.linear())
    if soft_max is not None:
        panel.axis_soft_max(soft_max)
    panel.legend(legend(legend_at, calcs if legend_at != "list" else ())).tooltip(base.tooltip())
    base.leave_gaps_blank(panel)
    base.colours(panel, colours or {})
    for name in dotted:
        panel.override_by_name(name, [change("custom.lineStyle", {"fill": "dot", "dash": [0, 8]})])
    for name, (low, high) in (ranges or {}).items():
        panel.override_by_name(name, [change("min", low), change("max", high)])
    for name, axis_unit in (right_axis or {}).items():
        panel.override_by_name(name, [change("unit", axis_unit), change("custom.axisPlacement", "right")])
    return _threshold_lines(panel)


def events(title: str, description: str, *queries: Query, interval: str = "1m", **options: Any) -> Panel:
    """Stacked bars of how often something happened."""
    counted: dict[str, Any] = {"unit": look.COUNT, "bounds": (0, None), "bars": True, "interval": interval}
    return lines(title, description, *queries, **counted, **options)


def _stacking(on: bool) -> build_common.StackingConfig:
    mode = common.StackingMode.NORMAL if on else common.StackingMode.NONE
    return build_common.StackingConfig().mode(mode).group("A")


def _threshold_lines(panel: Any) -> Panel:
    line = [*DASHES, change("custom.drawStyle", "line"), STACKING_OFF]
    for pattern, colour, dash in (
        ("/^threshold/", look.ORANGE, [10, 6]),
        ("/^threshold: critical/", look.RED, [4, 4]),
        ("/^(target|goal)$/", look.GREEN, [10, 6]),
    ):
        style = change("custom.lineStyle", {"fill": "dash", "dash": dash})
        panel.override_by_regexp(pattern, [*line, style, coloured(colour)])
    result: Panel = panel
    return result


def heatmap_of_buckets(
    title: str, description: str, query: Query, *, unit: str, empty: str, **common_options: Any
) -> Panel:
    """A classic histogram over time: each row is a bucket.

    Grafana's heatmap writes "No data" where others write why they are empty, so the description says it.
    """
    described = f"{description} No data: {empty}."
    panel = start(build_heatmap.Panel(), title, described, [query], unit, empty=empty, **common_options)
    colour = build_heatmap.HeatmapColorOptions().mode(heatmap.HeatmapColorMode.SCHEME).scheme("Blues")
    colour.fill("blue").scale(heatmap.HeatmapColorScale.EXPONENTIAL).exponent(0.5).steps(64).reverse(False)
    axis = build_heatmap.YAxisConfig().unit(unit).reverse(False).axis_placement(common.AxisPlacement.LEFT)
    panel.calculate(False).color(colour).y_axis(axis)
    panel.cell_gap(1).cell_radius(0).show_value(common.VisibilityMode.NEVER)
    panel.cell_values(build_heatmap.CellValues().unit(look.COUNT).decimals(1))
    panel.filter_values(build_heatmap.FilterValueRange().le(1e-9)).show_legend().show_y_histogram()
    panel.rows_frame(build_heatmap.RowsHeatmapOptions().layout(common.HeatmapCellLayout.AUTO).value("count"))
    panel.mode(common.TooltipDisplayMode.SINGLE).show_color_scale(True).exemplars_color("rgba(255,0,255,0.7)")
    panel.selection_mode(heatmap.HeatmapSelectionMode.X)
    panel.scale_distribution(base.linear()).hide_from(base.hide_from())
    result: Panel = panel
    return result


def timeline(
    title: str, description: str, *queries: Query, states: Sequence[model.ValueMapping], **common_options: Any
) -> Panel:
    """One row for each series, its states as coloured bars with their words in them."""
    panel = start(
        statetimeline.Panel(), title, description, queries, "none", mappings=states, **common_options
    )
    panel.show_value(common.VisibilityMode.AUTO).row_height(0.85).merge_values(True).line_width(0)
    panel.align_value(common.TimelineValueAlignment.LEFT).fill_opacity(75).hide_from(base.hide_from())
    panel.legend(legend("list")).tooltip(base.tooltip())
    panel.build().options.per_page = 0  # pages would take the room of four rows, also where there is one page
    base.leave_gaps_blank(panel)
    result: Panel = panel
    return result
