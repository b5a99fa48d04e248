"""Grafana's provisioning for another place than the container that it is shipped for."""

from exporter.cli import export_files
from exporter.cli.export_files import Files, Links


def provisioning(dashboards: str, prometheus_url: str) -> Files:
    """Relative path → content. `dashboards` is the folder of the dashboards' JSON."""
    moved = (
        (b"/var/lib/grafana/dashboards", dashboards.encode()),
        (b"http://prometheus:9090", prometheus_url.encode()),
    )
    folder = "grafana/provisioning"
    return {
        path.relative_to(folder): _replaced(content, moved)
        for path, content in export_files.compose(Links()).items()
        if path.is_relative_to(folder)
    }


def _replaced(content: bytes, moved: tuple[tuple[bytes, bytes], ...]) -> bytes:
    for old, new in moved:
        content = content.replace(old, new)
    return content
