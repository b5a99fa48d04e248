"""Declared families are written as prometheus-client writes them, byte by byte, and not by it."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Timestamp
from structlog.testing import capture_logs

from exporter.metrics import catalogue, exposition, fallback
from exporter.metrics.catalogue import FAMILIES, Family
from exporter.metrics.exposition import OPENMETRICS, TEXT, Format, encode
from exporter.metrics.samples import FamilySnapshot, HistogramValue, Row

from .families import by_client, declared_families, families, metric_of, rows

formats = st.sampled_from([TEXT, OPENMETRICS])
BUCKETS = len(catalogue.EXECUTION_DURATION.buckets) + 1


@pytest.fixture
def fallen_back(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often prometheus-client was asked to write a family, by the family's name."""
    counted: Counter[str] = Counter()
    real = fallback.encode_by_client

    def counting(metric: Metric, write: Callable[[Collector], bytes]) -> bytes:
        counted[metric.name] += 1
        return real(metric, write)

    monkeypatch.setattr(exposition, "encode_by_client", counting)
    return counted


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(declared_families, formats, st.data())
def test_the_catalogues_families_are_written_without_the_client(
    fallen_back: Counter[str], family: Family, chosen: Format, data: st.DataObject
) -> None:
    drawn = data.draw(rows(family))
    assert encode([FamilySnapshot(family, drawn)], chosen) == by_client([metric_of(family, drawn)], chosen)
    assert not fallen_back


@settings(max_examples=400)
@given(families, formats, st.data())
def test_any_familys_bytes_are_the_clients(family: Family, chosen: Format, data: st.DataObject) -> None:
    assume(family.name not in ("_total", "_info"))
    drawn = data.draw(rows(family))
    assert encode([FamilySnapshot(family, drawn)], chosen) == by_client([metric_of(family, drawn)], chosen)
    event("declared" if family in FAMILIES else "odd")


@pytest.mark.parametrize("chosen", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("odd", ["9x", "x y", "ü", "x\n"])
def test_odd_names_are_left_to_the_client(fallen_back: Counter[str], chosen: Format, odd: str) -> None:
    named, labelled = Family(odd, "gauge", "H.", (), (), "x"), Family("x", "gauge", "H.", (odd,), (), "x")
    encode([FamilySnapshot(named, (((), 1.0),)), FamilySnapshot(labelled, ((("a",), 1.0),))], chosen)
    assert fallen_back == {odd: 1, "x": 1}


@pytest.mark.parametrize("chosen", [TEXT, OPENMETRICS])
@pytest.mark.parametrize(
    ("family", "row"),
    [
        (catalogue.EXECUTIONS, (("\ud800", "scan"), 1)),
        (catalogue.EXECUTIONS, ((None, "scan"), 1)),
        (catalogue.EXECUTIONS, (("a", "scan"), "many")),
        (catalogue.EXECUTIONS, (("a",), 1)),
        (catalogue.EXECUTIONS, (("a", "b", "c"), 1)),
        (catalogue.EXECUTION_DURATION, (("a", "scan"), HistogramValue([1] * (BUCKETS - 1), 1.0))),
        (catalogue.EXECUTION_DURATION, (("a", "scan"), HistogramValue([1] * (BUCKETS + 1), 1.0))),
        (catalogue.EXECUTION_DURATION, (("a", "scan"), HistogramValue(["x"] * BUCKETS, 1.0))),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_written_costs_only_its_family(family: Family, row: Row, chosen: Format) -> None:
    good = FamilySnapshot(catalogue.PORTFOLIO_GROWTH, (((), 0.5),))
    with capture_logs() as logged:
        page = encode([good, FamilySnapshot(family, (row,)), good], chosen)
    assert page == encode([good, good], chosen)
    name = FamilySnapshot(family, ()).name
    assert [(event["log_level"], event["family"]) for event in logged] == [("error", name)]


@pytest.mark.parametrize(
    ("exemplar", "text"),
    [
        (Exemplar({"execution_id": "4"}, 0.25), '# {execution_id="4"} 0.25'),
        (Exemplar({"execution_id": "4"}, 2e6, 1.5e9), '# {execution_id="4"} 2e+06 1500000000.0'),
        (Exemplar({"b": 'q"', "a": "\n"}, 1, Timestamp(5, 7)), r'# {a="\n",b="q\""} 1.0 5.000000007'),
        (Exemplar({}, float("nan"), 3), "# {} NaN 3"),
    ],
)
def test_exemplars_stand_behind_their_bucket_in_openmetrics_alone(
    fallen_back: Counter[str], exemplar: Exemplar, text: str
) -> None:
    value = HistogramValue([1] * BUCKETS, 2.5, {1: exemplar})
    snapshot = FamilySnapshot(catalogue.EXECUTION_DURATION, ((("a", "scan"), value),))
    lines = encode([snapshot], OPENMETRICS).decode().splitlines()
    assert [line for line in lines if "} 1.0 # " in line] == [
        f'tweetbot_execution_duration_seconds_bucket{{agent="a",execution_type="scan",le="0.1"}} 1.0 {text}'
    ]
    assert b" # " not in encode([snapshot], TEXT)
    assert not fallen_back
