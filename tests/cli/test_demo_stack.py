"""What the demo shows of the whole product: Prometheus and Alertmanager with the rules, and what they send."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from tools import needed

from exporter.cli import demo_receiver, demo_stack

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


@pytest.mark.slow("the first ticket comes after some twenty seconds")
@pytest.mark.timeout(180)
def test_a_ticket_arrives_and_nothing_is_left(tmp_path: Path) -> None:
    needed("prometheus")
    needed("prometheus-alertmanager", "alertmanager")
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert any("TICKET    market-hunter: " in line for line in process.stdout)
            children = psutil.Process(process.pid).children(recursive=True)
            assert {"prometheus", "prometheus-alertmanager"} & {child.name() for child in children}
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(tmp_path.iterdir()) == []
