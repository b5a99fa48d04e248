"""The committed JSON is what the Python says, and the SDK's own types know every key of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from grafana_files import FILES, load

from grafana.files import rendered  # isort: skip (the package is found through grafana_files)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.kit.annotations import Annotation


def test_the_files_are_in_step_with_the_python() -> None:
    assert {path: path.read_text("utf-8") for path in FILES} == rendered(), "run: scripts/generate dashboards"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_sdk_reads_and_writes_it_without_losing_a_key(path: Path) -> None:
    register_default_plugins()
    board = load(path)
    for annotation in board["annotations"]["list"]:
        for key in Annotation.OWN_KEYS:  # the Prometheus data source's own, which the SDK does not have
            del annotation[key]
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert list(_lost(board, again)) == []


def _lost(given: Any, kept: Any, place: str = "") -> list[str]:
    if isinstance(given, dict):
        missing = [f"{place}.{key}" for key in given if key not in kept]
        return missing + [
            loss for key in given if key in kept for loss in _lost(given[key], kept[key], f"{place}.{key}")
        ]
    if isinstance(given, list):
        if len(given) != len(kept):
            return [place]
        pairs = enumerate(zip(given, kept, strict=True))
        return [loss for index, (one, two) in pairs for loss in _lost(one, two, f"{place}[{index}]")]
    return [] if given == kept else [f"{place}: {given!r} became {kept!r}"]
