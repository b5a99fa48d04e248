"""The files that are shipped with the program: rules, dashboards, units, the Compose stack."""

from pathlib import Path

import exporter

_PACKAGE = Path(exporter.__file__).parent


def share() -> Path:
    """The folder with rules/, grafana/, deploy/ and docker-compose.yml: in an installation a part of the package, in
    a checkout the checkout itself."""
    installed = _PACKAGE / "share"
    return installed if installed.is_dir() else _PACKAGE.parent
