"""What the command that looks at a running Grafana calls a fault."""

import pytest
from grafana_files import ROOT

from grafana.render.faults import Seen, faults

assert ROOT  # `grafana` is found through grafana_files


@pytest.mark.parametrize(
    "text",
    [
        "Calibration curve\nErr",
        "-∞+",
        "No data",
        "29.61 short",
        "0.00 percentunit",
        "arc__failed",
        "Value #A",
        "Computing layout",
    ],
)
def test_what_is_a_fault(text: str) -> None:
    (fault,) = faults(Seen("Title", text))
    assert fault.startswith("Title: ")


def test_a_heatmap_cannot_say_why_it_is_empty() -> None:
    assert faults(Seen("Title", "No data"), heatmap=True) == []


def test_a_failed_query_and_a_cut_header_are_faults() -> None:
    found = faults(Seen("Title", "", failed=True, cut=["Confidence"]))
    assert found == ["Title: a query failed", "Title: cut off: Confidence"]


@pytest.mark.parametrize("text", ["30 sent", "no alert is firing", "2.80 s", "Error budget", "shortly"])
def test_what_is_none(text: str) -> None:
    assert faults(Seen("Title", text)) == []
