"""Panels of single values: stat, bar gauge, the calibration curve, the node graph, text."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import bargauge as build_bars
from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import nodegraph as build_nodes
from grafana_foundation_sdk.builders import stat as build_stat
from grafana_foundation_sdk.builders import xychart as build_xy
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, nodegraph, xychart
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import base, look
from grafana.kit.base import Panel, Query, change, legend, start, transformation
from grafana.kit.queries import query


def stat(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    graph: bool = False,
    states: Sequence[model.ValueMapping] = (),
    before: str = "",
    verdict: str = "",
    show: common.BigValueTextMode = common.BigValueTextMode.VALUE,
    better: str = "",
    neutral: str = "",
    overrides: dict[str, list[model.DynamicConfigValue]] | None = None,
    **common_options: Any,
) -> Panel:
    """A number, or a state in words where `states` are given; `graph` draws its course below it.

    `before` is the PromQL of the value in the period before, `verdict` that of its verdict, in words; both stand
    beside it. `better` is `higher` or `lower`: the change over the time range is shown, coloured by it. `neutral` says
    why a number has no colour.
    """
    if not (states or verdict or better or neutral or "steps" in common_options):
        raise ValueError(f"{title}: give its colour a meaning, or say why it has none")
    if neutral:
        description = f"{description} No colour: {neutral}."
    scheme = model.FieldColorModeId.THRESHOLDS
    if before:
        description = f"{description} Before: the period before, as long as the time range that is shown."
        queries = (*queries, query(before, "before", instant=True))
    if verdict:
        queries = (*queries, query(verdict, "verdict", instant=True))
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
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME if before else show).wide_layout(
        True
    ).show_percent_change(bool(better))
    panel.reduce_options(base.reduce_last()).percent_change_color_mode(CHANGES[better])
    panel.orientation(common.VizOrientation.AUTO).text(
        _sizes(len(queries), change=bool(better), before=bool(before))
    )
    if before:
        panel.override_by_name("before", [change("noValue", "–")])
    if verdict:
        panel.override_by_name("verdict", [change("mappings", look.VERDICT), change("unit", "none")])
    for name, properties in (overrides or {}).items():
        panel.override_by_name(name, properties)
    result: Panel = panel
    return result


def _sizes(values: int, *, change: bool, before: bool) -> build_common.VizTextDisplayOptions:
    """One value fills its panel, but not beside its change: that would push it out.

    Several are as large as fits beside each other on 1280 pixels.
    """
    sizes = build_common.VizTextDisplayOptions()
    if values == 1:
        return sizes.value_size(20) if change else sizes
    return sizes.value_size(14 if before else 18).title_size(12)


CHANGES = {
    "": common.PercentChangeColorMode.STANDARD,
    "higher": common.PercentChangeColorMode.STANDARD,
    "lower": common.PercentChangeColorMode.INVERTED,
}


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
        panel.with_transformation(_calculated(alias, _field("confidence_band"), "+", _number("0.05")))
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
    panel.override_by_name("succeeded", [base.coloured(look.BLUE)])
    panel.override_by_name("stated confidence", [base.change("custom.axisLabel", "stated confidence")])
    result: Panel = panel
    return result


def _calculated(
    alias: str, left: dict[str, object], operator: str, right: dict[str, object], frames: str | None = None
) -> model.DataTransformerConfig:
    """A new field. Renaming only changes what is displayed; the node graph looks for real names."""
    binary = {"left": left, "operator": operator, "right": right}
    options: dict[str, object] = {"mode": "binary", "alias": alias, "binary": binary, "replaceFields": False}
    return transformation("calculateField", options, frames)


def _number(value: str) -> dict[str, object]:
    return {"fixed": value}


def _field(name: str) -> dict[str, object]:
    return {"matcher": {"id": "byName", "options": name}}


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
    nodes: Query,
    edges: Query,
    *,
    links: Sequence[dict[str, object]],
    **options: Any,
) -> Panel:
    """Nodes and edges whose numbers are labels: the panel would write numbers with two decimals and the unit's name.

    Labels of nodes are `id`, `title`, `mainstat` and `secondarystat`, their value is the share of the ring that is red.
    Labels of edges are `id`, `source`, `target` and the same stats.
    """
    panel = start(build_nodes.Panel(), title, description, [nodes, edges], look.COUNT, **options)
    failed, whole = _field("Value #A"), _number("1")
    panel.with_transformation(_calculated("arc__failed", failed, "*", whole, frames="A"))
    panel.with_transformation(_calculated("arc__well", whole, "-", failed, frames="A"))
    named: dict[str, object] = {
        "arc__well": "delivered",
        "arc__failed": "failed",
        "mainstat": "sent",
        "secondarystat": "of these failed",
    }
    shown: dict[str, object] = {
        "excludeByName": {},
        "indexByName": {},
        "renameByName": named,
        "includeByName": {},
    }
    panel.with_transformation(transformation("organize", shown, frames="A"))
    panel.override_by_name("id", [change("links", list(links))])
    arcs = (("arc__well", look.GREEN), ("arc__failed", look.RED))
    rings: list[Builder[nodegraph.ArcOption]] = [
        build_nodes.ArcOption().field(field).color(colour) for field, colour in arcs
    ]
    panel.nodes(build_nodes.NodeOptions().arcs(rings)).edges(build_nodes.EdgeOptions())
    panel.zoom_mode(nodegraph.ZoomMode.COOPERATIVE)
    result: Panel = panel
    return result
