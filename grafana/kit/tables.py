"""Tables: one row for each set of labels, one instant query for each column."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import table as build
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import base, look
from grafana.kit.base import Panel, change, start, transformation
from grafana.kit.queries import query

LEAST_WIDTH = 98
"""Of a column that takes its share of what is left; no column is narrower than 50 pixels, whatever it says."""

Mappings = Sequence[model.ValueMapping]


@dataclass(frozen=True)
class Key:
    """A label that becomes a column."""

    label: str
    header: str
    width: int = 0
    """0: what the others leave."""
    states: Mappings = ()
    words: Mappings = ()
    """What is written instead of a label's value, in the colour of the rest."""
    links: Sequence[dict[str, object]] = ()
    hidden: bool = False
    """Not shown, but there for links."""
    wrap: bool = False
    """A long text takes several lines."""


@dataclass(frozen=True)
class Value:
    """A query whose value becomes a column."""

    header: str
    expr: str
    unit: str = look.NUMBER
    decimals: int | None = None
    width: int = 0
    states: Mappings = ()
    bar: bool = False
    """Drawn as a bar from 0 to 1."""
    links: Sequence[dict[str, object]] = ()
    extra: Sequence[model.DynamicConfigValue] = field(default=())


def table(
    title: str,
    description: str,
    keys: Sequence[Key],
    values: Sequence[Value],
    *,
    sort: str = "",
    descending: bool = True,
    order: str = "",
    small: bool = False,
    **common_options: Any,
) -> Panel:
    """A table; rows of the queries that have the same labels are merged.

    It is sorted by the column `sort`, or by the value of the query `order`, the highest first, which is not shown.
    """
    values = [*values, Value("", order)] if order else values
    queries = [query(value.expr, table=True) for value in values]
    scheme = model.FieldColorModeId.THRESHOLDS
    panel = start(build.Panel(), title, description, queries, look.COUNT, colour=scheme, **common_options)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    fields = {
        f"Value #{letter}" if len(values) > 1 else "Value": value
        for letter, value in zip(letters, values, strict=False)
    }
    names = {key.label: key.header for key in keys} | {name: value.header for name, value in fields.items()}
    if len(values) > 1:
        panel.with_transformation(transformation("merge", {}))
    if order:
        by = {"field": list(fields)[-1], "desc": True}
        panel.with_transformation(transformation("sortBy", {"fields": {}, "sort": [by]}))
    panel.with_transformation(
        transformation(
            "organize",
            {
                "excludeByName": {"Time": True}
                | {name: True for name, value in fields.items() if not value.header},
                "indexByName": {name: index for index, name in enumerate(names)},
                "renameByName": names,
                "includeByName": {},
            },
        )
    )
    panel.align(common.FieldTextAlignment.AUTO).inspect(False).filterable(False)
    panel.cell_options(common.TableAutoCellOptions(wrap_text=False))
    panel.show_header(True).cell_height(common.TableCellHeight.SM if small else common.TableCellHeight.MD)
    panel.footer(build_common.TableFooterOptions().show(False).reducer(["sum"]).count_rows(False).fields([]))
    if sort:
        panel.sort_by([build_common.TableSortByFieldState().display_name(sort).desc(descending)])
    columns: list[Key | Value] = [*keys, *(value for value in values if value.header)]
    for column in columns:
        panel.override_by_name(column.header, _properties(column))
    result: Panel = panel
    return result


def _properties(column: Key | Value) -> list[model.DynamicConfigValue]:
    size = change("custom.width", column.width) if column.width else change("custom.minWidth", LEAST_WIDTH)
    result = [size, change("noValue", "–")]
    if column.states:
        result += [
            change("mappings", list(column.states)),
            change("custom.cellOptions", {"type": "color-text"}),
        ]
    if isinstance(column, Key) and column.words:
        result.append(change("mappings", list(column.words)))
    if isinstance(column, Key) and column.wrap:
        result.append(change("custom.cellOptions", {"type": "auto", "wrapText": True}))
    if column.links:
        result.append(change("links", list(column.links)))
    if isinstance(column, Key):
        return [*result, change("custom.hidden", True)] if column.hidden else result
    result.append(change("unit", column.unit))
    if column.decimals is not None:
        result.append(change("decimals", column.decimals))
    if column.bar:
        gauge = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        result += [
            change("custom.cellOptions", gauge),
            change("min", 0),
            change("max", 1),
            base.coloured(look.BLUE),
        ]
    return [*result, *column.extra]
