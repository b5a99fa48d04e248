"""What the demo shows of the whole product: Prometheus and Alertmanager with the rules, and what they send."""

import os
import re
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from tools import ROOT, needed

from exporter.cli import demo_grafana, demo_receiver, demo_stack

ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "A", "agent": "hunter", "bot": "demo"},
    "annotations": {"summary": "Too slow.", "description": "2.8 s\x1b[31m", "runbook_url": "http://r/A.md"},
}


def test_a_ticket_is_printed_with_what_to_do_and_cannot_control_the_terminal() -> None:
    head, *notes = demo_receiver.message("ticket", {"alerts": [ALERT]})
    assert re.fullmatch(r"\d\d:\d\d:\d\d  TICKET    hunter: Too slow\.", head)
    assert [line.strip() for line in notes] == [r"2.8 s\x1b[31m", "What to do: http://r/A.md"]


def test_what_is_over_is_one_line() -> None:
    (line,) = demo_receiver.message("page-telegram", {"alerts": [{**ALERT, "status": "resolved"}]})
    assert line.endswith("RESOLVED  hunter: Too slow.")


def test_without_prometheus_there_is_no_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo_stack.programs() is None


@pytest.fixture
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is unpacked somewhere, and does not start."""
    home = tmp_path_factory.mktemp("grafana")
    program = home / "bin" / "grafana"
    for path in (program, home / "conf" / "defaults.ini"):
        path.parent.mkdir()
        path.write_text("#!/bin/sh\necho no room for $* >&2; exit 1\n")
    program.chmod(0o755)
    return program


def test_a_grafana_is_found_and_shown_the_dashboards(
    grafana: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(grafana.parent))
    found = demo_grafana.installed()
    assert found is not None
    assert found.command == [str(grafana), "server", "--homepath", str(grafana.parent.parent)]
    environment = demo_grafana.configure(tmp_path, "127.0.0.1:3", "http://127.0.0.1:9")
    assert (environment["GF_SERVER_HTTP_ADDR"], environment["GF_SERVER_HTTP_PORT"]) == ("127.0.0.1", "3")
    provisioned = Path(environment["GF_PATHS_PROVISIONING"])
    (provider,) = yaml.safe_load((provisioned / "dashboards" / "tweetbot.yml").read_text())["providers"]
    shown = {path.name for path in Path(provider["options"]["path"]).iterdir()}
    assert shown == {path.name for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    assert Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    (source,) = yaml.safe_load((provisioned / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://127.0.0.1:9"


def test_a_grafana_without_its_other_files_is_none(
    grafana: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo_grafana, "_PACKAGED_HOME", tmp_path)
    (grafana.parent.parent / "conf" / "defaults.ini").unlink()
    monkeypatch.setenv("PATH", str(grafana.parent))
    assert demo_grafana.installed() is None


@pytest.mark.slow("the first ticket comes after some twenty seconds")
@pytest.mark.timeout(180)
def test_a_ticket_arrives_and_nothing_is_left(tmp_path: Path, grafana: Path) -> None:
    """Also where Grafana ends by itself."""
    needed("prometheus")
    needed("prometheus-alertmanager", "alertmanager")
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0"]
    path = f"{grafana.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            lines = [*takewhile(lambda line: "TICKET    market-hunter: " not in line, process.stdout)]
            assert any("  Grafana: the dashboards" in line for line in lines)
            assert f"Grafana ended: no room for server --homepath {grafana.parent.parent}\n" in lines
            assert process.poll() is None
            children = psutil.Process(process.pid).children(recursive=True)
            assert {"prometheus", "prometheus-alertmanager"} & {child.name() for child in children}
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(tmp_path.iterdir()) == []
