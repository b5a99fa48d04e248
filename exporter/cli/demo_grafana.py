"""A Grafana beside the demo, where one is installed: with the dashboards, and without a login."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.cli import export_files
from exporter.cli.export_files import Files, Links
from exporter.cli.grafana_provisioning import provisioning

_PACKAGED_HOME = Path("/usr/share/grafana")
"""Of Grafana's own packages for Debian; from an archive, it is the folder above bin/."""
_HOME_DASHBOARD = "tweetbot-overview.json"


@dataclass(frozen=True, slots=True)
class Grafana:
    """An installed one. `home` has its configuration's defaults and its front end."""

    program: str
    home: Path

    @property
    def command(self) -> list[str]:
        subcommand = [] if Path(self.program).name == "grafana-server" else ["server"]
        return [self.program, *subcommand, "--homepath", str(self.home)]


def installed() -> Grafana | None:
    """The one on the PATH, if its other files are found."""
    program = shutil.which("grafana") or shutil.which("grafana-server")
    if program is None:
        return None
    homes = (Path(program).resolve().parent.parent, _PACKAGED_HOME)
    return next((Grafana(program, home) for home in homes if (home / "conf" / "defaults.ini").exists()), None)


def configure(folder: Path, address: str, prometheus_url: str) -> Mapping[str, str]:
    """Writes dashboards and provisioning into `folder`; gives the environment for a Grafana at `address`."""
    dashboards = folder / "dashboards"
    _write(dashboards, export_files.dashboards(Links()))
    _write(folder / "provisioning", provisioning(str(dashboards), prometheus_url))
    host, _, port = address.rpartition(":")
    return {
        **os.environ,
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(dashboards / _HOME_DASHBOARD),
        "GF_PATHS_DATA": str(folder / "data"),
        "GF_PATHS_LOGS": str(folder / "logs"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_SERVER_HTTP_ADDR": host,
        "GF_SERVER_HTTP_PORT": port,
    }


def _write(folder: Path, files: Files) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
