"""Writes all files that follow from others, or with --check only names those that are out of date."""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

Files = Mapping[Path, str | None]
"""What is to stand in each file; None where it is to be deleted."""

# Each imports what only it needs: the rules can be generated without Grafana's SDK.


def rules() -> Files:
    """The regular ones, the links in all of them, and the page that lists the alerts."""
    from rules.tools.generate import generated

    return generated(ROOT / "rules", ROOT / "docs" / "alerts.md")


def kubernetes() -> Files:
    """The rules and routes as the Prometheus operator's resources."""
    from rules.tools.kubernetes import kubernetes as resources

    return {ROOT / "deploy" / "kubernetes" / name: text for name, text in resources(ROOT / "rules").items()}


def metrics() -> Files:
    """The metric reference."""
    from exporter.metrics.reference import reference

    return {ROOT / "docs" / "metrics.md": reference()}


def configuration() -> Files:
    """The configuration reference."""
    from exporter.cli.reference import configuration as page_of_keys

    return {ROOT / "docs" / "configuration.md": page_of_keys()}


def manual() -> Files:
    """The manual page."""
    from exporter.cli.main import COMMANDS
    from exporter.cli.man_page import page as man_page

    return {ROOT / "deploy" / "tweetbot-exporter.1": man_page(COMMANDS)}


def page() -> Files:
    """What the exporter shows of the small bot in tests/golden."""
    import structlog
    from golden.page import GOLDEN_PAGE, golden_page

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        return {GOLDEN_PAGE: asyncio.run(golden_page(Path(directory)))}


def dashboards() -> Files:
    """The dashboards' JSON. What is none any more is deleted."""
    from grafana.files import FOLDER, rendered

    return {**dict.fromkeys(FOLDER.glob("*.json")), **rendered()}


ARTEFACTS: Mapping[str, Callable[[], Files]] = {
    make.__name__: make for make in (rules, kubernetes, metrics, configuration, manual, page, dashboards)
}


def main() -> int:
    """Returns the exit status: 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="scripts/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    parser.add_argument("artefacts", nargs="*", metavar="|".join(ARTEFACTS), help="default: all")
    given = parser.parse_args()
    if unknown := set(given.artefacts) - ARTEFACTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    changed = False
    for name in [name for name in ARTEFACTS if name in (given.artefacts or ARTEFACTS)]:
        for path, text in ARTEFACTS[name]().items():
            if _present(path) != text:
                changed = True
                print(f"{path.relative_to(ROOT)} {'is out of date' if given.check else 'written'}")
                if not given.check:
                    _write(path, text)
    return int(changed and given.check)


def _present(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
    else:
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
