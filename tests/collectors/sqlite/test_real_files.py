"""The files of real bots, where they are there."""

from pathlib import Path

import pytest
from oracle.page import difference
from tools import NO_REAL_DATA, REAL_DATA

from exporter.config import Config

from .harness import expected_of, fresh_samples

AFTER_ALL = 1795852800.0
"""2026-11-28: no row of theirs is ahead of that clock."""
FILES = sorted(REAL_DATA.glob("*.db"))


@pytest.mark.skipif(not FILES, reason=NO_REAL_DATA)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_page_is_what_the_oracle_says(path: Path) -> None:
    page = await fresh_samples(path, now=AFTER_ALL)
    assert difference(page, expected_of(path, Config(), AFTER_ALL)) == []
