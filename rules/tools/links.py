"""The addresses of settings.yml, in every alert and in every test that expects one."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

_RUNBOOK = re.compile(r"^( +runbook_url: ).*/(\w+\.md)$", re.MULTILINE)
_DASHBOARD = re.compile(r"^( +dashboard_url: ).*?/d/(tweetbot-.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Settings:
    """The addresses of Grafana and of the folder with the runbooks, without a slash at the end."""

    grafana_url: str
    runbooks_url: str

    def runbook(self, alert: str) -> str:
        """The address of an alert's runbook."""
        return f"{self.runbooks_url}/{alert}.md"

    def dashboard(self, name: str, labels: tuple[str, ...]) -> str:
        """The address of a dashboard, as an alert's template with these of its labels filled in."""
        variables = "&".join(f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels)
        return f"{self.grafana_url}/d/tweetbot-{name}/{name}?{variables}"

    def relinked(self, text: str) -> str:
        """The text of a rule file, or of a test of one, with its links at these addresses."""
        text = _RUNBOOK.sub(lambda found: f"{found[1]}{self.runbooks_url}/{found[2]}", text)
        return _DASHBOARD.sub(lambda found: f"{found[1]}{self.grafana_url}/d/{found[2]}", text)


def load_settings(path: Path) -> Settings:
    """ValueError for an unknown or missing key, and for what is not an http address."""
    given = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(given, dict) or given.keys() != {"grafana_url", "runbooks_url"}:
        raise ValueError(f"{path} needs grafana_url and runbooks_url, and nothing else")
    for key, url in given.items():
        if not re.fullmatch(r"https?://[^\s\"'{}#?]+", str(url)):
            raise ValueError(f"{path}: {key} is not an http address")
    return Settings(**{key: url.rstrip("/") for key, url in given.items()})
