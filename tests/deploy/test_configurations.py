"""What the stack mounts, looked at with each program's own tool and from where the container has it."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from stackfiles import ROOT, SERVICES, lay_out, load
from tools import needed

OPTIMIZER_OFF = "- matchers: ['bottleneck_severity!=\"\"']\n      receiver: none"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def port_of(service: str, target: str) -> bool:
    """Whether `target` (host:port) is this service's published port."""
    host, _, port = target.partition(":")
    return host == service and f"127.0.0.1:{port}:{port}" in SERVICES[service]["ports"]


def targets(name: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = load(ROOT / "deploy" / "compose" / "targets" / name)
    return result


def test_prometheus(tmp_path: Path) -> None:
    folder = lay_out("prometheus", tmp_path) / "etc" / "prometheus"
    named = [
        file
        for job in load(folder / "prometheus.yml")["scrape_configs"]
        for discovery in job.get("file_sd_configs", [])
        for file in discovery["files"]
    ]
    assert named
    assert [file for file in named if not (folder / file).is_file()] == []
    run(needed("promtool"), "check", "config", folder / "prometheus.yml")


def test_targets_are_services() -> None:
    assert [
        port_of("exporter", target) for entry in targets("tweetbot.yml") for target in entry["targets"]
    ] == [True]
    assert [
        port_of("alertmanager", t) for entry in targets("alertmanager.yml") for t in entry["targets"]
    ] == [True]


def test_the_optimizer_is_no_target_until_it_is_switched_on() -> None:
    path = ROOT / "deploy" / "compose" / "targets" / "optimizer.yml"
    assert load(path) == []
    shown = "\n".join(
        line.removeprefix("# ") for line in path.read_text().splitlines() if line.startswith(("# -", "#  "))
    )
    (entry,) = yaml.safe_load(shown)
    assert entry["labels"] == targets("tweetbot.yml")[0]["labels"]
    assert [port_of("exporter", target) for target in entry["targets"]] == [True]


def test_exemplars_are_kept() -> None:
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Path:
    return lay_out("alertmanager", tmp_path) / "etc" / "alertmanager" / "alertmanager.yml"


def test_alertmanager(alertmanager: Path) -> None:
    run(needed("amtool"), "check-config", alertmanager)
    (pattern,) = load(alertmanager)["templates"]
    assert list(alertmanager.parent.glob(pattern))


def test_alertmanager_with_the_optimizer(alertmanager: Path) -> None:
    """The two edits of docs/stack.md."""
    text = alertmanager.read_text("utf-8")
    assert text.count(OPTIMIZER_OFF) == 1
    assert text.count("http://localhost:9466/") == 1
    on = text.replace(OPTIMIZER_OFF, OPTIMIZER_OFF.replace("none", "optimizer"))
    alertmanager.write_text(on.replace("http://localhost:9466/", "http://exporter:9466/"), "utf-8")
    amtool = needed("amtool")
    run(amtool, "check-config", alertmanager)
    labels = ("alertname=TweetbotAgentSuccessRateLow", "severity=warning", "bottleneck_severity=medium")
    routed = run(amtool, "config", "routes", "test", f"--config.file={alertmanager}", *labels)
    assert routed.strip() == "optimizer,ticket"
    (receiver,) = (each for each in load(alertmanager)["receivers"] if each["name"] == "optimizer")
    (webhook,) = receiver["webhook_configs"]
    assert port_of("exporter", urlsplit(webhook["url"]).netloc)
    token = webhook["http_config"]["authorization"]["credentials_file"]
    assert token == "/etc/alertmanager/secrets/optimizer-token"


def test_grafana_finds_prometheus() -> None:
    (source,) = load(ROOT / "grafana" / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert source["type"] == "prometheus", "what the variable `datasource` of every dashboard asks for"
    assert source["isDefault"]
    assert port_of("prometheus", urlsplit(source["url"]).netloc)
    interval = load(ROOT / "rules" / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval, "$__rate_interval is made from it"


def test_grafana_finds_the_dashboards(tmp_path: Path) -> None:
    folder = lay_out("grafana", tmp_path)
    (provider,) = load(folder / "etc/grafana/provisioning/dashboards/tweetbot.yml")["providers"]
    assert provider["disableDeletion"]
    assert not provider["allowUiUpdates"], "they are generated"
    found = list((folder / provider["options"]["path"].lstrip("/")).glob("*.json"))
    assert len(found) == len(list((ROOT / "grafana" / "dashboards").glob("*.json"))) > 0
