"""`export`: what is shipped lands in a directory, complete and with links that lead somewhere."""

import subprocess
from pathlib import Path

import pytest
import yaml
from tools import ROOT, needed

from exporter.cli import main as cli
from exporter.cli.export_files import KINDS, Links
from exporter.config import Config, load


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_rules_load_and_lead_to_the_exporters_own_runbooks(tmp_path: Path) -> None:
    assert cli.main(["export", "rules", str(tmp_path / "new" / "rules")]) == 0
    folder = tmp_path / "new" / "rules"
    subprocess.run(
        [needed("promtool"), "check", "config", folder / "prometheus.yml"], check=True, capture_output=True
    )
    subprocess.run(
        [needed("amtool"), "check-config", folder / "alertmanager.yml"], check=True, capture_output=True
    )
    groups = [
        group for path in folder.glob("alerts/*.yml") for group in yaml.safe_load(path.read_text())["groups"]
    ]
    notes = [rule["annotations"] for group in groups for rule in group["rules"] if "annotations" in rule]
    assert notes
    assert all(note["runbook_url"].startswith(f"{Links().runbooks_url}/") for note in notes)


def test_the_addresses_of_the_user(tmp_path: Path) -> None:
    urls = ["--runbooks-url=https://wiki/runbooks/", "--grafana-url=https://grafana"]
    assert cli.main(["export", "rules", str(tmp_path), *urls]) == 0
    text = "".join(path.read_text() for path in tmp_path.glob("alerts/*.yml"))
    assert "runbook_url: https://wiki/runbooks/Tweetbot" in text
    assert "dashboard_url: https://grafana/d/" in text
    assert "localhost" not in text


def test_the_dashboards_are_all_there(tmp_path: Path) -> None:
    assert cli.main(["export", "dashboards", str(tmp_path)]) == 0
    assert files(tmp_path) == files(ROOT / "grafana" / "dashboards")


def test_the_units_are_all_there(tmp_path: Path) -> None:
    assert cli.main(["export", "units", str(tmp_path)]) == 0
    assert files(tmp_path) == files(ROOT / "deploy" / "systemd")


def test_the_kubernetes_resources_lead_to_the_addresses_of_the_user(tmp_path: Path) -> None:
    assert cli.main(["export", "kubernetes", str(tmp_path), "--grafana-url=https://grafana"]) == 0
    assert files(tmp_path) == files(ROOT / "deploy" / "kubernetes")
    assert "dashboard_url: https://grafana/d/" in (tmp_path / "prometheusrules.yml").read_text()


def test_the_configuration_has_every_key_with_its_default(tmp_path: Path) -> None:
    """Nothing is set until a # is taken away."""
    assert cli.main(["export", "configuration", str(tmp_path)]) == 0
    file = tmp_path / "config.yml"
    assert load(file, {}) == load(None, {})
    head, *lines = file.read_text().splitlines()
    file.write_text("\n".join([head, *(line.removeprefix("#") for line in lines)]))
    document = yaml.safe_load(file.read_text())
    assert {name: set(section) for name, section in document.items()} == {
        name: set(type(getattr(Config(), name)).model_fields) for name in Config.model_fields
    }
    # A relative path is one of the file's folder.
    same = {"optimizer.ledger": tmp_path / "optimizer.db"}
    assert load(file, same) == load(None, same)


def test_what_the_stack_mounts_is_there(tmp_path: Path) -> None:
    assert cli.main(["export", "compose", str(tmp_path)]) == 0
    services = yaml.safe_load((tmp_path / "docker-compose.yml").read_text())["services"]
    mounted = [
        volume.partition(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./") and "secrets" not in volume
    ]
    assert mounted
    assert [path for path in mounted if not (tmp_path / path).exists()] == []
    assert not any("build" in service for service in services.values())


@pytest.mark.parametrize("kind", KINDS)
def test_again_changes_nothing(kind: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert cli.main(["export", kind, str(tmp_path)]) == 0


def test_a_file_of_the_users_is_kept_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "thresholds.yml"
    mine.write_text("mine")
    assert cli.main(["export", "rules", str(tmp_path)]) == 1
    assert f"{mine} is there and differs; --force replaces it" in capsys.readouterr().err
    assert files(tmp_path) == {"thresholds.yml"}
    assert cli.main(["export", "rules", str(tmp_path), "--force"]) == 0
    assert mine.read_bytes() == (ROOT / "rules" / "thresholds.yml").read_bytes()


def test_a_directory_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["export", "rules", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("tweetbot-exporter: error: ")
