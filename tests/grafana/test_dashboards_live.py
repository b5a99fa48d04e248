"""Every query of every dashboard returns data, from a real Prometheus with the real rules over the demo.

A real optimizer acts on that demo. Only waiting is shortened: rules are evaluated each second, alerts fire at once, and
the optimizer measures for seconds.
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from grafana_files import ROOT, Query, all_queries
from tools import free_port, needed

SCENARIO = "degraded"  # the others break no threshold, or stop agents
PATIENCE_SECONDS = 240.0
RANGE_SECONDS = 120
TOKEN = "may-send-alerts" * 3

# One worker, so that the programs are started once.
pytestmark = pytest.mark.xdist_group("dashboards live")


@contextmanager
def _running(*command: str, folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("a") as log:
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


@dataclass(frozen=True)
class Stack:
    """Addresses of what runs."""

    prometheus: str
    optimizer: str

    def alert(self, token: str) -> None:
        """Tells the optimizer, as Alertmanager would, of a bottleneck that there is."""
        labels = {"bottleneck": "agent_response_time", "bottleneck_severity": "high"}
        now = time.time_ns()
        alert = {
            "status": "firing",
            "labels": {**labels, "agent": "market-hunter", "bot": "tweetbot"},
            "startsAt": datetime.fromtimestamp(now / 1e9, UTC).isoformat(),
            "fingerprint": f"{now:016x}",
        }
        request = urllib.request.Request(
            f"http://{self.optimizer}/api/v1/alerts",
            json.dumps({"version": "4", "alerts": [alert]}).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with suppress(urllib.error.URLError):  # not up yet, or a wrong token: the metrics say so
            urllib.request.urlopen(request, timeout=20).close()


def _secret(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    program, node_exporter = needed("prometheus"), needed("node_exporter", "prometheus-node-exporter")
    exporter, server, host, optimizer, bridge = (f"127.0.0.1:{free_port()}" for _ in range(5))
    about_the_bot = {"tweetbot": exporter, "tweetbot-optimizer": optimizer, "node": host}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": _impatient_rules(folder),
        # Nobody listens there: deliveries are counted as failed.
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:1"]}]}]},
        "scrape_configs": [
            {"job_name": "prometheus", "static_configs": [{"targets": [server]}]},
            *(
                {"job_name": job, "static_configs": [{"targets": [target], "labels": {"bot": "tweetbot"}}]}
                for job, target in about_the_bot.items()
            ),
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")
    actions_token = _secret(folder, "actions-token", "may-act" * 5)
    acting = {
        "bridge": {"url": f"http://{bridge}"},
        "optimizer": {
            "mode": "act",
            "bot": "tweetbot",
            "prometheus_url": f"http://{server}",
            "listen_addresses": [optimizer],
            "token_file": _secret(folder, "token", TOKEN),
            "actions_token_file": actions_token,
            "interval_seconds": 1,
            "actions_per_hour": 1000,
            "cooldown_seconds": 0,
            "measure_seconds": 15,
            "measure_within_seconds": 10,
            "minimum_samples": 5,
            "implementation_seconds": {"agent_response_time": 1},
        },
    }
    (folder / "optimizer.yml").write_text(json.dumps(acting), "utf-8")
    demo = ("--scenario", SCENARIO, "--speed", "10", "--web.listen-address", exporter)
    may_act = ("--state-port", bridge.rpartition(":")[2], "--actions-token-file", actions_token)
    # Also the file system of a container counts, where the tests run in one.
    about_host = (f"--web.listen-address={host}", "--collector.filesystem.fs-types-exclude=^(proc|sysfs)$")
    flags = (
        f"--web.listen-address={server}",
        "--enable-feature=exemplar-storage",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
    )
    ours = (sys.executable, "-m", "exporter")
    with ExitStack() as running:
        running.enter_context(_running(*ours, "demo", *demo, *may_act, folder=folder))
        running.enter_context(_running(node_exporter, *about_host, folder=folder))
        running.enter_context(_running(program, *flags, folder=folder))
        running.enter_context(_running(*ours, "optimizer", "--config.file=optimizer.yml", folder=folder))
        yield Stack(f"http://{server}", optimizer)


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


@pytest.mark.slow("a real Prometheus, until it has scraped what the queries ask for")
@pytest.mark.timeout(PATIENCE_SECONDS + 60)
def test_every_query_returns_data(stack: Stack) -> None:
    waiting = all_queries()
    until = time.monotonic() + PATIENCE_SECONDS
    while waiting and time.monotonic() < until:
        time.sleep(3)
        # A bottleneck is told of again and again, so that something happens all the time.
        stack.alert(TOKEN)
        stack.alert("somebody else's")
        waiting = [query for query in waiting if not _has_data(stack.prometheus, query)]
    assert [(query.board, query.where, query.filled()) for query in waiting] == []


@pytest.mark.slow("a real Prometheus, until it has scraped what the queries ask for")
@pytest.mark.timeout(PATIENCE_SECONDS + 60)
@pytest.mark.parametrize(
    "metric", ["tweetbot_execution_duration_seconds_bucket", "tweetbot_decision_confidence_ratio_bucket"]
)
def test_exemplars_are_there_for_the_panels_that_ask(stack: Stack, metric: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := _exemplars(stack.prometheus, metric)) and time.monotonic() < until:
        time.sleep(1)
    assert found


def _exemplars(server: str, metric: str) -> list[Any]:
    """Those of the last ten minutes, by series; none while Prometheus is not up yet."""
    moments = {"start": str(time.time() - 600), "end": str(time.time())}
    url = f"{server}/api/v1/query_exemplars?{urllib.parse.urlencode({'query': metric, **moments})}"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: list[Any] = json.load(answer)["data"]
            return found
    except OSError:
        return []
