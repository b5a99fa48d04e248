"""docker-compose.yml: valid, and as careful as docs/stack.md says. No Docker is needed."""

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from stackfiles import ACT, COMPOSE, ROOT, SECRETS, SERVICES, STACK, filled, lay_out, load, mounts
from tools import needed

from exporter import __version__
from exporter.cli import main as cli
from exporter.config import load as load_config
from exporter.demo.__main__ import parser as demo_parser

every_service = pytest.mark.parametrize("name", SERVICES)
OURS = {name for name, service in SERVICES.items() if service.get("build")}


@pytest.mark.parametrize("path", [COMPOSE, ACT], ids=lambda path: path.name)
def test_schema(path: Path) -> None:
    program = needed("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_runs_when() -> None:
    assert {name: service.get("profiles", []) for name, service in SERVICES.items()} == {
        "exporter": [],
        "prometheus": [],
        "alertmanager": [],
        "grafana": [],
        "demo-bot": ["demo"],
        "optimizer": ["optimizer"],
    }


@every_service
def test_images_are_pinned(name: str) -> None:
    repository, _, tag = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)
    if name in OURS:
        assert (repository, tag) == ("tweetbot-exporter", __version__)


@every_service
def test_ports_are_on_loopback(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@every_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)
    assert service.get("network_mode", "service:exporter") == "service:exporter"
    assert not filled(service.get("user", "65532")).startswith(("0", "root"))


@every_service
def test_secrets_are_files_that_are_not_in_the_repository(name: str) -> None:
    service = SERVICES[name]
    for key in service.get("environment", {}):
        assert key.endswith("__FILE") or not re.search("PASSWORD|TOKEN|SECRET|KEY", key)
    assert set(service.get("secrets", [])) <= set(STACK["secrets"])


def test_every_secret_is_used_and_ignored_by_git() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(STACK["secrets"])
    assert all(secret["file"].startswith(SECRETS) for secret in STACK["secrets"].values())
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


@every_service
def test_what_is_mounted_is_there(name: str) -> None:
    targets = {mount.target: mount for mount in mounts(name)}
    for mount in targets.values():
        if mount.host is not None:
            assert mount.host.exists(), mount
        elif not mount.source.startswith(SECRETS):
            assert mount.source in STACK["volumes"], mount
        if mount.source.startswith("./"):
            assert mount.mode == "ro", mount
        for parent in PurePosixPath(mount.target).parents:
            outer = targets.get(str(parent))
            if outer and outer.host:  # a read-only mount cannot get a new folder for another one
                inside = PurePosixPath(mount.target).relative_to(parent)
                assert (outer.host / inside).exists(), f"{mount.target} has no place in {parent}"


def test_every_volume_is_used() -> None:
    assert {mount.source for name in SERVICES for mount in mounts(name)} >= set(STACK["volumes"])


@every_service
def test_files_named_on_the_command_line_are_mounted(name: str, tmp_path: Path) -> None:
    laid_out = lay_out(name, tmp_path)
    for argument in SERVICES[name].get("command", []):
        option, _, path = argument.partition("=")
        if option == "--config.file":
            assert (laid_out / path.lstrip("/")).is_file(), path
        elif path.startswith("/"):
            assert path in {mount.target for mount in mounts(name) if mount.mode == "rw"}, path


def test_the_bots_directory_is_mounted_and_not_its_file() -> None:
    config = load_config(ROOT / "deploy" / "compose" / "config.yml", {})
    (bot,) = (mount for mount in mounts("exporter") if mount.target == "/bot")
    assert bot.mode == "ro"
    assert config.database.path is not None
    assert config.database.path.parent == Path(bot.target)
    assert "${TWEETBOT_DATABASE_DIR:-bot-data}:/bot:ro" in SERVICES["exporter"]["volumes"]


def test_the_demo_is_where_the_exporter_looks() -> None:
    config = load_config(ROOT / "deploy" / "compose" / "config.yml", {})
    demo = demo_parser().parse_args([filled(argument) for argument in SERVICES["demo-bot"]["command"]])
    assert SERVICES["demo-bot"]["network_mode"] == "service:exporter"
    assert config.bridge.url == f"http://127.0.0.1:{demo.state_port}/state"
    assert demo.directory == config.database.path.parent  # type: ignore[union-attr]
    assert mounts("demo-bot")[0].source == "bot-data"


def test_the_optimizer_only_observes_until_it_is_told_to_act() -> None:
    config = load_config(ROOT / "deploy" / "compose" / "config.yml", {}).optimizer
    assert config.mode == "observe"
    assert config.bot == load(ROOT / "deploy" / "compose" / "targets" / "tweetbot.yml")[0]["labels"]["bot"]
    assert config.prometheus_url == "http://prometheus:9090"
    assert str(config.token_file) == f"/run/secrets/{SERVICES['optimizer']['secrets'][0]}"
    assert mounts("optimizer")[1].target == str(config.ledger.parent)
    assert mounts("optimizer")[1].mode == "rw"
    published = {port.rpartition(":")[2] for port in SERVICES["exporter"]["ports"]}
    assert config.listen_addresses[0].removeprefix(":") in published


def test_acting_is_asked_for_in_a_file_of_its_own() -> None:
    """deploy/compose/act.yml changes commands and adds the token of the bridge's actions, and nothing else."""
    more = load(ACT)
    assert {name: set(service) for name, service in more["services"].items()} == {
        "demo-bot": {"command", "secrets"},
        "optimizer": {"command", "secrets"},
    }
    assert list(more["secrets"]) == ["actions-token"]
    token = "/run/secrets/actions-token"
    demo = demo_parser().parse_args([filled(part) for part in more["services"]["demo-bot"]["command"]])
    assert str(demo.actions_token_file) == token
    usual = demo_parser().parse_args([filled(part) for part in SERVICES["demo-bot"]["command"]])
    assert usual.actions_token_file is None
    assert (demo.directory, demo.state_port) == (usual.directory, usual.state_port)
    config = load_config(ROOT / "deploy" / "compose" / "config.yml", {}).optimizer
    assert str(config.actions_token_file) == token
    assert more["secrets"]["actions-token"]["file"] != STACK["secrets"]["optimizer-token"]["file"]
    command = [*SERVICES["optimizer"]["command"], "--optimizer.mode=act"]
    assert more["services"]["optimizer"]["command"] == command


def test_commands_are_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """Their file is not here: they are refused for that, and for nothing else."""
    for arguments in (SERVICES["optimizer"]["command"], load(ACT)["services"]["optimizer"]["command"]):
        assert cli.main(arguments) == 2
        assert "/etc/tweetbot-exporter/config.yml" in capsys.readouterr().err


def healthcheck_port(service: dict[str, Any]) -> str:
    (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)/-/healthy", str(service["healthcheck"]["test"]))
    return str(port)


def test_the_optimizers_health_is_asked_of_the_optimizer() -> None:
    assert healthcheck_port(SERVICES["optimizer"]) == "9466"
