"""What grafana's dashboard-linter checks, and more: see docs/dashboards.md."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from itertools import combinations
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest
import yaml
from grafana_files import FILES, ROOT, boards, panels

from exporter.metrics.catalogue import FAMILIES
from exporter.optimizer.model import Outcome
from grafana.kit import look
from grafana.kit.links import SETTINGS
from grafana.kit.look import OUTCOMES
from rules.tools.panels import BOARDS as LED_TO

BOARDS = ROOT / "grafana" / "boards"
TARGET = {'job=~"$job"', 'instance=~"$instance"', 'bot=~"$bot"'}
# Prometheus, beside the exporter, knows of no bot.
PROMETHEUS = {'job=~"$job"', 'instance=~"$instance"', 'job=~"$prometheus_job"'}
every_board = pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])


def cases() -> list[Any]:
    """Each panel with its dashboard."""
    return [
        pytest.param(board, panel, id=f"{board['uid']}/{panel['title']}")
        for board in boards()
        for panel in panels(board)
    ]


every_panel = pytest.mark.parametrize(("board", "panel"), cases())


def test_a_dashboard_is_in_the_file_of_its_uid() -> None:
    assert [board["uid"] for board in boards()] == [path.stem for path in FILES]


def test_every_module_that_makes_a_dashboard_is_in_the_list() -> None:
    """`board()` in a module of grafana/boards makes one; dashboards() lists them."""
    modules = {
        path.stem
        for path in BOARDS.glob("*.py")
        if re.search(r"^def board\(\)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert {f"tweetbot-{name}" for name in modules} == {board["uid"] for board in boards()}


def test_every_dashboard_is_on_the_page_about_them() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text("utf-8")
    assert [
        board["title"]
        for board in boards()
        if f"\n## {board['title'].removeprefix('TweetBot / ')}\n" not in page
    ] == []


@every_board
def test_a_dashboard_as_a_whole(board: dict[str, Any]) -> None:
    assert board["editable"] is False
    assert board["graphTooltip"] == 1, "shared crosshair"
    assert board["refresh"] == "30s"
    assert board["description"]
    assert "id" not in board or board["id"] is None
    ids = [
        panel["id"] for panel in [*panels(board), *(row for row in board["panels"] if row["type"] == "row")]
    ]
    assert len(ids) == len(set(ids))
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles))
    assert {annotation["name"] for annotation in board["annotations"]["list"]} == {
        "Critical alerts",
        "Warnings",
        "Bot restarts",
        "Optimizer actions",
    }


@every_board
def test_variables(board: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert list(variables)[:4] == ["datasource", "job", "bot", "instance"]
    assert (variables["datasource"]["type"], variables["datasource"]["label"]) == (
        "datasource",
        "Data source",
    )
    assert variables["datasource"]["query"] == "prometheus"
    for name, variable in variables.items():
        assert variable["label"]
        assert variable["description"]
        if name == "datasource":
            continue
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["refresh"] == 2, "on change of the time range"
    for name in ("job", "instance"):
        assert variables[name]["multi"]
        assert variables[name]["allValue"] == ".+"
    used = set(re.findall(r"\$\{?([a-z]\w*)", str(board)))
    assert used <= set(variables) | {"datasource"} | ({"agent"} if "agent" in variables else set())


@every_board
def test_annotations_are_lines_that_do_not_crowd(board: dict[str, Any]) -> None:
    """Samples within a step of each other become a region that covers the graph, unless all say the same moment."""
    marks = {annotation["name"]: annotation for annotation in board["annotations"]["list"]}
    assert {name for name, mark in marks.items() if mark["enable"]} == {"Bot restarts", "Optimizer actions"}
    assert all(mark["useValueForTime"] for mark in marks.values())
    for name, severity, colour in (
        ("Critical alerts", "critical", look.RED),
        ("Warnings", "warning", look.ORANGE),
    ):
        starts = marks[name]["expr"]
        assert "ALERTS_FOR_STATE{" in starts, "its value is the moment when the condition began"
        assert f'severity="{severity}"' in starts
        has_agents = any(variable["name"] == "agent" for variable in board["templating"]["list"])
        assert ('agent=~"$agent|"' in starts) == has_agents, "of these agents, and of the whole bot"
        assert marks[name]["iconColor"] == colour
    colours = [mark["iconColor"] for mark in marks.values()]
    assert len(colours) == len(set(colours))


@every_board
def test_alerts_over_time_are_a_panel(board: dict[str, Any]) -> None:
    """Lines on every graph would bury it, exactly when it is needed."""
    assert [panel["type"] for panel in panels(board) if panel["title"] == "Alerts over time"] == [
        "state-timeline"
    ]


@every_board
def test_the_grid_is_full_and_nothing_overlaps(board: dict[str, Any]) -> None:
    """Of what is open; a collapsed row, when it is opened, moves what is below it down."""
    places = [panel["gridPos"] for panel in board["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for one, two in combinations(places, 2):
        beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        above = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        assert beside or above, (one, two)
    assert sum(place["w"] * place["h"] for place in places) == 24 * max(p["y"] + p["h"] for p in places)


@every_board
def test_a_dashboard_opens_few_panels(board: dict[str, Any]) -> None:
    assert len([panel for panel in board["panels"] if panel["type"] != "row"]) <= 20


@every_board
def test_a_collapsed_row_is_full(board: dict[str, Any]) -> None:
    for row in board["panels"]:
        places = [panel["gridPos"] for panel in row.get("panels", [])]
        if places:
            assert min(place["y"] for place in places) == row["gridPos"]["y"] + 1
            height = max(place["y"] + place["h"] for place in places) - row["gridPos"]["y"] - 1
            assert sum(place["w"] * place["h"] for place in places) == 24 * height


@every_panel
def test_a_panel_says_what_it_shows(board: dict[str, Any], panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert len(panel["description"]) > 15
    assert panel["description"].endswith(".")
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert defaults["unit"]
    assert defaults["noValue"], "an empty panel says why"
    assert defaults["thresholds"]["steps"], "in full, without static thresholds"
    assert panel["options"]
    assert 1 <= len(panel["targets"]) <= 26


@every_panel
def test_queries_of_a_panel(board: dict[str, Any], panel: dict[str, Any]) -> None:
    counters = {family.name for family in FAMILIES if family.kind == "counter"}
    letters = [target["refId"] for target in panel["targets"]]
    assert len(letters) == len(set(letters))
    for target in panel["targets"]:
        expr = target["expr"]
        assert target["datasource"]["uid"] == "${datasource}"
        for matchers in re.findall(r"\{([^}]*)\}", expr):
            given = set(matchers.split(", "))
            assert any(target <= given for target in (TARGET, PROMETHEUS)), expr
        for function, window in re.findall(r"(rate|increase)\([^\[\]]*\[([^\]]+)\]", expr):
            assert window in ("$__rate_interval", "$__range"), f"{function}[{window}]"
        for name in counters:
            over_time = not target.get("instant") and re.search(rf"(?<!\w){name}{{[^}}]*}}(?!\[)", expr)
            assert not over_time or panel["type"] == "stat", f"{name} is a counter: rate() or increase() it"


@every_panel
def test_options_are_in_full(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """Grafana fills in what is missing, and a heatmap with empty options falls into a wrong view."""
    needed = {
        "timeseries": {"legend", "tooltip"},
        "stat": {
            "reduceOptions",
            "colorMode",
            "graphMode",
            "textMode",
            "orientation",
            "justifyMode",
            "wideLayout",
        },
        "bargauge": {
            "reduceOptions",
            "displayMode",
            "valueMode",
            "namePlacement",
            "orientation",
            "showUnfilled",
        },
        "table": {"showHeader", "cellHeight", "footer"},
        "heatmap": {
            "calculate",
            "color",
            "yAxis",
            "rowsFrame",
            "exemplars",
            "filterValues",
            "legend",
            "tooltip",
        },
        "state-timeline": {"showValue", "rowHeight", "mergeValues", "alignValue", "legend", "tooltip"},
        "nodeGraph": {"nodes", "edges", "zoomMode"},
        "xychart": {"mapping", "series", "legend", "tooltip"},
    }
    assert needed[panel["type"]] <= set(panel["options"])
    if panel["type"] == "timeseries":
        custom = panel["fieldConfig"]["defaults"]["custom"]
        assert {"drawStyle", "lineWidth", "fillOpacity", "showPoints", "spanNulls", "stacking"} <= set(custom)


@every_panel
def test_options_are_of_the_version_that_the_sdk_writes(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """Without a version Grafana takes the options for ancient ones and migrates them: xychart then shows "Err"."""
    assert panel["pluginVersion"] == version("grafana-foundation-sdk").rpartition("!")[2]


@every_panel
def test_a_state_timeline_shows_its_states(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """Grafana merges numbers by threshold and ignores their mappings where the colour comes from thresholds."""
    if panel["type"] == "state-timeline":
        assert panel["options"]["mergeValues"]
        assert panel["fieldConfig"]["defaults"]["color"]["mode"] != "thresholds"
        assert panel["fieldConfig"]["defaults"]["mappings"]


@every_panel
def test_no_legend_shows_why_the_panel_may_be_empty(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """`noValue` also stands for a series' own gaps, in legends and tooltips, unless the series have none."""
    if panel["options"].get("legend", {}).get("showLegend"):
        overrides = panel["fieldConfig"]["overrides"]
        numbers = {"id": "byType", "options": "number"}
        assert {"matcher": numbers, "properties": [{"id": "noValue"}]} in overrides


@every_panel
def test_a_number_has_a_colour_that_means_something(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """By states, steps, a verdict beside it or its change; or its description says why not."""
    if panel["type"] != "stat":
        return
    defaults = panel["fieldConfig"]["defaults"]
    verdicts = [each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["options"] == "verdict"]
    assert (
        defaults.get("mappings")
        or len(defaults["thresholds"]["steps"]) > 1
        or defaults["thresholds"]["steps"][0]["color"] != "text"
        or verdicts
        or panel["options"]["showPercentChange"]
        or re.search(r" No colour: .+\.$", panel["description"])
    )


@pytest.mark.parametrize(
    ("uid", "title"),
    [
        ("tweetbot-overview", "Overall score"),
        *(("tweetbot-agent", title) for title in ("Success", "Response time", "Coordination")),
        ("tweetbot-decisions", "Worst Brier score"),
        ("tweetbot-trading", "Made in this time range"),
        ("tweetbot-communication", "Delivered (1 h)"),
    ],
)
def test_a_main_number_stands_beside_that_of_the_period_before(uid: str, title: str) -> None:
    (board,) = (each for each in boards() if each["uid"] == uid)
    (panel,) = (each for each in panels(board) if each["title"] == title)
    targets = {target["legendFormat"]: target["expr"] for target in panel["targets"]}
    assert "[$__range] offset $__range)" in targets["before"]
    assert panel["options"]["textMode"] == "value_and_name"


@every_panel
def test_headers_of_a_table_fit(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """A character takes up to eight pixels and the margins sixteen; the column that is sorted has an arrow, too."""
    if panel["type"] != "table":
        return
    for override in panel["fieldConfig"]["overrides"]:
        header = override["matcher"]["options"]
        given = {each["id"]: each["value"] for each in override["properties"] if "value" in each}
        width = given.get("custom.width") or given.get("custom.minWidth", 110)
        assert 8 * len(header.strip()) + 16 <= width, header
        assert width >= 50, "Grafana makes no column narrower, so that the last one would not fit"


@every_panel
def test_a_node_graph_has_no_unit_and_no_unrounded_number(
    board: dict[str, Any], panel: dict[str, Any]
) -> None:
    """It would write the unit's name, and two decimals: so its numbers are labels."""
    if panel["type"] == "nodeGraph":
        assert not re.search(r"Unit", str(panel["options"]))
        for target in panel["targets"]:
            assert re.findall(r'count_values by \([\w, ]+\) \("(\w+)", round', target["expr"]) == [
                "mainstat",
                "secondarystat",
            ]


@every_panel
def test_overrides_match_something(board: dict[str, Any], panel: dict[str, Any]) -> None:
    legends = [target["legendFormat"] for target in panel["targets"]]
    renamed = [
        name
        for step in panel.get("transformations", [])
        for name in (*step["options"].get("renameByName", {}).values(), step["options"].get("alias", ""))
    ]
    for override in panel["fieldConfig"].get("overrides", []):
        matcher = override["matcher"]
        if matcher["id"] == "byName":
            by_label = panel["type"] == "nodeGraph" or any("{{" in legend for legend in legends)
            assert by_label or matcher["options"] in [*legends, *renamed], matcher


@every_board
def test_links_lead_to_dashboards_alertmanager_and_runbooks(board: dict[str, Any]) -> None:
    menu, alertmanager, runbooks = board["links"]
    assert (menu["type"], menu["tags"], menu["keepTime"], menu["includeVars"]) == (
        "dashboards",
        ["tweetbot"],
        True,
        True,
    )
    assert "tweetbot" in board["tags"]
    assert (alertmanager["url"], runbooks["url"]) == (SETTINGS.alertmanager_url, SETTINGS.runbooks_url)


@every_board
def test_links_of_rows_resolve_and_keep_time_and_variables(board: dict[str, Any]) -> None:
    target = "${datasource:queryparam}&${job:queryparam}&${bot:queryparam}&${instance:queryparam}"
    for url in re.findall(r"'url': '(/d/[^']*)'", str(board)):
        uid, _, parameters = url.removeprefix("/d/").partition("?")
        if uid.startswith("${__data.fields.lead}"):  # made by the query: a dashboard, `?` and its agent
            assert uid.startswith(f"${{__data.fields.lead}}&{target}")
            continue
        assert uid in {other["uid"] for other in boards()}
        if "&var-bot=" in url:  # to another bot, whose job and instance are its own
            assert parameters.startswith("${__url_time_range}&${datasource:queryparam}&var-bot=")
            continue
        assert parameters.startswith(f"${{__url_time_range}}&{target}")


def alerts() -> Iterator[tuple[str, str]]:
    """Each rule's alert and the address of its dashboard."""
    for path in sorted((ROOT / "rules" / "alerts").glob("*.yml")):
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            for rule in group["rules"]:
                yield rule["alert"], rule["annotations"]["dashboard_url"]


def test_an_alert_leads_to_a_panel_of_its_dashboard() -> None:
    there = {board["uid"]: {panel["id"] for panel in panels(board)} for board in boards()}
    for name, address in alerts():
        found = re.fullmatch(r".*/d/([\w-]+)/.*[?&]viewPanel=(\d+)", address)
        assert found, address
        assert name in LED_TO[found[1]]
        assert int(found[2]) in there[found[1]], f"{name} leads to a panel that is not on {found[1]}"


def test_no_alert_that_is_gone_has_a_panel() -> None:
    assert {name for names in LED_TO.values() for name in names} == {name for name, _ in alerts()}


def test_every_threshold_line_is_a_recorded_threshold() -> None:
    for board in boards():
        for panel in panels(board):
            for target in panel["targets"]:
                if target["legendFormat"].startswith("threshold"):
                    recorded = r"(agent|bot):\w+:threshold|bot:process_heap_limit_bytes:last5m"
                    assert re.search(recorded, target["expr"]), target["expr"]


def test_an_exemplar_leads_to_the_profile_of_its_agent() -> None:
    """At the exporter, which has the runbooks, too; `$$` is a `$` in a provisioned file."""
    file = ROOT / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(file.read_text("utf-8"))["datasources"]
    (link,) = source["jsonData"]["exemplarTraceIdDestinations"]
    exporter = urlsplit(SETTINGS.runbooks_url).netloc
    assert link["name"] == "execution_id"
    assert link["url"] == f"http://{exporter}/api/v1/agents/$${{__data.fields.agent}}"


def test_every_outcome_of_an_optimization_has_its_sign() -> None:
    assert set(OUTCOMES) == set(get_args(Outcome))


def test_actions_on_the_bot_are_marked_on_the_agents_dashboard() -> None:
    (agent,) = (board for board in boards() if board["uid"] == "tweetbot-agent")
    (mark,) = (note for note in agent["annotations"]["list"] if note["name"] == "Optimizer actions")
    assert mark["enable"]
    assert mark["useValueForTime"]
    assert 'agent=~"$agent|"' in mark["expr"], "of this agent, and of the whole bot"
