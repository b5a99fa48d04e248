"""Each bottleneck is whole, is in the list, and is known wherever people read of it."""

import re
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest
from series import ROOT

from exporter.optimizer import bottlenecks
from exporter.optimizer.bottlenecks import BOTTLENECKS
from exporter.optimizer.bottlenecks.base import Bottleneck

SHARED = {"__init__", "base"}
SEVERITIES = ["low", "medium", "high", "critical"]
EVERY = pytest.mark.parametrize("bottleneck", BOTTLENECKS, ids=lambda each: each.name)


def test_every_file_is_in_the_list() -> None:
    files = {path.stem for path in Path(bottlenecks.__file__).parent.glob("*.py")}
    assert sorted(each.name for each in BOTTLENECKS) == sorted(files - SHARED)
    assert files > SHARED


def test_nothing_is_shared_that_tells_them_apart() -> None:
    alerts = [each.rules.alert for each in BOTTLENECKS]
    thresholds = [threshold.series for each in BOTTLENECKS for threshold in each.thresholds]
    assert max(Counter(alerts + thresholds).values()) == 1


@EVERY
def test_thresholds(bottleneck: Bottleneck) -> None:
    ranks = [SEVERITIES.index(threshold.severity) for threshold in bottleneck.thresholds]
    assert ranks
    assert ranks == sorted(set(ranks)), "the mildest first"
    for threshold in bottleneck.thresholds:
        assert (threshold.lasting is not None) == (threshold.severity == "high")


@EVERY
def test_texts(bottleneck: Bottleneck) -> None:
    assert fields(bottleneck.finding) == {"target", "limit", "impact"}
    assert re.fullmatch(r"[a-z][^.]+", bottleneck.advice)
    assert bottleneck.suggested_fix.lower() == f"{bottleneck.advice.lower()}."
    who = {"agent", "bot"} if bottleneck.scope == "agent" else {"bot"}
    for threshold in bottleneck.thresholds:
        for text in filter(None, (threshold.alert, threshold.lasting)):
            assert fields(text.description) == who | {"value", "threshold"}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@EVERY
def test_the_page_about_the_optimizer_names_it(bottleneck: Bottleneck) -> None:
    assert f"| `{bottleneck.name}` |" in (ROOT / "docs" / "optimizer.md").read_text()
