"""docs/faults.md: each fault has a test, and the test is there."""

import re

import pytest
from tools import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "faults.md").read_text("utf-8").partition("## Figures")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| fault", "| ---"))
]


def test_there_are_many() -> None:
    assert len(ROWS) >= 60
    assert len({row[0] for row in ROWS}) == len(ROWS)
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_its_test_is_there(row: list[str]) -> None:
    path, _, name = row[3].partition("::")
    found = re.escape(f"test('{name}'") if path.endswith(".mjs") else rf"def {re.escape(name)}\("
    assert re.search(found, (ROOT / path).read_text("utf-8"))
