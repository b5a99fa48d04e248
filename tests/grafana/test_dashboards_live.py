"""Every query of every dashboard returns data, from a real Prometheus with the real rules over the demo.

Only waiting is shortened: rules are evaluated each second, and alerts fire at once.
"""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from grafana_files import ROOT, Query, all_queries
from tools import needed

SCENARIO = "degraded"  # the others break no threshold, or stop agents
PATIENCE_SECONDS = 240.0
RANGE_SECONDS = 120


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _running(*command: str, folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def _impatient_rules(folder: Path) -> list[str]:
    result = []
    for path in [*(ROOT / "rules").glob("*/*.yml"), ROOT / "rules" / "thresholds.yml"]:
        if path.parent.name not in ("alerts", "recording", "rules"):
            continue
        text = re.sub(r"(\n +)(for|keep_firing_for): \w+", "", path.read_text("utf-8"))
        copy = folder / f"tweetbot-{path.parent.name}-{path.name}"
        copy.write_text(re.sub(r"(\n +interval:) \w+", r"\1 1s", text), "utf-8")
        result.append(str(copy))
    return result


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    exporter, server = f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": _impatient_rules(folder),
        # Nobody listens there: deliveries are counted as failed.
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:1"]}]}]},
        "scrape_configs": [
            {
                "job_name": "tweetbot",
                "static_configs": [{"targets": [exporter], "labels": {"bot": "tweetbot"}}],
            },
            {"job_name": "prometheus", "static_configs": [{"targets": [server]}]},
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")
    program = needed("prometheus")
    demo = ("demo", "--scenario", SCENARIO, "--speed", "10", "--web.listen-address", exporter)
    flags = (
        f"--web.listen-address={server}",
        "--enable-feature=exemplar-storage",
        "--config.file=prometheus.yml",
    )
    with ExitStack() as stack:
        stack.enter_context(_running(sys.executable, "-m", "exporter", *demo, folder=folder))
        stack.enter_context(_running(program, *flags, "--storage.tsdb.path=data", folder=folder))
        yield f"http://{server}"


def _result(server: str, query: Query) -> list[dict[str, Any]]:
    now = time.time()
    parameters = {"query": query.filled()}
    if query.instant:
        path, parameters = "query", {**parameters, "time": str(now)}
    else:
        path, start = "query_range", str(now - RANGE_SECONDS)
        parameters = {**parameters, "start": start, "end": str(now), "step": "5"}
    url = f"{server}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return result
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{query.board}/{query.where}: {error.read().decode()}") from error
    except OSError:  # not up yet
        return []


def _has_data(server: str, query: Query) -> bool:
    labels = set(re.findall(r"\{\{(\w+)\}\}", query.legend)) - {"agent"}
    return any(labels <= set(series["metric"]) for series in _result(server, query))


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_SECONDS + 60)
def test_every_query_returns_data(prometheus: str) -> None:
    waiting = all_queries()
    until = time.monotonic() + PATIENCE_SECONDS
    while waiting and time.monotonic() < until:
        time.sleep(3)
        waiting = [query for query in waiting if not _has_data(prometheus, query)]
    assert [(query.board, query.where, query.filled()) for query in waiting] == []


@pytest.mark.slow
def test_exemplars_are_there_for_the_panels_that_ask(prometheus: str) -> None:
    for metric in ("tweetbot_execution_duration_seconds_bucket", "tweetbot_decision_confidence_ratio_bucket"):
        url = f"{prometheus}/api/v1/query_exemplars?" + urllib.parse.urlencode(
            {"query": metric, "start": str(time.time() - 600), "end": str(time.time())}
        )
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert json.load(answer)["data"]
