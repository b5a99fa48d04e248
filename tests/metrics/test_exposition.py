"""The page: which format a client gets, and that what is written can be read by independent parsers."""

import gzip
import itertools
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
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
    accepts_gzip,
    choose_format,
    compress,
    encode,
)
from exporter.metrics.samples import HistogramValue, Samples

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_2_30 = "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    + PROMETHEUS_3
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
FORMATS = [TEXT, OPENMETRICS, OPENMETRICS_DRAFT]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        (BROWSER, TEXT),
        (PROMETHEUS_2_42, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (PROMETHEUS_3_PROTOBUF, OPENMETRICS),
        (PROMETHEUS_2_30, OPENMETRICS_DRAFT),
        ("application/openmetrics-text", OPENMETRICS),
        ("APPLICATION/OpenMetrics-Text ; Version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text;version="1.0.0"', OPENMETRICS),
        ("application/*", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        (
            "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=0.0.1",
            OPENMETRICS_DRAFT,
        ),
        ("application/openmetrics-text;version=x.y", TEXT),
        ("text/plain;version=1.0.0", TEXT),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.1", TEXT),
        ("text/plain;q=0.1,application/openmetrics-text;q=0.9", OPENMETRICS),
        ("text/plain;q=0,*/*", OPENMETRICS),
        ("text/plain;q=0,application/openmetrics-text;version=1.0.0;q=0,*/*;q=0.1", OPENMETRICS_DRAFT),
        ("application/openmetrics-text;q=0", TEXT),
        ("*/*;q=0", TEXT),
        # Equal qualities: what is named before what is meant by a wildcard, then what comes first.
        ("*/*,application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text,text/plain", OPENMETRICS),
        ("text/plain,application/openmetrics-text", TEXT),
        # Nonsense in one item costs that item.
        ("application/openmetrics-text;q=x", TEXT),
        ("application/openmetrics-text;q=2,text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=nan,text/plain", TEXT),
        (',;=,\x00;;q,"', TEXT),
        ('foo/bar;x="a,application/openmetrics-text",text/plain', TEXT),
        (f"{','.join(['a/b'] * 2000)},application/openmetrics-text", OPENMETRICS),
    ],
)
def test_the_client_gets_what_it_ranks_highest(accept: str, expected: Format) -> None:
    assert choose_format(accept) == expected


@given(
    st.text(max_size=200)
    | st.text(alphabet='texplain/*;=,q.019" versionapplication-openmetrics', max_size=200)
)
@example('"' * 5000)
@example(";" * 5000)
def test_no_header_is_refused(header: str) -> None:
    assert choose_format(header) in FORMATS
    assert accepts_gzip(header) in (True, False)


@given(
    st.permutations([(TEXT, 0.2), (OPENMETRICS, 0.5), (OPENMETRICS_DRAFT, 0.8)]),
    st.permutations([0, 0.003, 1]),
)
def test_the_highest_quality_wins_in_any_order(
    order: list[tuple[Format, float]], qualities: list[float]
) -> None:
    ranked = list(zip((offered for offered, _ in order), qualities, strict=True))
    accept = ", ".join(f"{each.media_type}; version={each.version}; q={quality}" for each, quality in ranked)
    assert choose_format(accept) == max(ranked, key=lambda pair: pair[1])[0]


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br", True),
        ("deflate", False),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0,*", False),
        ("*;q=0", False),
        ("identity;q=0, gzip;q=0.1", True),
        ("identity;q=0", False),
        ("identity, gzip", True),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.2, gzip;q=0.5", True),
        ("gzip;q=x", False),
        ("gzipped", False),
    ],
)
def test_gzip_is_used_where_it_is_wanted(accept_encoding: str, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected


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


def test_compression_is_gzip_and_repeatable() -> None:
    page = encode(page_metrics(), TEXT) * 50
    packed = compress(page)
    assert gzip.decompress(packed) == page
    assert zlib.decompress(packed, wbits=31) == page
    assert len(packed) < len(page) / 5
    assert len(set(itertools.islice(iter(lambda: compress(page), b""), 3))) == 1
