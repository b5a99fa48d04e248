"""`setup` and `setup --uninstall`, step by step."""

import os
import pwd
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from exporter.cli import export_files, setup_prometheus
from exporter.cli.errors import CommandError
from exporter.cli.export_files import Links
from exporter.cli.setup_machine import BACKUP, MANIFEST, File, Machine, Manifest, digest
from exporter.cli.setup_plan import (
    ALERTMANAGER,
    ALERTMANAGER_DROP_IN,
    CHECK_PROMETHEUS,
    GRAFANA,
    PROMETHEUS,
    UNIT,
    Wanted,
    files,
    group_that_reads,
)
from exporter.config import ConfigError

THRESHOLDS = Path("thresholds.yml")
PACKAGES = ("prometheus", "prometheus-alertmanager")
NOBODY = 65534
"""Stands in for the user that systemd makes up."""
START_SECONDS = 20.0
_HEALTHY = "http://127.0.0.1:9464/-/healthy"


def install(machine: Machine, wanted: Wanted, dry_run: bool) -> None:
    """Puts everything in place; what is there already is left alone. Prints each step."""
    os.umask(0o022)
    manifest = Manifest.read(machine)
    _check_access(machine, wanted, dry_run)
    _packages(machine, dry_run)
    changed = [file for file in files(machine, wanted) if machine.differs(file)]
    for file in changed:
        _say(dry_run, f"{'write' if machine.read(file.path) is None else 'change'} {file.path}")
        if not dry_run:
            manifest.add(file)
            manifest.write(machine)
            machine.write(file)
    if not changed:
        print("All files are in place.")
    paths = {file.path for file in changed} | manifest.pending
    _name_missing_thresholds(machine)
    _services(machine, paths, dry_run)
    _exporter(machine, paths, dry_run)
    if dry_run or not machine.runs_systemd():
        return
    manifest.pending.clear()
    manifest.write(machine)
    _await_exporter()
    _say_what_is_next(wanted)


def _packages(machine: Machine, dry_run: bool) -> None:
    missing = [each for each in PACKAGES if not machine.has(each)]
    if not missing:
        return
    if not machine.has("apt-get"):
        raise CommandError(
            "setup is for Debian and Ubuntu; elsewhere, `tweetbot-exporter export` has the files"
        )
    _say(dry_run, f"install {' and '.join(missing)} with apt-get")
    if not dry_run:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        machine.run("apt-get", "update", "-qq")
        machine.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def _check_access(machine: Machine, wanted: Wanted, dry_run: bool) -> None:
    """That the unit may read the bot's file and start the program; both may lie in a closed directory."""
    become = ["setpriv", *_identity(wanted)]
    if dry_run or not wanted.database.exists():
        return
    if not machine.succeeds(*become, "test", "-r", str(wanted.database)):
        raise CommandError(
            f"{wanted.user or 'the exporter'} may not read {wanted.database}: let its group read it (chmod g+r) "
            "and enter its directories (chmod g+x), or name a user who may with --user"
        )
    if not machine.succeeds(*become, *wanted.program.split(), "--version"):
        raise CommandError(
            f"{wanted.user or 'the exporter'} may not run {wanted.program}: install it outside of home directories, "
            "such as in /opt/tweetbot-exporter"
        )


def _identity(wanted: Wanted) -> list[str]:
    """Who the unit runs as, for setpriv."""
    group = group_that_reads(wanted.database)
    groups = f"--groups={group}" if group else "--clear-groups"
    if wanted.user is None:
        return [f"--reuid={NOBODY}", f"--regid={NOBODY}", groups]
    try:
        return [f"--reuid={wanted.user}", f"--regid={pwd.getpwnam(wanted.user).pw_gid}", groups]
    except KeyError:
        raise ConfigError(f"--user: there is no user {wanted.user!a}") from None


def _name_missing_thresholds(machine: Machine) -> None:
    """The user's file is kept; what a new release compares with may not be in it."""
    present = machine.read(f"{setup_prometheus.FOLDER}/{THRESHOLDS}")
    shipped = export_files.rules(Links())[THRESHOLDS]
    missing = [] if present is None else sorted(_records(shipped) - _records(present))
    if missing:
        print(
            f"{setup_prometheus.FOLDER}/{THRESHOLDS} has no {', '.join(missing)}: alerts that need it never fire."
        )
        print("Add it, as `tweetbot-exporter export rules DIRECTORY` has it.")


def _records(rules: bytes) -> set[str]:
    return set(re.findall(r"^ *- record: *(\S+)", rules.decode(), re.MULTILINE))


def _services(machine: Machine, changed: set[str], dry_run: bool) -> None:
    """Starts what is new, and has the others read their configuration again, also after a run that was cut short."""
    if not machine.runs_systemd():
        print("systemd does not run here: no service was started.")
        return
    if any(path.startswith("/etc/systemd/") for path in changed):
        _systemctl(machine, dry_run, "daemon-reload")
    restarted = {
        "prometheus": False,
        "prometheus-alertmanager": ALERTMANAGER_DROP_IN in changed,
        "grafana-server": any(path.startswith(GRAFANA) for path in changed),
    }
    for name, has_to in restarted.items():
        if has_to:
            _restart(machine, name, dry_run)
        elif name != "grafana-server":
            _reload(machine, name, dry_run)


def _reload(machine: Machine, name: str, dry_run: bool) -> None:
    if machine.succeeds("systemctl", "is-active", "--quiet", name):
        # `reload` needs /bin/kill, which a minimal Debian does not have.
        _systemctl(machine, dry_run, "kill", "--kill-who=main", "--signal=HUP", name)
    else:
        _restart(machine, name, dry_run)


def _restart(machine: Machine, name: str, dry_run: bool) -> None:
    if not dry_run:
        # Alertmanager without a private address ends at once, as long as it has a cluster: after five starts within ten
        # seconds systemd refuses a sixth.
        machine.succeeds("systemctl", "reset-failed", name)
    _systemctl(machine, dry_run, "restart", name)


def _exporter(machine: Machine, changed: set[str], dry_run: bool) -> None:
    if not machine.runs_systemd():
        return
    _systemctl(machine, dry_run, "enable", "--quiet", UNIT)
    ours = any(
        path.startswith((f"/etc/systemd/system/{UNIT}", "/etc/tweetbot-exporter/")) for path in changed
    )
    runs = machine.succeeds("systemctl", "is-active", "--quiet", UNIT)
    if ours or not runs or _was_upgraded_since_start(machine):
        _restart(machine, UNIT, dry_run)


def _was_upgraded_since_start(machine: Machine) -> bool:
    """Whether this program was installed again while the exporter ran, which goes on with the older one."""
    show = ("systemctl", "show", "--property=ExecMainStartTimestamp", "--value", UNIT)
    try:
        shown = machine.run("env", "TZ=UTC", *show).strip()
        started = datetime.strptime(shown, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:  # it has just ended
        return False
    # Not the time of the last modification: an installer may keep the one that the file has in its archive.
    return Path(__file__).stat().st_ctime > started.timestamp()


def _systemctl(machine: Machine, dry_run: bool, *command: str) -> None:
    _say(dry_run, f"systemctl {' '.join(command)}")
    if not dry_run:
        machine.run("systemctl", *command)


def _await_exporter() -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(URLError, OSError), urlopen(_HEALTHY, timeout=2):
            return
        time.sleep(0.2)
    raise CommandError(f"the exporter does not answer; `journalctl -u {UNIT}` says why")


def _say_what_is_next(wanted: Wanted) -> None:
    print("The exporter runs: http://127.0.0.1:9464/")
    if wanted.receiver is not None:
        print(
            f"Pages and tickets go to {wanted.receiver.about}. Whether they arrive: `tweetbot-exporter alerts test`"
        )
        if not wanted.watchdog_url:
            print("Nobody notices when alerts cannot arrive any more: --watchdog-url names who would.")
    if not wanted.bridge_url:
        print("For the bot's live agents, add the bridge: `tweetbot-exporter bridge DIRECTORY` says how.")


def uninstall(machine: Machine, dry_run: bool) -> None:
    """Takes off what setup put there. What the user has changed since is kept, and named."""
    manifest = Manifest.read(machine)
    if not manifest.files:
        print("Nothing of setup is here.")
        return
    if machine.runs_systemd():
        _systemctl(machine, dry_run, "disable", "--quiet", "--now", UNIT)
    for path, written in manifest.files.items():
        _restore(machine, path, written, dry_run)
    if dry_run:
        return
    _remove(machine.at(MANIFEST))
    _services(machine, set(manifest.files), dry_run)


def _restore(machine: Machine, path: str, written: str, dry_run: bool) -> None:
    content = machine.read(path)
    if content is None:
        return
    backup = machine.at(path + BACKUP)
    if path == PROMETHEUS:
        _say(dry_run, f"take our part out of {path}")
        if not dry_run:
            machine.write(
                File(path, setup_prometheus.restored(content.decode()).encode(), check=CHECK_PROMETHEUS)
            )
            backup.unlink(missing_ok=True)
    elif digest(content) != written:
        print(f"{path} was changed since: it is kept")
    elif path == ALERTMANAGER and backup.exists():
        _say(dry_run, f"restore {path}")
        if not dry_run:
            backup.replace(machine.at(path))
    else:
        _say(dry_run, f"remove {path}")
        if not dry_run:
            _remove(machine.at(path))


def _remove(path: Path) -> None:
    path.unlink()
    with suppress(OSError):  # others' files are in it
        path.parent.rmdir()
        path.parent.parent.rmdir()


def _say(dry_run: bool, what: str) -> None:
    print(f"would {what}" if dry_run else f"{what}", flush=True)
