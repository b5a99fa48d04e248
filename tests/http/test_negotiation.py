"""Which format and coding a client gets."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.http.negotiation import accepts_gzip, choose_format
from exporter.metrics.exposition import OPENMETRICS, OPENMETRICS_DRAFT, TEXT, Format

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
