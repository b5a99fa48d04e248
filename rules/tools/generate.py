"""All of the rules that follow from something else."""

from pathlib import Path

from exporter.optimizer.bottlenecks import BOTTLENECKS
from rules.tools.bottlenecks import alerts_bottlenecks, recording_bottlenecks
from rules.tools.links import load_settings
from rules.tools.thresholds import recording_thresholds


def generated(rules: Path) -> dict[Path, str]:
    """The text of each file that settings.yml, thresholds.yml and the bottlenecks have a part in, by its path."""
    settings = load_settings(rules / "settings.yml")
    linked = {
        path: settings.relinked(path.read_text("utf-8"))
        for path in [*sorted(rules.glob("alerts/*.yml")), *sorted(rules.glob("tests/*_test.yml"))]
    }
    return linked | {
        rules / "recording" / "thresholds.yml": recording_thresholds(rules / "thresholds.yml", BOTTLENECKS),
        rules / "recording" / "bottlenecks.yml": recording_bottlenecks(BOTTLENECKS),
        rules / "alerts" / "bottlenecks.yml": alerts_bottlenecks(BOTTLENECKS, settings),
    }
