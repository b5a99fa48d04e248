"""What every kind of panel has: title, description, data source, lettered queries, unit, colours."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as build_prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import look
from grafana.kit.queries import DATASOURCE

Panel = Builder[model.Panel]
Query = build_prometheus.Dataquery
NOTHING_YET = "nothing in this time range"


def start(
    panel: Any,
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    *,
    width: int,
    decimals: int | None = None,
    empty: str = NOTHING_YET,
    mappings: Sequence[model.ValueMapping] = (),
    colour: model.FieldColorModeId = model.FieldColorModeId.PALETTE_CLASSIC,
    fixed: str = "",
    bounds: tuple[float | None, float | None] = (None, None),
    links: Sequence[dict[str, object]] = (),
    interval: str = "",
    steps: look.Steps = look.NEUTRAL,
) -> Any:
    """The common part. `empty` is what stands there while there is no data; it says why."""
    for letter, query in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", queries, strict=False):
        panel.with_target(query.ref_id(letter))
    panel.span(width).title(title).description(description).datasource(DATASOURCE).transparent(False)
    panel.unit(unit).no_value(empty).mappings(list(mappings)).thresholds(_steps(steps))
    if interval:
        panel.interval(interval)
    if decimals is not None:
        panel.decimals(decimals)
    if bounds[0] is not None:
        panel.min(bounds[0])
    if bounds[1] is not None:
        panel.max(bounds[1])
    if links:
        defaults = panel.build().field_config.defaults
        defaults.links = list(links)
    scheme = build.FieldColor().mode(model.FieldColorModeId.FIXED if fixed else colour)
    panel.color_scheme(scheme.fixed_color(fixed) if fixed else scheme)
    return panel


def _steps(steps: look.Steps) -> build.ThresholdsConfig:
    """Thresholds of the rules are not among them: those are recorded, and panels draw the recorded ones."""
    given = [model.Threshold(value=value, color=colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(given)


def change(property_id: str, value: object) -> model.DynamicConfigValue:
    """One property of an override; None takes the panel's own away."""
    return model.DynamicConfigValue(id_val=property_id, value=value)


def coloured(colour: str) -> model.DynamicConfigValue:
    """A fixed colour in an override."""
    return change("color", {"mode": "fixed", "fixedColor": colour})


def leave_gaps_blank(panel: Any) -> None:
    """Why a panel may be empty is no value of a series: legends and tooltips would show the sentence there."""
    panel.override_by_field_type("number", [change("noValue", None)])


def colours(panel: Any, by_name: dict[str, str]) -> None:
    """Series with a meaning of their own keep their colour everywhere."""
    for name, colour in by_name.items():
        panel.override_by_name(name, [coloured(colour)])


def reduce_last() -> build_common.ReduceDataOptions:
    """The newest value."""
    return build_common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("")


def legend(kind: str, calcs: Sequence[str] = ()) -> build_common.VizLegendOptions:
    """`bottom` and `right` are tables with these numbers; `list` has names only, `none` hides it."""
    result = build_common.VizLegendOptions().show_legend(kind != "none").calcs(list(calcs))
    table = kind in ("bottom", "right")
    result = result.display_mode(common.LegendDisplayMode.TABLE if table else common.LegendDisplayMode.LIST)
    return result.placement(
        common.LegendPlacement.RIGHT if kind == "right" else common.LegendPlacement.BOTTOM
    )


def tooltip() -> build_common.VizTooltipOptions:
    """All series at the cursor, the largest first."""
    mode, order = common.TooltipDisplayMode.MULTI, common.SortOrder.DESCENDING
    return build_common.VizTooltipOptions().mode(mode).sort(order).hide_zeros(False)


def hide_from() -> build_common.HideSeriesConfig:
    """Hidden nowhere."""
    return build_common.HideSeriesConfig().tooltip(False).legend(False).viz(False)


def linear() -> build_common.ScaleDistributionConfig:
    """A linear scale."""
    return build_common.ScaleDistributionConfig().type(common.ScaleDistribution.LINEAR)


def logarithmic(base: int) -> build_common.ScaleDistributionConfig:
    """For values that lie orders of magnitude apart."""
    return build_common.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(base)


def transformation(
    kind: str, options: dict[str, object], frames: str | None = None
) -> model.DataTransformerConfig:
    """A step between query and picture; `frames` limits it to the queries of these letters."""
    matcher = model.MatcherConfig(id_val="byRefId", options=f"/^(?:{frames})$/") if frames else None
    return model.DataTransformerConfig(id_val=kind, options=options, filter_val=matcher)
