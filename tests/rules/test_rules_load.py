"""The tools that Prometheus and Alertmanager bring: do the files load, do the rules do what they should?"""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rulefiles import ROOT, RULE_FILES, RULES, UNIT_TESTS, groups_of, load
from tools import needed

from exporter.config import Optimizer

PINT = shutil.which("pint")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_pass_every_lint() -> None:
    run(needed("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.skipif(
    PINT is None, reason="pint, which is built from its repository, is not beside this checkout"
)
def test_pint_finds_nothing() -> None:
    """Without a Prometheus to ask; .pint.hcl says what it need not look for."""
    run(PINT or "", "--no-color", "--offline", "lint", "--min-severity=info", "--fail-on=info", "rules")


def test_prometheus_configuration() -> None:
    output = run(needed("promtool"), "check", "config", RULES / "prometheus.yml")
    assert output.count("rules found") == len(RULE_FILES), "prometheus.yml does not load every rule file"


def test_alertmanager_configuration() -> None:
    run(needed("amtool"), "check-config", RULES / "alertmanager.yml")


def test_no_optimizer_is_scraped_until_one_is_written_down() -> None:
    path = RULES / "targets" / "optimizer.yml"
    assert load(path) == []
    example = "".join(line[4:] for line in path.read_text().splitlines(keepends=True) if line[:4] == "#   ")
    (target,) = yaml.safe_load(example)
    (bot,) = load(RULES / "targets" / "tweetbot.yml")
    assert target["labels"] == bot["labels"]
    assert target["targets"][0].rpartition(":")[2] == Optimizer().listen_addresses[0].rpartition(":")[2]


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_unit_tests(path: Path) -> None:
    run(needed("promtool"), "test", "rules", path)


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: str(path.relative_to(RULES)))
def test_every_rule_file_has_a_test_file(path: Path) -> None:
    name = "_".join(path.relative_to(RULES).with_suffix("").parts)
    assert RULES / "tests" / f"{name}_test.yml" in UNIT_TESTS


def test_every_test_file_is_run() -> None:
    assert sorted((RULES / "tests").iterdir()) == UNIT_TESTS


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_order_of_groups_is_given(path: Path) -> None:
    """Without it promtool evaluates groups in any order, and a test fails now and then."""
    document = load(path)
    files = [file for pattern in document["rule_files"] for file in (RULES / "tests").glob(pattern)]
    loaded = {group["name"] for file in files for group in groups_of(file)}
    assert set(document["group_eval_order"]) == loaded
