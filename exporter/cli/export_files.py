"""What can be exported, as it is to stand in the user's directory: relative path → content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from exporter.cli import export_configuration
from exporter.runtime.share import share

Files = Mapping[Path, bytes]

UNITS = Path("deploy/systemd")
_RULES = (
    "prometheus.yml",
    "alertmanager.yml",
    "thresholds.yml",
    "recording",
    "alerts",
    "targets",
    "templates",
)
_COMPOSE = ("docker-compose.yml", "deploy/compose", "grafana/dashboards", "grafana/provisioning")


@dataclass(frozen=True, slots=True)
class Links:
    """Where the links in the alerts lead."""

    grafana_url: str = "http://localhost:3000"
    runbooks_url: str = "http://localhost:9464/runbooks"
    """By default the exporter's own, which need no network."""


def rules(links: Links) -> Files:
    """All that Prometheus and Alertmanager load."""
    return {path: linked(content, links) for path, content in _found("rules", _RULES).items()}


def linked(content: bytes, links: Links) -> bytes:
    """A rule file as it is shipped, with the user's addresses."""
    shipped = yaml.safe_load((share() / "rules" / "settings.yml").read_text("utf-8"))
    for name in ("grafana_url", "runbooks_url"):
        content = content.replace(shipped[name].encode(), getattr(links, name).rstrip("/").encode())
    return content


def dashboards(_: Links) -> Files:
    """Grafana's, as JSON."""
    return _found("grafana/dashboards", ("",))


def units(_: Links) -> Files:
    """systemd's."""
    return _found(str(UNITS), ("",))


def kubernetes(links: Links) -> Files:
    """The Prometheus operator's resources."""
    return {path: linked(content, links) for path, content in _found("deploy/kubernetes", ("",)).items()}


def compose(links: Links) -> Files:
    """The whole stack, with the rules and dashboards that it mounts."""
    stack = _found("", _COMPOSE)
    mounted = {Path("rules") / path: content for path, content in rules(links).items()}
    # There is nothing here to build the image from.
    return {path: content.replace(b"  build: .\n", b"") for path, content in stack.items()} | mounted


def configuration(_: Links) -> Files:
    """Of the exporter: every key, commented out."""
    return {Path("config.yml"): export_configuration.sample().encode()}


KINDS: Mapping[str, Callable[[Links], Files]] = {
    each.__name__: each for each in (rules, dashboards, units, compose, kubernetes, configuration)
}


def _found(folder: str, names: tuple[str, ...]) -> Files:
    root = share() / folder
    tops = [root / name for name in names]
    files = [file for top in tops for file in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return {file.relative_to(root): file.read_bytes() for file in files if file.is_file()}
