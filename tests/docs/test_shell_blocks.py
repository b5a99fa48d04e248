"""Every command in the documentation is run as it stands, or is exempt for a reason.

What stands for the reader's machine (the bot's directory, its bridge, /etc) is replaced by what the test has made.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from shellblocks import commands
from tools import ROOT, free_port

from exporter.demo import DemoBot

PAGES = sorted(path for folder in (".", "docs", "rules") for path in (ROOT / folder).glob("*.md"))
COMMANDS = [(page, command) for page in PAGES for command in commands(page)]

EXEMPT: Mapping[str, str] = {
    r"scripts/(demo|test|release|generate)\b|\.ci/run": "run by CI and by tests of their own",
    r"apt-get |python3 -m venv|/opt/|ln -sf ": "run by tests/docs/test_readme.py, without root",
    r"docker |TWEETBOT_DATABASE_DIR=|git archive ": "needs a Docker engine",
    r"prometheus --config|alertmanager --config": "the ports may be taken; run by tests/e2e with ports of their own",
    r"node |curl |export TWEETBOT_BRIDGE|\"version\"|\"action\"": "run by tests/bridge, in a real Node.js",
    r"tweetbot-exporter setup --database\.path \S+$": "asks for what it has to know; tests/cli/test_questions.py",
    r"tweetbot-exporter optimizations ": "needs the ledger of an optimizer; tests/cli/test_optimizer_cli.py",
    r"kubectl ": "needs a cluster",
    r"scripts/render-dashboards": "needs a Grafana and a browser",
    r"pip-audit |cyclonedx-py |uvx? |echo ": "of the release procedure; by hand",
    r"systemctl |install .*(prometheus|/etc/systemd)": "changes the machine",
    r"\.venv/bin/|(LOCK_TEST_SCALE=4 )?pytest -s|.*python -m (tests\.bench|simulation)|cd tests/rules": "by developers",
    r"amtool silence |tweetbot-exporter alerts ": "needs an Alertmanager that runs; tests/cli/test_alerts.py",
    r"pint ": "needs pint; tests/rules/test_rules_load.py",
    r"tweetbot-exporter backfill .*--url ": "needs a VictoriaMetrics; tests/backfill/test_backfill_stores.py",
    r"promtool tsdb create-blocks-from rules ": "needs a Prometheus that runs",
}
PROGRAM = "tweetbot-exporter "
TEXT = re.compile(
    r"(prometheus|targets/\w+|thresholds|settings|alertmanager)\.yml\b|\w+/  ?\w|.*[→↓]|demo, which|docs/[\w.]+$"
)
"""What is indented and is no command."""


def exemption(command: str) -> str | None:
    return next((why for pattern, why in EXEMPT.items() if re.match(pattern, command)), None)


RUN = [
    (page, command) for page, command in COMMANDS if exemption(command) is None and not TEXT.match(command)
]


def test_every_exemption_is_needed() -> None:
    assert [pattern for pattern in EXEMPT if not any(re.match(pattern, each) for _, each in COMMANDS)] == []


def test_there_are_commands_to_run() -> None:
    """Those that this test knows how to run: another has to be taught, or exempted."""
    known = re.compile(
        r"tweetbot-exporter |mkdir -p /usr/local/share/|openssl |\(umask|install |promtool check config .* && amtool "
        r"|for file in history"
    )
    assert [command for _, command in RUN if not known.match(command)] == []
    assert sum(command.startswith(PROGRAM) for _, command in RUN) > 8


class Reader:
    """Whoever follows the documentation: a shell, a directory, a bot."""

    def __init__(self, folder: Path, state_port: int) -> None:
        self._folder = folder
        self._places = {
            "/srv/": f"{folder}/srv/",
            "/etc/": f"{folder}/etc/",
            "/usr/local/share/": f"{folder}/usr/local/share/",
            "/var/lib/": f"{folder}/var/lib/",
            "http://127.0.0.1:9465": f"http://127.0.0.1:{state_port}",
        }
        for made in (
            "usr/local/share",
            "etc/tweetbot-exporter",
            "var/lib/tweetbot-optimizer",
            "deploy/secrets/alertmanager",
        ):
            (folder / made).mkdir(parents=True)
        (folder / "token").write_text("1:token")

    def types(self, command: str) -> None:
        """Runs it; one that serves is ended once it listens. AssertionError if it fails."""
        for place, here in self._places.items():
            command = command.replace(place, here)
        if re.match(r"tweetbot-exporter (--|optimizer)", command):
            self._serves(command)
            return
        # Of those that change the machine, what they would do.
        command = re.sub(
            r"^tweetbot-exporter setup(?!.*--dry-run)", "tweetbot-exporter setup --dry-run", command
        )
        done = subprocess.run(["sh", "-euc", command], **self._shell, check=False, timeout=60)  # type: ignore[call-overload]
        # `check` says 1 where something is missing, as it is of a bot without control tables.
        assert done.returncode == 0 or (" check " in command and done.returncode == 1), done.stderr
        assert "Traceback" not in done.stderr

    def _serves(self, command: str) -> None:
        address = "--optimizer" if " optimizer " in command else "--web"
        command = f"exec {command} {address}.listen-address 127.0.0.1:{free_port()}"
        with subprocess.Popen(["sh", "-euc", command], **self._shell) as process:  # type: ignore[call-overload]
            try:
                assert any("listening" in line for line in process.stderr), command
            finally:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)

    @property
    def _shell(self) -> dict[str, object]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(self._folder)}
        return {
            "cwd": self._folder, "env": environment, "text": True, "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
        }  # fmt: skip


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    port = free_port()
    directory = tmp_path / "srv" / "tweetbot" / "database"
    directory.mkdir(parents=True)
    async with DemoBot(directory, state_port=port, history_days=0.5):
        yield Reader(tmp_path, port)


@pytest.mark.slow("a real bot, and a dozen commands")
@pytest.mark.timeout(300)
async def test_each_does_what_it_should(reader: Reader) -> None:
    for _, command in RUN:
        await asyncio.to_thread(reader.types, command)
