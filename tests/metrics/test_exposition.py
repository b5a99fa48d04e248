"""The page: what is written can be read by independent parsers."""

import pytest
from prometheus_client import exposition as text_format
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample
from structlog.testing import capture_logs

from exporter.metrics import catalogue
from exporter.metrics.exposition import (
    OPENMETRICS,
    OPENMETRICS_DRAFT,
    TEXT,
    Format,
    encode,
)
from exporter.metrics.samples import HistogramValue, Samples

FORMATS = [TEXT, OPENMETRICS, OPENMETRICS_DRAFT]


def page_metrics(exemplar: Exemplar | None = None) -> list[Metric]:
    samples = Samples()
    samples.add(catalogue.EXECUTIONS, 3, 'a "quoted" \\ name\n', "scan")
    samples.add(catalogue.EXECUTIONS, 12_345_678, "é 中", "scan")
    samples.add(catalogue.PORTFOLIO_GROWTH, -0.05)
    samples.add(catalogue.BUILD_INFO, 1, "1.2.3", "3.11")
    exemplars = {2: exemplar} if exemplar else {}
    counts = (0, 0, 5, 5, 5, 5, 5, 5, 5, 5, 6)
    samples.add(catalogue.EXECUTION_DURATION, HistogramValue(counts, 12.5, exemplars), "a", "scan")
    return samples.metrics()


def parse_openmetrics(page: str) -> list[Metric]:
    return list(openmetrics_parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]


def values(metrics: list[Metric]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_the_text_page_says_what_was_given() -> None:
    page = encode(page_metrics(), TEXT).decode()
    assert values(list(parse_text(page))) == values(page_metrics())
    assert "# TYPE tweetbot_executions_total counter\n" in page
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("chosen", [OPENMETRICS, OPENMETRICS_DRAFT])
def test_the_openmetrics_page_says_what_was_given(chosen: Format) -> None:
    exemplar = Exemplar({"execution_id": "42"}, 0.2, 1.5e9)
    page = encode(page_metrics(exemplar), chosen).decode()
    parsed = parse_openmetrics(page)
    assert values(parsed) == values(page_metrics())
    (read,) = [sample.exemplar for metric in parsed for sample in metric.samples if sample.exemplar]
    assert (read.labels, read.value) == ({"execution_id": "42"}, 0.2)
    assert page.endswith("# EOF\n")
    assert chosen.content_type == f"application/openmetrics-text; version={chosen.version}; charset=utf-8"


def every_family() -> list[Metric]:
    samples = Samples()
    for family in catalogue.FAMILIES:
        labels = [f"value of {label}" for label in family.labels]
        if family.kind == "histogram":
            samples.add(family, HistogramValue([1] * (len(family.buckets) + 1), 1.5), *labels)
        else:
            samples.add(family, 1.0, *labels)
    return samples.metrics()


def test_the_pages_are_those_of_the_client_library_byte_by_byte() -> None:
    class Registry(Collector):
        def collect(self) -> list[Metric]:
            return every_family()

    assert encode(every_family(), TEXT) == text_format.generate_latest(Registry())
    expected: bytes = openmetrics.generate_latest(Registry())  # type: ignore[no-untyped-call]
    assert encode(every_family(), OPENMETRICS) == expected


def test_every_family_is_openmetrics() -> None:
    """Also the one histogram with bounds below 0, which has neither sum nor count there."""
    parsed = list(parse_openmetrics(encode(every_family(), OPENMETRICS).decode()))
    assert len(parsed) == len(catalogue.FAMILIES)


@pytest.mark.parametrize(("length", "kept"), [(128, True), (129, False)])
def test_an_exemplar_of_over_128_characters_is_dropped_alone(length: int, kept: bool) -> None:
    label = "execution_id"
    metrics = page_metrics(Exemplar({label: "é" * (length - len(label))}, 0.2))
    page = encode(metrics, OPENMETRICS).decode()
    assert (" # {" in page) is kept
    assert values(parse_openmetrics(page)) == values(page_metrics())
    # What was given belongs to the source and is not changed.
    assert any(sample.exemplar for metric in metrics for sample in metric.samples)


def test_an_exemplar_where_none_may_be_is_dropped_alone() -> None:
    gauge = Metric("x", "A gauge.", "gauge")
    gauge.samples = [Sample("x", {}, 1.0, None, Exemplar({"a": "b"}, 1.0))]
    assert encode([gauge], OPENMETRICS) == b"# HELP x A gauge.\n# TYPE x gauge\nx 1.0\n# EOF\n"


@pytest.mark.parametrize("chosen", FORMATS)
@pytest.mark.parametrize(
    "sample",
    [
        Sample("bad", {"a": "\ud800"}, 1.0),
        Sample("bad", {"a": None}, 1.0),  # type: ignore[dict-item]
        Sample("bad", {"a": "b"}, "many"),  # type: ignore[arg-type]
    ],
)
def test_a_family_that_cannot_be_written_costs_only_itself(chosen: Format, sample: Sample) -> None:
    bad = Metric("bad", "Bad.", "gauge")
    bad.samples = [sample]
    first, *rest = page_metrics()
    with capture_logs() as logged:
        page = encode([first, bad, *rest], chosen)
    assert page == encode([first, *rest], chosen)
    assert [(event["log_level"], event["family"]) for event in logged] == [("error", "bad")]


def test_no_families_are_a_page_too() -> None:
    assert [encode([], each) for each in FORMATS] == [b"", b"# EOF\n", b"# EOF\n"]
