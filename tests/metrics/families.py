"""Families and rows drawn for property tests, and what prometheus-client makes of them."""

from collections.abc import Iterable

from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Timestamp
from prometheus_client.utils import floatToGoString

from exporter.metrics.catalogue import FAMILIES, Family
from exporter.metrics.catalogue.family import Kind
from exporter.metrics.exposition import Format
from exporter.metrics.samples import HistogramValue, Row

texts = st.one_of(
    st.sampled_from(["", "scan", 'a "b"', "a\\b", "a\nb", "\\n", "é 中", "{0}", "%s", "\x00", "a,b", "}"]),
    st.text(max_size=12),
)
numbers = st.one_of(
    st.integers(0, 10_000),
    st.sampled_from(
        [0, 999_999, 1_000_000, 10**21, 2**53 + 1, 0.1, 1e-7, 1e6, 999_999.5, 1e16, 123_456_789.125]
    ),
    st.floats(),
    st.integers(-(10**20), 10**20),
    st.booleans(),
)
moments = st.one_of(
    st.none(), st.floats(0, 4e9), st.builds(Timestamp, st.integers(0, 10**9), st.integers(0, 999_999_999))
)
exemplars = st.builds(
    Exemplar,
    st.dictionaries(
        st.sampled_from(["execution_id", "a", "trace_id"]), texts | st.just("x" * 121), max_size=2
    ),
    numbers,
    moments,
)
odd_names = st.one_of(
    st.sampled_from(
        ["x", "x_total", "x_info", "a:b", "x_created", "x_gsum", "x_count", "_", "9x", "a b", "x\n"]
    ),
    st.text(min_size=1, max_size=5),
)
odd_labels = st.one_of(
    st.sampled_from(["le", "a", "b", "__x", "z", "9", "x\n"]), st.text(min_size=1, max_size=3)
)


def _odd(kinds: list[Kind], buckets: list[tuple[float, ...]]) -> st.SearchStrategy[Family]:
    labels = st.lists(odd_labels, max_size=3, unique=True).map(tuple)
    kind, bounds = st.sampled_from(kinds), st.sampled_from(buckets)
    return st.builds(Family, odd_names, kind, texts, labels, bounds, st.just("x"))


odd_families = _odd(["counter", "gauge", "info"], [()]) | _odd(
    ["histogram"], [(1.0,), (-1.0, 0.5), (0.0, 1e6)]
)
declared_families = st.sampled_from(FAMILIES)
# Weighted towards the fast path, which is nearly all of a real page.
families = st.one_of(declared_families, declared_families, declared_families, odd_families)


@st.composite
def rows(
    draw: st.DrawFn, family: Family, labels: st.SearchStrategy[str] = texts, most: int = 5
) -> tuple[Row, ...]:
    """Sorted by label values, as Samples does, and each once."""
    series = draw(st.lists(st.tuples(*[labels] * len(family.labels)), max_size=most, unique=True))
    value = histograms(family) if family.kind == "histogram" else numbers
    return tuple((values, draw(value)) for values in sorted(series))


def histograms(family: Family) -> st.SearchStrategy[HistogramValue]:
    buckets = len(family.buckets) + 1
    return st.builds(
        HistogramValue,
        st.lists(st.integers(0, 10**7), min_size=buckets, max_size=buckets).map(tuple),
        numbers,
        st.dictionaries(st.integers(0, buckets), exemplars, max_size=3),
    )


def metric_of(family: Family, rows: Iterable[Row]) -> Metric:
    """The family as prometheus-client's own objects, with the exemplars that Prometheus would take."""
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    metric = Metric(family.name.removesuffix(suffix), family.help, family.kind)
    for values, value in rows:
        labels = dict(zip(family.labels, values, strict=True))
        if not isinstance(value, HistogramValue):
            metric.add_sample(family.name, labels, value)
            continue
        bounds = [*map(floatToGoString, family.buckets), "+Inf"]
        for position, (bound, count) in enumerate(zip(bounds, value.counts, strict=True)):
            exemplar = value.exemplars.get(position)
            if exemplar and sum(len(name) + len(text) for name, text in exemplar.labels.items()) > 128:
                exemplar = None
            metric.add_sample(f"{family.name}_bucket", labels | {"le": bound}, count, None, exemplar)
        if family.buckets[0] >= 0:
            metric.add_sample(f"{family.name}_count", labels, value.counts[-1])
            metric.add_sample(f"{family.name}_sum", labels, value.total)
    return metric


class Registry(Collector):
    """What prometheus-client's encoders take."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def by_client(metrics: list[Metric], chosen: Format) -> bytes:
    """The page that prometheus-client writes."""
    return chosen.write(Registry(metrics))
