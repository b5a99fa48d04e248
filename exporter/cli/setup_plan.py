"""What `setup` puts onto a Debian machine, worked out before anything is changed."""

import grp
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from exporter.cli import export_files, setup_alertmanager, setup_prometheus
from exporter.cli.errors import CommandError
from exporter.cli.export_files import Links
from exporter.cli.grafana_provisioning import provisioning
from exporter.cli.setup_alertmanager import Receiver
from exporter.cli.setup_machine import File, Machine
from exporter.cli.setup_prometheus import FOLDER

CONFIG = "/etc/tweetbot-exporter/config.yml"
UNIT = "tweetbot-exporter.service"
PROMETHEUS, ALERTMANAGER = "/etc/prometheus/prometheus.yml", "/etc/prometheus/alertmanager.yml"
CHECK_PROMETHEUS = ("promtool", "check", "config")
GRAFANA = "/etc/grafana/provisioning"
ALERTMANAGER_DROP_IN = "/etc/systemd/system/prometheus-alertmanager.service.d/tweetbot.conf"
_ALONE = b"""\
# One Alertmanager needs no cluster; and with one, it does not start on a machine without a private address.
[Service]
ExecStart=
ExecStart=/usr/bin/prometheus-alertmanager --cluster.listen-address= $ARGS
"""
_DASHBOARDS = "/etc/grafana/tweetbot"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for."""

    database: Path
    bridge_url: str | None
    user: str | None
    """An existing one; else systemd makes one up."""
    program: str
    """The path of tweetbot-exporter."""
    links: Links
    receiver: Receiver | None
    """None: Alertmanager is left as it is."""
    watchdog_url: str | None = None


def files(machine: Machine, wanted: Wanted) -> Iterator[File]:
    """In the order in which they are written: what another file names comes first."""
    yield File(CONFIG, _config(wanted), is_users=True)
    yield from _units(wanted)
    for path, content in export_files.rules(wanted.links).items():
        if path.name not in ("prometheus.yml", "alertmanager.yml"):
            yield File(f"{FOLDER}/{path}", content, is_users=path.parts[0] in ("thresholds.yml", "targets"))
    yield _prometheus(machine)
    if wanted.receiver is not None:
        yield _alertmanager(machine, wanted.receiver, wanted)
        if b"--cluster." not in (machine.read("/etc/default/prometheus-alertmanager") or b""):
            yield File(ALERTMANAGER_DROP_IN, _ALONE)
    if machine.at(GRAFANA).is_dir():
        yield from _grafana(wanted.links)


def _config(wanted: Wanted) -> bytes:
    document: dict[str, object] = {
        "database": {"path": str(wanted.database)},
        "web": {"listen_addresses": ["127.0.0.1:9464"]},
    }
    if wanted.bridge_url:
        document["bridge"] = {"url": wanted.bridge_url}
    return b"# Made by `tweetbot-exporter setup`; yours to change.\n" + yaml.safe_dump(document).encode()


def _units(wanted: Wanted) -> Iterator[File]:
    """The unit as it is shipped, and beside it what is of this machine."""
    yield File(f"/etc/systemd/system/{UNIT}", export_files.units(wanted.links)[Path(UNIT)])
    storage = "--storage.path=/var/lib/tweetbot-exporter"
    lines = [
        "[Service]",
        "ExecStart=",
        f"ExecStart={wanted.program} serve --config.file={CONFIG} {storage}",
        "SupplementaryGroups=",
    ]
    if group := group_that_reads(wanted.database):
        lines.append(f"SupplementaryGroups={group}")
    if wanted.user:
        lines += ["DynamicUser=no", f"User={wanted.user}"]
    yield File(f"/etc/systemd/system/{UNIT}.d/setup.conf", "\n".join([*lines, ""]).encode())


def group_that_reads(database: Path) -> str | None:
    """The group that may read a file that not everybody may; None where everybody may, or there is no file yet."""
    try:
        found = database.stat()
    except OSError:
        return None
    if found.st_mode & stat.S_IROTH or not found.st_mode & stat.S_IRGRP:
        return None
    return grp.getgrgid(found.st_gid).gr_name


def _prometheus(machine: Machine) -> File:
    text = (machine.read(PROMETHEUS) or b"").decode()
    return File(PROMETHEUS, setup_prometheus.edited(text).encode(), check=CHECK_PROMETHEUS)


def _alertmanager(machine: Machine, receiver: Receiver, wanted: Wanted) -> File:
    present = (machine.read(ALERTMANAGER) or b"").decode()
    if present and not setup_alertmanager.is_ours(present) and not _is_debians(machine):
        raise CommandError(
            f"{ALERTMANAGER} is yours and is not replaced: add what `tweetbot-exporter export rules` has in its "
            "alertmanager.yml, and run setup with --keep-alertmanager"
        )
    shipped = export_files.rules(wanted.links)[Path("alertmanager.yml")].decode()
    text = setup_alertmanager.configured(shipped, receiver, wanted.watchdog_url)
    # It holds the receiver's secrets.
    return File(ALERTMANAGER, text.encode(), 0o640, "prometheus", check=("amtool", "check-config"))


def _is_debians(machine: Machine) -> bool:
    """Whether it is the sample that the package brings."""
    listed = machine.run("dpkg-query", "--show", "--showformat=${Conffiles}", "prometheus-alertmanager")
    sums = dict(line.split()[:2] for line in listed.splitlines() if line.strip())
    found = machine.run("md5sum", str(machine.at(ALERTMANAGER))).split()[0]
    return sums.get(ALERTMANAGER) == found


def _grafana(links: Links) -> Iterator[File]:
    for path, content in export_files.dashboards(links).items():
        yield File(f"{_DASHBOARDS}/{path}", content)
    shipped = provisioning(_DASHBOARDS, "http://localhost:9090")
    yield File(f"{GRAFANA}/dashboards/tweetbot.yml", shipped[Path("dashboards/tweetbot.yml")])
    # Grafana does not start with two default data sources.
    source = shipped[Path("datasources/prometheus.yml")].replace(b"isDefault: true", b"isDefault: false")
    yield File(f"{GRAFANA}/datasources/tweetbot.yml", source)
