"""Runs of equal values become a sample a step, and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric

from exporter.backfill.timeline import END, Timeline
from exporter.metrics import catalogue as c
from exporter.metrics.samples import HistogramValue, Samples

from .histories import parsed

AGENTS = ("a", "b", 'c"\\\n')


def page(executions: dict[str, int], sizes: dict[str, int]) -> list[Metric]:
    samples = Samples()
    for agent, count in executions.items():
        samples.add(c.EXECUTIONS, count, agent, "t")
    for agent, count in sizes.items():
        empty = [0] * len(c.EXECUTION_CONFIDENCE.buckets)
        samples.add(c.EXECUTION_CONFIDENCE, HistogramValue([*empty, count], count / 2), agent)
    return samples.metrics()


values = st.dictionaries(st.sampled_from(AGENTS), st.integers(0, 2))
steps = st.lists(st.tuples(values, values), min_size=1, max_size=8)


@settings(max_examples=30)
@given(st.lists(steps, min_size=1, max_size=3))
def test_each_page_is_there_at_its_moment(parts: list[list[tuple[dict[str, int], dict[str, int]]]]) -> None:
    timeline, moment = Timeline({"job": "tweetbot"}), 1_760_000_000
    for part in parts:
        expected = {}
        for executions, sizes in part:
            moment += 60
            timeline.add(moment, page(executions, sizes))
            expected[moment] = {
                (sample.name, tuple(sorted({**sample.labels, "job": "tweetbot"}.items()))): sample.value
                for metric in page(executions, sizes)
                for sample in metric.samples
            }
        text = b"".join(timeline.write())
        found = parsed(text.decode())
        assert found == {at: samples for at, samples in expected.items() if samples}
        assert len(text) == timeline.size
        assert sum(map(len, expected.values())) == timeline.samples
        timeline.clear()


def test_the_moments_of_a_series_stand_together() -> None:
    timeline = Timeline({})
    for moment, counts in ((60, {"a": 1, "b": 1}), (120, {"a": 2, "b": 1}), (180, {"a": 2})):
        timeline.add(moment, page(counts, {}))
    assert b"".join(timeline.write()).splitlines()[1:] == [
        b"# TYPE tweetbot_executions counter",
        b'tweetbot_executions_total{agent="a",execution_type="t"} 1.0 60',
        b'tweetbot_executions_total{agent="a",execution_type="t"} 2.0 120',
        b'tweetbot_executions_total{agent="a",execution_type="t"} 2.0 180',
        b'tweetbot_executions_total{agent="b",execution_type="t"} 1.0 60',
        b'tweetbot_executions_total{agent="b",execution_type="t"} 1.0 120',
        END.strip(),
    ]
