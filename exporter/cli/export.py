"""`export`: what is shipped with the program, into a directory: rules, dashboards, units."""

import argparse
from pathlib import Path

from exporter.cli import export_files, flags
from exporter.cli.command import Command
from exporter.cli.errors import CommandError
from exporter.cli.export_files import KINDS, Files, Links


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what and where")
    group.add_argument("kind", choices=tuple(KINDS), metavar="WHAT", help=", ".join(KINDS))
    group.add_argument("directory", type=flags.path, metavar="DIRECTORY", help="is made if it is not there")
    group.add_argument("--force", action="store_true", help="replace files that differ")
    add_links(parser)


def add_links(parser: argparse.ArgumentParser) -> None:
    """Those of export and setup."""
    group, default = parser.add_argument_group("links in the alerts"), Links()
    for name, what in (("grafana", "Grafana"), ("runbooks", "the runbooks")):
        url = getattr(default, f"{name}_url")
        about = f"where {what} can be reached (default {url})"
        group.add_argument(f"--{name}-url", type=flags.url, default=url, metavar="URL", help=about)


def links(parsed: argparse.Namespace) -> Links:
    """What the flags of `add_links` say."""
    return Links(parsed.grafana_url, parsed.runbooks_url)


def run(parsed: argparse.Namespace) -> int:
    """Writes the files, all or none."""
    files = export_files.KINDS[parsed.kind](links(parsed))
    differing = _differing(parsed.directory, files)
    if differing and not parsed.force:
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise CommandError(f"{differing[0]}{more} is there and differs; --force replaces it")
    for path, content in files.items():
        target = parsed.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    print(f"wrote {len(files)} file{'s' * (len(files) > 1)} into {parsed.directory}")
    return 0


def _differing(directory: Path, files: Files) -> list[Path]:
    targets = {directory / path: content for path, content in files.items()}
    return [
        target
        for target, content in targets.items()
        if target.exists() and (not target.is_file() or target.read_bytes() != content)
    ]


COMMAND = Command("Write rules, dashboards, units and other shipped files into a directory.", add_flags, run)
