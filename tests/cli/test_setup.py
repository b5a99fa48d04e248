"""`setup`: what it changes of a machine, that it does so once, and that nothing is left of it."""

import argparse
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from tools import ROOT, needed

from exporter.cli import main as cli
from exporter.cli import setup_alertmanager, setup_prometheus, setup_receivers, setup_run
from exporter.cli.errors import CommandError
from exporter.cli.export_files import Links
from exporter.cli.setup_alertmanager import Receiver, discord, email, pagerduty, slack, telegram, webhook
from exporter.cli.setup_machine import MANIFEST, File, Machine
from exporter.cli.setup_plan import ALERTMANAGER, ALERTMANAGER_DROP_IN, CONFIG, PROMETHEUS, Wanted
from exporter.config import ConfigError, load

T = TypeVar("T")

SAMPLE = """\
# As a distribution ships it.
global:
  scrape_interval: 15s # of all

alerting:
  alertmanagers:
  - static_configs:
    - targets: ['localhost:9093']

rule_files:
  # - "first.yml"

scrape_configs:
  # A comment.
  - job_name: 'prometheus'

    static_configs:
      - targets: ['localhost:9090']
"""
NOTHING = ""
OTHER_INDENT = (
    "scrape_configs:\n- job_name: node\n  static_configs:\n  - targets: [a]\nrule_files:\n    - mine.yml\n"
)
NO_NEW_LINE = "global: {scrape_interval: 1m}"
OTHERS_JOBS = "scrape_configs:\n  - {job_name: alertmanager}\n  - {job_name: prometheus}\n"
every_file = pytest.mark.parametrize("text", [SAMPLE, NOTHING, OTHER_INDENT, NO_NEW_LINE, OTHERS_JOBS])


@every_file
def test_prometheus_gets_rules_and_jobs_and_keeps_what_is_there(text: str) -> None:
    document = yaml.safe_load(setup_prometheus.edited(text))
    before = yaml.safe_load(text) or {}
    jobs = {job["job_name"] for job in document["scrape_configs"]}
    assert {"tweetbot", "tweetbot-optimizer", "prometheus", "alertmanager"} <= jobs
    assert len(jobs) == len(document["scrape_configs"])
    assert document["alerting"]
    for key in ("scrape_configs", "rule_files"):
        kept = before.get(key) or []
        assert document[key][len(document[key]) - len(kept) :] == kept
    assert document.get("global") == before.get("global")


@every_file
def test_prometheus_again_and_off_again(text: str) -> None:
    once = setup_prometheus.edited(text)
    assert setup_prometheus.edited(once) == once
    assert setup_prometheus.restored(once).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scrape_configs:\n  - job_name: tweetbot\n", "has a job tweetbot of its own"),
        ("rule_files: [a.yml]\n", "cannot be added to"),
        ("rule_files:\n  - a\n - b: [\n", "not valid YAML"),
        ("- a", "not a mapping"),
    ],
)
def test_a_prometheus_yml_that_cannot_be_added_to_is_left_alone(text: str, expected: str) -> None:
    with pytest.raises(CommandError, match=expected):
        setup_prometheus.edited(text)


SHIPPED = (ROOT / "rules" / "alertmanager.yml").read_text("utf-8")


@pytest.mark.parametrize(
    "receiver",
    [
        telegram("1:a", -100),
        discord("https://discord.com/api/webhooks/1/a"),
        slack("https://hooks.slack.com/services/a"),
        pagerduty("a" * 32),
        email("me@example.org", "bot@example.org", "smtp.example.org:587", ("bot", "secret")),
        email("me@example.org", "bot@example.org", "localhost:25"),
        webhook("http://a/b"),
    ],
    ids=lambda receiver: receiver.about,
)
@pytest.mark.parametrize("watchdog_url", [None, "https://hc/1"])
def test_alertmanager_takes_it_and_pages_go_there(
    receiver: Receiver, watchdog_url: str | None, tmp_path: Path
) -> None:
    text = setup_alertmanager.configured(SHIPPED, receiver, watchdog_url)
    # The templates are elsewhere on this machine.
    path = tmp_path / "alertmanager.yml"
    path.write_text(text.replace("/etc/prometheus/tweetbot", str(ROOT / "rules")))
    subprocess.run([needed("amtool"), "check-config", path], check=True, capture_output=True)
    receivers = {each.pop("name"): each for each in yaml.safe_load(text)["receivers"]}
    assert receivers["page"] == receivers["ticket"]
    ((settings,),) = receivers["page"].values()
    assert receiver.settings.items() <= settings.items()
    assert settings["send_resolved"] is True
    assert "_file" not in str(settings), "there is no such file"
    assert bool(receivers["watchdog"]) is (watchdog_url is not None)
    assert setup_alertmanager.is_ours(text)


@dataclass(frozen=True, slots=True)
class FakeMachine(Machine):
    """Its commands are only written down. `refused` are those that fail, by their first words."""

    commands: list[str] = field(default_factory=list)
    refused: tuple[str, ...] = ()

    def run(self, *command: str) -> str:
        line = " ".join(command)
        self.commands.append(line)
        if line.startswith(self.refused):
            raise CommandError(f"`{line}` failed")
        return ""

    def give(self, path: Path, group: str) -> None:
        """As root owns nothing here."""

    def has(self, program: str) -> bool:
        return True

    def snapshot(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    result = FakeMachine(tmp_path / "root")
    for path, text in ((PROMETHEUS, SAMPLE), (ALERTMANAGER, "")):
        result.at(path).parent.mkdir(parents=True, exist_ok=True)
        result.at(path).write_text(text)
    return result


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    receiver = webhook("http://localhost:1/")
    return Wanted(
        tmp_path / "bot.db", None, None, "/opt/tweetbot-exporter/bin/tweetbot-exporter", Links(), receiver
    )


def test_a_dry_run_changes_nothing(
    machine: FakeMachine, wanted: Wanted, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.snapshot()
    setup_run.install(machine, wanted, dry_run=True)
    assert machine.snapshot() == before
    assert f"would change {PROMETHEUS}\n" in capsys.readouterr().out


def test_once_again_and_off_again(
    machine: FakeMachine, wanted: Wanted, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.snapshot()
    setup_run.install(machine, wanted, dry_run=False)
    installed = machine.snapshot()
    assert load(machine.at(CONFIG), {}).database.path == wanted.database
    assert machine.at(ALERTMANAGER).stat().st_mode & 0o777 == 0o640
    assert any(command.startswith("promtool check config ") for command in machine.commands)
    assert any(command.startswith("amtool check-config ") for command in machine.commands)

    setup_run.install(machine, wanted, dry_run=False)
    assert machine.snapshot() == installed
    assert "All files are in place." in capsys.readouterr().out

    setup_run.uninstall(machine, dry_run=False)
    assert machine.snapshot() == before


def test_what_promtool_refuses_is_not_put_in_place(machine: FakeMachine, wanted: Wanted) -> None:
    strict = FakeMachine(machine.root, refused=("promtool",))
    with pytest.raises(CommandError, match="promtool"):
        setup_run.install(strict, wanted, dry_run=False)
    assert machine.at(PROMETHEUS).read_text() == SAMPLE
    setup_run.uninstall(machine, dry_run=False)
    assert machine.at(PROMETHEUS).read_text() == SAMPLE


def test_an_alertmanager_yml_of_the_users_is_not_replaced(machine: FakeMachine, wanted: Wanted) -> None:
    machine.at(ALERTMANAGER).write_text("route: {receiver: me}\n")
    with pytest.raises(CommandError, match="is yours and is not replaced"):
        setup_run.install(DebianMachine(machine.root), wanted, dry_run=False)
    assert machine.at(ALERTMANAGER).read_text() == "route: {receiver: me}\n"


@dataclass(frozen=True, slots=True)
class InterruptedMachine(FakeMachine):
    """Ctrl-C is pressed when the file at `path` is to be written, or has been."""

    path: str = ""
    is_written: bool = False

    def write(self, file: File) -> None:
        if file.path != self.path or self.is_written:
            FakeMachine.write(self, file)
        if file.path == self.path:
            raise KeyboardInterrupt


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("path", [MANIFEST, CONFIG, PROMETHEUS, ALERTMANAGER, ALERTMANAGER_DROP_IN])
def test_wherever_it_is_interrupted_it_can_be_taken_off(
    machine: FakeMachine, wanted: Wanted, path: str, is_written: bool
) -> None:
    before = machine.snapshot()
    interrupted = InterruptedMachine(machine.root, path=path, is_written=is_written)
    with pytest.raises(KeyboardInterrupt):
        setup_run.install(interrupted, wanted, dry_run=False)
    setup_run.uninstall(machine, dry_run=False)
    assert machine.snapshot() == before


def test_an_interrupted_run_goes_on(
    machine: FakeMachine, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the services have not read yet is read, though the files are there."""
    machine.at("/run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr(setup_run, "_await_exporter", lambda: None)

    def commands(refused: tuple[str, ...] = ()) -> list[str]:
        run = FakeMachine(machine.root, refused=refused)
        with suppress(CommandError):
            setup_run.install(run, wanted, dry_run=False)
        assert all(
            f"systemctl reset-failed {each.split()[-1]}" in run.commands
            for each in run.commands
            if "restart" in each
        )
        return [each for each in run.commands if "reload" in each or "restart" in each]

    restarted = [
        "systemctl daemon-reload",
        "systemctl restart prometheus-alertmanager",
        "systemctl restart tweetbot-exporter.service",
    ]
    assert commands(refused=("systemctl daemon-reload",)) == restarted[:1]
    assert commands() == restarted
    assert commands() == []


FAR_FUTURE = "Fri 2999-12-27 00:00:00 UTC"


@dataclass(frozen=True, slots=True)
class RunningMachine(FakeMachine):
    """All services run. `started` is what systemd says of the exporter's starts, the last one of which counts."""

    started: list[str] = field(default_factory=list)

    def run(self, *command: str) -> str:
        FakeMachine.run(self, *command)
        if command[:2] == ("systemctl", "restart"):
            self.started.append(FAR_FUTURE)
        return f"{self.started[-1]}\n" if command[:4] == ("env", "TZ=UTC", "systemctl", "show") else ""


@pytest.mark.parametrize(
    ("started", "restarts"), [("Thu 1970-01-01 00:00:01 UTC", 1), (FAR_FUTURE, 0), ("", 0)]
)
def test_an_exporter_older_than_the_installed_program_is_restarted_once(
    machine: FakeMachine, wanted: Wanted, monkeypatch: pytest.MonkeyPatch, started: str, restarts: int
) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr(setup_run, "_await_exporter", lambda: None)
    setup_run.install(machine, wanted, dry_run=False)

    restart = "systemctl restart tweetbot-exporter.service"
    running = RunningMachine(machine.root, started=[started])
    setup_run.install(running, wanted, dry_run=True)
    assert restart not in running.commands
    for _ in range(2):
        setup_run.install(running, wanted, dry_run=False)
    assert running.commands.count(restart) == restarts


@dataclass(frozen=True, slots=True)
class DebianMachine(FakeMachine):
    """Answers as dpkg-query and md5sum do."""

    def run(self, *command: str) -> str:
        if command[0] == "dpkg-query":
            return f" {ALERTMANAGER} 0123\n /etc/default/prometheus-alertmanager 4567\n"
        return "89ab  file\n" if command[0] == "md5sum" else ""


def test_what_the_user_changed_is_kept(
    machine: FakeMachine, wanted: Wanted, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_run.install(machine, wanted, dry_run=False)
    machine.at(CONFIG).write_text("database: {path: other.db}\n")
    setup_run.install(machine, wanted, dry_run=False)
    assert machine.at(CONFIG).read_text() == "database: {path: other.db}\n"
    setup_run.uninstall(machine, dry_run=False)
    assert machine.at(CONFIG).exists()
    assert f"{CONFIG} was changed since: it is kept" in capsys.readouterr().out


def test_a_threshold_that_the_users_file_does_not_have_is_named(
    machine: FakeMachine, wanted: Wanted, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_run.install(machine, wanted, dry_run=False)
    assert "never fire" not in capsys.readouterr().out
    thresholds = machine.at("/etc/prometheus/tweetbot/thresholds.yml")
    text = thresholds.read_text()
    (name, *_) = re.findall(r"^ +- record: (\S+)", text, re.MULTILINE)
    thresholds.write_text(text.replace(f"- record: {name}", "- record: mine"))
    setup_run.install(machine, wanted, dry_run=False)
    assert f"thresholds.yml has no {name}: alerts that need it never fire" in capsys.readouterr().out


def test_grafana_is_provisioned_where_there_is_one(machine: FakeMachine, wanted: Wanted) -> None:
    machine.at("/etc/grafana/provisioning").mkdir(parents=True)
    setup_run.install(machine, wanted, dry_run=False)
    (provider,) = yaml.safe_load(machine.at("/etc/grafana/provisioning/dashboards/tweetbot.yml").read_text())[
        "providers"
    ]
    shown = {path.name for path in machine.at(provider["options"]["path"]).glob("*.json")}
    assert shown == {path.name for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    (source,) = yaml.safe_load(machine.at("/etc/grafana/provisioning/datasources/tweetbot.yml").read_text())[
        "datasources"
    ]
    assert (source["url"], source["isDefault"]) == ("http://localhost:9090", False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--database.path is needed"),
        (
            ["--database.path=x"],
            "a receiver, such as --telegram-token-file or --email-to, or --keep-alertmanager, is needed",
        ),
        (
            ["--database.path=x", "--telegram-token-file=/dev/null"],
            "/dev/null (--telegram-token-file) is not a regular file",
        ),
        (
            ["--database.path=x", "--slack-webhook-file=missing"],
            "missing (--slack-webhook-file) does not exist",
        ),
        (["--database.path=x", "--email-to=me@example.org"], "--email-smarthost is needed"),
        (
            ["--database.path=x", "--email-to=me@example.org", "--email-smarthost=localhost"],
            "--email-smarthost: must be HOST:PORT",
        ),
        (["--database.path=x", "--telegram-chat=me"], "--telegram-chat: invalid int value"),
        (["--database.path=/", "--keep-alertmanager"], "/ is a directory; name the bot's SQLite file in it"),
        (["--database.path=/etc/passwd", "--keep-alertmanager"], "/etc/passwd is not an SQLite file"),
        (["--database.path=x", "--user=nobody-here", "--keep-alertmanager"], "there is no user"),
        (["--database.path=x", "--webhook-url=localhost"], "--webhook-url: must be an address"),
    ],
)
def test_what_is_missing_is_named(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = cli.main(["setup", "--dry-run", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert expected in capsys.readouterr().err


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    setup_receivers.add_flags(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "secret", "expected"),
    [
        (["--telegram-token-file=FILE", "--telegram-chat=-100"], "1:secret", ("telegram", "bot_token")),
        (["--discord-webhook-file=FILE"], "https://example.org/secret", ("discord", "webhook_url")),
        (["--slack-webhook-file=FILE"], "https://example.org/secret", ("slack", "api_url")),
        (["--pagerduty-key-file=FILE"], "secret", ("pagerduty", "routing_key")),
        (
            ["--email-to=me@example.org", "--email-smarthost=localhost:25", "--email-password-file=FILE"],
            "secret",
            ("email", "auth_password"),
        ),
    ],
)
def test_the_secret_of_each_receiver_comes_from_a_file(
    arguments: list[str], secret: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text(f"{secret}\n")
    given = parsed(*(each.replace("FILE", str(file)) for each in arguments))
    receiver = setup_receivers.chosen(given, refuse)
    name, key = expected
    assert (receiver.name, receiver.settings[key]) == (name, secret)
    assert "secret" not in receiver.about


def refuse(what: str, flag: str, parse: Callable[[str], T], *, secret: bool = False) -> T:
    raise AssertionError(f"asks for {flag}")


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--discord-webhook-file", "must hold the webhook's address"),
        ("--telegram-token-file", "the token of a Telegram bot is a number, a colon and letters"),
    ],
)
def test_a_file_without_what_it_is_to_hold_is_refused_without_its_content(
    flag: str, expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("hush")
    with pytest.raises(ConfigError, match=expected) as error:
        setup_receivers.chosen(parsed(f"{flag}={file}"), refuse)
    assert "hush" not in str(error.value)


def test_only_root_may(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.main(["setup", "--database.path=x", "--keep-alertmanager"]) == 1
    assert "run it as root, or with --dry-run" in capsys.readouterr().err


def test_the_unit_is_in_the_group_that_reads_the_file(machine: FakeMachine, wanted: Wanted) -> None:
    drop_in = machine.at("/etc/systemd/system/tweetbot-exporter.service.d/setup.conf")
    wanted.database.touch(0o640)
    setup_run.install(machine, wanted, dry_run=False)
    group = wanted.database.group()
    assert drop_in.read_text().endswith(f"\nSupplementaryGroups=\nSupplementaryGroups={group}\n")
    (check, start) = (each for each in machine.commands if each.startswith("setpriv "))
    assert check == f"setpriv --reuid=65534 --regid=65534 --groups={group} test -r {wanted.database}"
    assert start.endswith(f" --groups={group} {wanted.program} --version")
    wanted.database.chmod(0o644)
    setup_run.install(machine, wanted, dry_run=False)
    assert drop_in.read_text().endswith("\nSupplementaryGroups=\n")


@pytest.mark.parametrize(
    ("refused", "expected"),
    [("test -r", "may not read .*--user"), ("--version", "may not run .*outside of home")],
)
def test_who_may_not_read_or_run_is_told_before_anything_is_written(
    machine: FakeMachine, wanted: Wanted, refused: str, expected: str
) -> None:
    wanted.database.touch()

    class Closed(FakeMachine):
        def run(self, *command: str) -> str:
            if refused in " ".join(command):
                raise CommandError("no")
            return ""

    before = machine.snapshot()
    with pytest.raises(CommandError, match=expected):
        setup_run.install(Closed(machine.root), wanted, dry_run=False)
    assert machine.snapshot() == before


def test_a_user_of_the_users_choice(machine: FakeMachine, wanted: Wanted) -> None:
    wanted.database.touch()
    with pytest.raises(ConfigError, match="there is no user 'nobody-here'"):
        setup_run.install(machine, replace(wanted, user="nobody-here"), dry_run=False)
    setup_run.install(machine, replace(wanted, user="daemon"), dry_run=False)
    text = machine.at("/etc/systemd/system/tweetbot-exporter.service.d/setup.conf").read_text()
    assert text.endswith("\nDynamicUser=no\nUser=daemon\n")
