"""The declarations, the reference made from them, and a page that shows what they look like."""

import re
import subprocess
from pathlib import Path

import pytest
from golden.page import GOLDEN_PAGE, golden_page
from prometheus_client.parser import text_string_to_metric_families
from tools import ROOT, needed

from exporter.metrics.catalogue import FAMILIES, Family
from exporter.metrics.reference import reference

CONTRACT = ROOT.parent / "shared" / "contract.md"


async def test_golden_page(tmp_path: Path) -> None:
    assert await golden_page(tmp_path) == GOLDEN_PAGE.read_text(), (
        "if the change is meant: scripts/generate page"
    )


def test_golden_page_shows_every_family_of_source_1() -> None:
    shown = {family.name for family in text_string_to_metric_families(GOLDEN_PAGE.read_text())}
    expected = {family.name.removesuffix("_total") for family in FAMILIES if family.collector == "database"}
    assert expected - shown == set()


def test_promtool_finds_nothing_wrong_with_the_golden_page() -> None:
    promtool = needed("promtool")
    page = GOLDEN_PAGE.read_bytes()
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_reference_is_in_step() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == reference()


def test_names_are_unique() -> None:
    names = [family.name for family in FAMILIES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_family_keeps_the_conventions(family: Family) -> None:
    assert re.fullmatch(r"tweetbot_[a-z0-9_]*[a-z0-9]", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert family.name.endswith("_info") == (family.kind == "info")
    assert not re.search(r"percent|milliseconds|_ms(_|$)|_age(_|$)", family.name)
    assert bool(family.buckets) == (family.kind == "histogram")
    assert list(family.buckets) == sorted(set(family.buckets))
    assert not {"le", "type", "env", "instance", "job", "bot"} & set(family.labels)
    assert family.help.endswith(".")


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is not beside this checkout")
def test_every_family_of_the_contract_is_declared() -> None:
    text = CONTRACT.read_text()
    named = set(re.findall(r"tweetbot_[a-z0-9_]+", text)) - {"tweetbot_"}
    # "tweetbot_executions_total · _succeeded_total": a suffix that takes the place of the one before.
    assert len(named) > 80
    assert {name for name in named if name not in {family.name for family in FAMILIES}} == set()
