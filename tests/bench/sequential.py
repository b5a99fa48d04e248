"""Simulates how often the optimizer's verdict on a change is wrong.

    python -m tests.bench.sequential --runs 2000

Made-up events go through the measures and the evaluation of the optimizer: an hour before a change, and six hours after
it, looked at as the optimizer does. The hour before is drawn until it breaks the threshold, as only then anything is
done; that makes what follows look better than it is. Response times are log-normal, with a standard deviation as large
as their mean. The levels (score, profit, drawdown) vary by themselves as SPREADS say, from hour to hour.
"""

import argparse
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, inf, log, sqrt

from exporter.config import Optimizer
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.evaluation import Comparison, Evaluation, enough, evaluate, window
from exporter.optimizer.measures import GUARDRAILS, Measure
from exporter.optimizer.measures.statistics import level
from exporter.optimizer.model import Measurement

HOUR = 3600.0
CONFIG = Optimizer()
LOOKS = 6
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, inf)
SPREADS = {"overall_score": 0.03, "profit": 0.002, "drawdown": 0.01}


@dataclass(frozen=True)
class Behaviour:
    """What an agent's executions and negotiations are like. `score` is the bot's."""

    seconds: float = 2.6
    success: float = 0.62
    errors: float = 0.2
    coordination: float = 0.8
    score: float = 0.8


@dataclass(frozen=True)
class Scenario:
    """A change about a bottleneck, and the agent before and after it."""

    name: str
    bottleneck: Bottleneck
    before: Behaviour
    after: Behaviour


SLOW, FAILING = Behaviour(), Behaviour(seconds=1.0, success=0.6)
FASTER = replace(SLOW, seconds=1.2)
SCENARIOS = (
    Scenario("does nothing, to response time", AGENT_RESPONSE_TIME, SLOW, SLOW),
    Scenario(
        "does nothing, just over 2 s",
        AGENT_RESPONSE_TIME,
        replace(SLOW, seconds=2.1),
        replace(SLOW, seconds=2.1),
    ),
    Scenario("does nothing, to success", AGENT_SUCCESS_RATE, FAILING, FAILING),
    Scenario(
        "does nothing, just under 70 %",
        AGENT_SUCCESS_RATE,
        replace(FAILING, success=0.68),
        replace(FAILING, success=0.68),
    ),
    Scenario("faster, nothing else", AGENT_RESPONSE_TIME, SLOW, FASTER),
    Scenario("success from 60 to 85 %", AGENT_SUCCESS_RATE, FAILING, replace(FAILING, success=0.85)),
    Scenario("faster, success from 62 to 42 %", AGENT_RESPONSE_TIME, SLOW, replace(FASTER, success=0.42)),
    Scenario(
        "success from 55 to 35 %",
        AGENT_SUCCESS_RATE,
        replace(FAILING, success=0.55),
        replace(FAILING, success=0.35),
    ),
    Scenario(
        "faster, success from 96 to 76 %",
        AGENT_RESPONSE_TIME,
        replace(SLOW, success=0.96),
        replace(FASTER, success=0.76),
    ),
)
THRESHOLDS: Mapping[str, float] = {"response_time": 2.0, "success_rate": 0.7}


class Stretch:
    """All that is counted from its beginning on, for as long as it is made to last."""

    def __init__(self, chance: random.Random, behaviour: Behaviour, an_hour: int) -> None:
        self._chance, self._behaviour, self._an_hour = chance, behaviour, an_hour
        self._hours = 0.0
        self._events = self._succeeded = self._errored = self._agreed = 0
        self._seconds = 0.0
        self._buckets = [0] * len(BUCKETS)
        self._levels = dict.fromkeys(SPREADS, 0.0)

    def until(self, hours: float) -> None:
        """Goes on to so many hours after its beginning."""
        for _ in range(int(self._an_hour * hours) - self._events):
            self._happen()
        more, self._hours = hours - self._hours, hours
        for name, spread in SPREADS.items():
            mean = self._behaviour.score if name == "overall_score" else 0.1 if name == "drawdown" else 0.0
            self._levels[name] += self._chance.gauss(mean * more, spread * sqrt(more))

    def _happen(self) -> None:
        behaviour, draw = self._behaviour, self._chance.random
        self._events += 1
        self._succeeded += draw() < behaviour.success
        self._errored += draw() < behaviour.errors
        self._agreed += draw() < behaviour.coordination
        # Of a log-normal variable whose standard deviation is its mean.
        seconds = exp(self._chance.gauss(log(behaviour.seconds) - log(2) / 2, sqrt(log(2))))
        self._seconds += seconds
        self._buckets[bisect_left(BUCKETS, seconds)] += 1

    def measure(self, measure: Measure) -> Measurement:
        """As Prometheus would answer."""
        if measure.name in SPREADS:
            spread, value = SPREADS[measure.name], self._levels[measure.name] / self._hours
            found = level(value, spread, self._hours, 0, measure.events)
        else:
            found = measure.mean(self._parts())
        return Measurement(
            0.0, self._hours * HOUR, found.value, int(found.samples), "", found.events, found.standard_error
        )

    def _parts(self) -> dict[str, float]:
        up_to = {f"up to {bound}": sum(self._buckets[: index + 1]) for index, bound in enumerate(BUCKETS)}
        return {
            "succeeded": self._succeeded,
            "failed": self._events - self._succeeded,
            "errored": self._errored,
            "executions": self._events,
            "seconds": self._seconds,
            "negotiations": self._events,
            "negotiations_succeeded": self._agreed,
            **up_to,
        }


def simulate(scenario: Scenario, an_hour: int, runs: int, seed: int = 1) -> Counter[str]:
    """The verdicts on so many changes of an agent with `an_hour` executions and negotiations."""
    chance = random.Random(f"{scenario.name} {an_hour} {seed}")
    return Counter(_verdict(scenario, chance, an_hour) for _ in range(runs))


def _verdict(scenario: Scenario, chance: random.Random, an_hour: int) -> str:
    target = scenario.bottleneck.measure
    before = _broken(scenario, chance, an_hour)
    after, within = Stretch(chance, scenario.after, an_hour), CONFIG.measure_within_seconds
    for look in range(LOOKS - 1, -1, -1):
        found = window(target, 0.0, within, CONFIG.measure_seconds, within / 2**look)
        assert found is not None
        after.until(found[1] / HOUR)
        verdict = _look(scenario, before, after, last_look=look == 0)
        if verdict is not None:
            return verdict.verdict
    return "not_enough_data"


def _broken(scenario: Scenario, chance: random.Random, an_hour: int) -> Stretch:
    target = scenario.bottleneck.measure
    while True:
        before = Stretch(chance, scenario.before, an_hour)
        before.until(CONFIG.measure_seconds / HOUR)
        value = before.measure(target).value
        if value is not None and target.gain(THRESHOLDS[target.name], value) < 0:
            return before


def _look(scenario: Scenario, before: Stretch, after: Stretch, last_look: bool) -> Evaluation | None:
    bottleneck = scenario.bottleneck
    target = _compared(bottleneck.measure, before, after, CONFIG.margin_ratio)
    guardrails = [
        _compared(each, before, after, CONFIG.guardrails.margin(each.name) or 0.0)
        for each in GUARDRAILS
        if each is not bottleneck.measure
    ]
    known = enough(target.measure, target.after, CONFIG.minimum_samples)
    threshold = THRESHOLDS[bottleneck.measure.name]
    return evaluate(bottleneck, target if known else None, guardrails, threshold, last_look)


def _compared(measure: Measure, before: Stretch, after: Stretch, margin: float) -> Comparison:
    return Comparison(measure, before.measure(measure), after.measure(measure), margin)


def main() -> None:
    """Prints a table: in percent of the runs, how a change ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--an-hour", type=int, nargs="+", default=[20, 100, 400])
    options = parser.parse_args()
    print(
        f"{'the change':36} {'an hour':>8} {'kept':>8} {'harmful':>8} {'no effect':>10} {'inconclusive':>13}"
    )
    for scenario in SCENARIOS:
        for an_hour in options.an_hour:
            found = simulate(scenario, an_hour, options.runs)
            kept = found["succeeded"] + found["improved"]
            shares = [
                kept,
                found["harmful"],
                found["no_effect"] + found["not_enough_data"],
                found["inconclusive"],
            ]
            cells = [f"{share / options.runs:.1%}" for share in shares]
            print(
                f"{scenario.name:36} {an_hour:8} {cells[0]:>8} {cells[1]:>8} {cells[2]:>10} {cells[3]:>13}",
                flush=True,
            )


if __name__ == "__main__":
    main()
