"""Measures what a page costs, as ratios to prometheus-client's encoder and gzip in the same run.

The families are of source 1: a usual page (3094 samples, of 14 agents), and one of 1000 agents with 14 types each.
Each is measured in a process of its own, for its peak memory. Times are CPU times of a page in OpenMetrics and gzip,
from snapshots to bytes: what HTTP and the collectors cost is not in them.
"""

import argparse
import gzip
import json
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

import exporter.cli.main  # noqa: F401 - for its memory
from exporter.metrics import catalogue as c
from exporter.metrics.exposition import OPENMETRICS, Pages
from exporter.metrics.samples import HistogramValue, Samples

from .figures import Figures

CHANGED = 100
SIZES = {"usual page": (14, 13), "1000 agents": (1000, 14)}
BUCKETS = len(c.EXECUTION_DURATION.buckets) + 1

TARGETS = {
    "usual page: nothing new": 2,
    "1000 agents: nothing new": 100,
    "1000 agents: peak memory": 160,
}


class Bot:
    """The totals of source 1 for some agents and types, and the snapshots that show them."""

    def __init__(self, agents: int, types: int) -> None:
        self._random = random.Random(7)
        self._totals = {
            (f"agent-{agent}", f"type_{kind}"): [0] * BUCKETS
            for agent in range(agents)
            for kind in range(types)
        }
        for counts in self._totals.values():
            self._count(counts)

    def change(self, number: int) -> None:
        """So many new executions, each of another agent and type as far as there are."""
        for labels in self._random.sample(list(self._totals), min(number, len(self._totals))):
            self._count(self._totals[labels])

    def _count(self, counts: list[int]) -> None:
        for bucket in range(self._random.randrange(BUCKETS), BUCKETS):
            counts[bucket] += 1 + self._random.randrange(50) * (counts[-1] == 0)
        for bucket in range(1, BUCKETS):
            counts[bucket] = max(counts[bucket], counts[bucket - 1])

    def metrics(self) -> list[Metric]:
        """Built again, as for a table that changed."""
        samples = Samples()
        for labels, counts in self._totals.items():
            samples.add(c.EXECUTIONS, counts[-1], *labels)
            samples.add(c.EXECUTIONS_SUCCEEDED, counts[-2], *labels)
            samples.add(c.EXECUTIONS_FAILED, counts[-1] - counts[-2], *labels)
            samples.add(c.EXECUTIONS_ERRORED, 0, *labels)
            samples.add(c.EXECUTION_DURATION, HistogramValue(tuple(counts), counts[-1] * 1.234567), *labels)
        return samples.metrics()


class _Registry(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def main() -> int:
    """The command; 1 if a target was missed in a full run."""
    options = _options()
    figures = Figures({} if options.smoke else TARGETS)
    context = multiprocessing.get_context("spawn")
    for _ in range(options.repetitions):
        for name, (agents, types) in SIZES.items():
            size = (agents // 50 or 1, types) if options.smoke else (agents, types)
            with context.Pool(1) as process:
                for figure, value, unit in process.apply(_measured, (*size, options.rounds)):
                    figures.add(f"{name}: {figure}", value, unit)
    print(figures.table())
    if options.json:
        options.json.write_text(json.dumps(figures.document(), indent=2) + "\n")
    return 1 if figures.missed() else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7, help="of pages in a repetition")
    parser.add_argument("--json", type=Path, help="a file to write all values to")
    parser.add_argument("--smoke", action="store_true", help="tiny pages, one repetition, no targets")
    options = parser.parse_args()
    if options.smoke:
        options.repetitions, options.rounds = 1, 2
    return options


def _measured(agents: int, types: int, rounds: int) -> list[tuple[str, float, str]]:
    """(figure, value, unit) of one bot. The peak comes before prometheus-client's, which needs far more."""
    bot, pages = Bot(agents, types), Pages()
    metrics = bot.metrics()
    first = _cost(lambda: pages.write(metrics, OPENMETRICS, gzip=True))
    nothing_new = median(_cost(lambda: pages.write(metrics, OPENMETRICS, gzip=True)) for _ in range(rounds))
    changed = []
    for _ in range(rounds):
        bot.change(CHANGED)
        metrics = bot.metrics()
        changed.append(_cost(lambda: pages.write(metrics, OPENMETRICS, gzip=True)))  # noqa: B023 - called at once
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    client = median(_cost(lambda: _by_client(metrics)) for _ in range(2))
    return [
        ("samples", sum(len(metric.samples) for metric in metrics), ""),
        ("first page", 1e3 * first, "ms"),
        ("nothing new", 1e3 * nothing_new, "ms"),
        (f"{CHANGED} series changed", 1e3 * median(changed), "ms"),
        ("prometheus-client and gzip", 1e3 * client, "ms"),
        ("first page / prometheus-client", first / client, ""),
        ("nothing new / prometheus-client", nothing_new / client, ""),
        (f"{CHANGED} series changed / prometheus-client", median(changed) / client, ""),
        ("peak memory", peak, "MB"),
    ]


def _cost(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _by_client(metrics: list[Metric]) -> bytes:
    return gzip.compress(OPENMETRICS.write(_Registry(metrics)), 3)


if __name__ == "__main__":
    sys.exit(main())
