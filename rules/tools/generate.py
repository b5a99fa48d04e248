"""All of the rules that follow from something else."""

from pathlib import Path

from exporter.optimizer.bottlenecks import BOTTLENECKS
from rules.tools.alert_table import page
from rules.tools.bottlenecks import alerts_bottlenecks, recording_bottlenecks
from rules.tools.links import load_settings
from rules.tools.thresholds import recording_thresholds


def generated(rules: Path, table: Path) -> dict[Path, str]:
    """The text of each file that settings.yml, thresholds.yml and the bottlenecks have a part in, by its path.

    `rules` is the folder with all that Prometheus loads, `table` the page that lists the alerts.
    """
    settings = load_settings(rules / "settings.yml")
    paths = [*sorted(rules.glob("alerts/*.yml")), *sorted(rules.glob("tests/*_test.yml"))]
    files = {path: settings.relinked(path.read_text("utf-8")) for path in paths} | {
        rules / "recording" / "thresholds.yml": recording_thresholds(rules / "thresholds.yml", BOTTLENECKS),
        rules / "recording" / "bottlenecks.yml": recording_bottlenecks(BOTTLENECKS),
        rules / "alerts" / "bottlenecks.yml": settings.relinked(alerts_bottlenecks(BOTTLENECKS, settings)),
    }
    alerts = {path.stem: text for path, text in files.items() if path.parent.name == "alerts"}
    return files | {table: page(alerts, (rules / "thresholds.yml").read_text("utf-8"))}
