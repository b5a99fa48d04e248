"""The committed dashboards, and every query in them."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # `grafana` is a package of the repository, not an installed one

FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Query:
    """One query of a dashboard, wherever it stands."""

    board: str
    where: str
    expr: str
    instant: bool
    legend: str

    def filled(self) -> str:
        """With values in the place of the variables, as Grafana sends it."""
        values = {
            "$__rate_interval": "1m",
            "$__range": "1m",
            "$job": ".+",
            "$optimizer_job": "tweetbot-optimizer",
            "$node_job": "node",
            "$prometheus_job": "prometheus",
            "$instance": ".+",
            "$bot": "tweetbot",
            "$agent": "market-hunter" if self.board == "tweetbot-agent" else ".*",
        }
        result = self.expr
        for name, value in values.items():
            result = result.replace(name, value)
        return result


def load(path: Path) -> dict[str, Any]:
    """A dashboard as its file has it."""
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result


def boards() -> list[dict[str, Any]]:
    """All dashboards."""
    return [load(path) for path in FILES]


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """A dashboard's panels, also those of collapsed rows, without the rows."""
    rows = [row for row in board["panels"] if row["type"] == "row"]
    inside = [panel for row in rows for panel in row["panels"]]
    return [panel for panel in [*board["panels"], *inside] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> Iterator[Query]:
    """Of panels, annotations and variables."""
    uid = board["uid"]
    for panel in panels(board):
        for target in panel["targets"]:
            where = f"{panel['title']}: {target['refId']}"
            yield Query(uid, where, target["expr"], target.get("instant", False), target["legendFormat"])
    for annotation in board["annotations"]["list"]:
        yield Query(
            uid, f"annotation {annotation['name']}", annotation["expr"], False, annotation["titleFormat"]
        )
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert match, variable["query"]
            yield Query(uid, f"variable {variable['name']}", match[1], True, f"{{{{{match[2]}}}}}")


def all_queries() -> list[Query]:
    """Of all dashboards."""
    return [query for board in boards() for query in queries(board)]
