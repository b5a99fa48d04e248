"""Panels of single values: stat, bar gauge, the calibration curve, the node graph, text."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import bargauge as build_bars
from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import nodegraph as build_nodes
from grafana_foundation_sdk.builders import stat as build_stat
from grafana_foundation_sdk.builders import xychart as build_xy
from grafana_foundation_sdk.models import common, nodegraph, xychart
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import base, look
from grafana.kit.base import Panel, Query, legend, start, transformation


def stat(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    graph: bool = False,
    states: Sequence[model.ValueMapping] = (),
    names: bool = False,
    overrides: dict[str, list[model.DynamicConfigValue]] | None = None,
    **common_options: Any,
) -> Panel:
    """A number, or a state in words where `states` are given; `graph` draws its course below it."""
    scheme = model.FieldColorModeId.THRESHOLDS
    panel = start(
        build_stat.Panel(),
        title,
        description,
        queries,
        unit,
        mappings=states,
        colour=scheme,
        **common_options,
    )
    panel.graph_mode(common.BigValueGraphMode.AREA if graph else common.BigValueGraphMode.NONE)
    panel.color_mode(common.BigValueColorMode.VALUE).justify_mode(common.BigValueJustifyMode.AUTO)
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME if names else common.BigValueTextMode.VALUE)
    panel.wide_layout(True).show_percent_change(False).reduce_options(base.reduce_last())
    panel.percent_change_color_mode(common.PercentChangeColorMode.STANDARD)
    panel.orientation(common.VizOrientation.AUTO).text(build_common.VizTextDisplayOptions())
    for name, properties in (overrides or {}).items():
        panel.override_by_name(name, properties)
    result: Panel = panel
    return result


def bars(title: str, description: str, *queries: Query, unit: str, **common_options: Any) -> Panel:
    """Values beside each other, as horizontal bars."""
    panel = start(build_bars.Panel(), title, description, queries, unit, **common_options)
    panel.display_mode(common.BarGaugeDisplayMode.BASIC).value_mode(common.BarGaugeValueMode.TEXT)
    panel.name_placement(common.BarGaugeNamePlacement.LEFT).show_unfilled(True)
    panel.sizing(common.BarGaugeSizing.AUTO).min_viz_width(8).min_viz_height(16).max_viz_height(300)
    panel.orientation(common.VizOrientation.HORIZONTAL).reduce_options(base.reduce_last())
    panel.legend(legend("none")).text(build_common.VizTextDisplayOptions())
    result: Panel = panel
    return result


def calibration(title: str, description: str, query: Query, **common_options: Any) -> Panel:
    """Stated confidence against the share that succeeded, beside the diagonal of perfect calibration."""
    panel = start(build_xy.Panel(), title, description, [query], look.RATIO, bounds=(0, 1), **common_options)
    numeric: dict[str, object] = {"targetField": "confidence_band", "destinationType": "number"}
    panel.with_transformation(transformation("convertFieldType", {"fields": {}, "conversions": [numeric]}))
    for alias in ("stated confidence", "perfect calibration"):
        panel.with_transformation(_plus("confidence_band", "0.05", alias))
    panel.with_transformation(
        transformation(
            "organize",
            {
                "excludeByName": {"Time": True, "confidence_band": True},
                "indexByName": {},
                "renameByName": {"Value": "succeeded"},
                "includeByName": {},
            },
        )
    )
    order: dict[str, object] = {"fields": {}, "sort": [{"field": "stated confidence", "desc": False}]}
    panel.with_transformation(transformation("sortBy", order))
    panel.mapping(xychart.SeriesMapping.MANUAL).series([_curve("succeeded"), _curve("perfect calibration")])
    panel.show(xychart.XYShowMode.POINTS_AND_LINES).point_size(
        build_xy.XychartFieldConfigPointSize().fixed(8)
    )
    panel.point_shape(xychart.PointShape.CIRCLE).point_stroke_width(1).fill_opacity(60).line_width(2)
    panel.line_style(build_common.LineStyle().fill("solid")).hide_from(base.hide_from())
    panel.axis_placement(common.AxisPlacement.AUTO).axis_color_mode(common.AxisColorMode.TEXT)
    panel.axis_border_show(False).axis_centered_zero(False).axis_label("").scale_distribution(base.linear())
    panel.legend(legend("list")).tooltip(base.tooltip().mode(common.TooltipDisplayMode.SINGLE))
    base.leave_gaps_blank(panel)
    dashes = [base.coloured(look.GREEN), base.change("custom.show", "lines")]
    style = base.change("custom.lineStyle", {"fill": "dash", "dash": [10, 6]})
    panel.override_by_name("perfect calibration", [*dashes, style])
    panel.override_by_name("stated confidence", [base.change("custom.axisLabel", "stated confidence")])
    result: Panel = panel
    return result


def _plus(field: str, number: str, alias: str) -> model.DataTransformerConfig:
    """A new field. Renaming only changes what is displayed; the node graph looks for real names."""
    left = {"matcher": {"id": "byName", "options": field}}
    binary = {"left": left, "operator": "+", "right": {"fixed": number}}
    return transformation(
        "calculateField", {"mode": "binary", "alias": alias, "binary": binary, "replaceFields": False}
    )


def _curve(field: str) -> build_xy.XYSeriesConfig:
    def named(name: str) -> build_xy.MatcherConfig:
        return build_xy.MatcherConfig().id("byName").options(name)

    first = build_xy.MatcherConfig().id("byIndex").options(0)
    return (
        build_xy.XYSeriesConfig()
        .name(build_xy.XychartXYSeriesConfigName().fixed(field))
        .frame(build_xy.XychartXYSeriesConfigFrame().matcher(first))
        .x(build_xy.XychartXYSeriesConfigX().matcher(named("stated confidence")))
        .y(build_xy.XychartXYSeriesConfigY().matcher(named(field)))
    )


def node_graph(
    title: str,
    description: str,
    *,
    nodes: Sequence[tuple[str, Query]],
    edges: Sequence[tuple[str, Query]],
    arcs: dict[str, str],
    **common_options: Any,
) -> Panel:
    """Nodes and edges, each given as (field of the node graph, query); frames are merged into one of each."""
    named = [*nodes, *edges]
    queries = [query for _, query in named]
    panel = start(build_nodes.Panel(), title, description, queries, look.COUNT, **common_options)
    letters = "ABCDEFGHIJ"[: len(named)]
    for frames in (letters[: len(nodes)], letters[len(nodes) :]):
        panel.with_transformation(transformation("merge", {}, frames="|".join(frames)))
    for letter, (field, _) in zip(letters, named, strict=True):
        panel.with_transformation(_plus(f"Value #{letter}", "0", field))
    options = build_nodes.NodeOptions().main_stat_unit(look.COUNT).secondary_stat_unit(look.RATIO)
    options.arcs([build_nodes.ArcOption().field(field).color(colour) for field, colour in arcs.items()])
    edge = build_nodes.EdgeOptions().main_stat_unit(look.COUNT).secondary_stat_unit(look.RATIO)
    panel.nodes(options).edges(edge).zoom_mode(nodegraph.ZoomMode.COOPERATIVE)
    result: Panel = panel
    return result
