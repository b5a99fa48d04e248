"""The addresses of settings.yml, and panels to look at, in every alert and in every test that expects one."""

import re
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from grafana.kit.ids import panel_id
from rules.tools.panels import PANELS

_RUNBOOK = re.compile(r"^( +runbook_url: ).*/(\w+\.md)$")
_DASHBOARD = re.compile(r"^( +dashboard_url: ).*?/d/(tweetbot-.*?)(?:[?&]viewPanel=\d+)?$")
_ALERT = re.compile(r"^ +(?:- )?(?:alert|alertname): (\w+)$")


@dataclass(frozen=True, slots=True)
class Settings:
    """The addresses of Grafana, of the folder with the runbooks, and of Alertmanager, without a slash at the end."""

    grafana_url: str
    runbooks_url: str
    alertmanager_url: str

    def runbook(self, alert: str) -> str:
        """The address of an alert's runbook."""
        return f"{self.runbooks_url}/{alert}.md"

    def dashboard(self, name: str, labels: tuple[str, ...]) -> str:
        """The address of a dashboard, as an alert's template with these of its labels filled in."""
        variables = "&".join(f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels)
        return f"{self.grafana_url}/d/tweetbot-{name}/{name}?{variables}"

    def relinked(self, text: str) -> str:
        """The text of a rule file, or of a test of one, with its links at these addresses."""
        alert = ""
        lines = []
        for line in text.split("\n"):
            alert = found[1] if (found := _ALERT.match(line)) else alert
            lines.append(self._relinked_line(line, alert))
        return "\n".join(lines)

    def _relinked_line(self, line: str, alert: str) -> str:
        if found := _RUNBOOK.match(line):
            return f"{found[1]}{self.runbooks_url}/{found[2]}"
        if found := _DASHBOARD.match(line):
            address = f"{self.grafana_url}/d/{found[2]}"
            panel = panel_id(PANELS[alert])
            return f"{found[1]}{address}{'&' if '?' in address else '?'}viewPanel={panel}"
        return line


KEYS = {field.name for field in fields(Settings)}


def load_settings(path: Path) -> Settings:
    """ValueError for an unknown or missing key, and for what is not an http address."""
    given = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(given, dict) or given.keys() != KEYS:
        raise ValueError(f"{path} needs {', '.join(sorted(KEYS))}, and nothing else")
    for key, url in given.items():
        if not re.fullmatch(r"https?://[^\s\"'{}#?]+", str(url)):
            raise ValueError(f"{path}: {key} is not an http address")
    return Settings(**{key: url.rstrip("/") for key, url in given.items()})
