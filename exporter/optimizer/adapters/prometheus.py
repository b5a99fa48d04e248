"""What Prometheus knows of the bot: model.MetricsProvider by its HTTP API.

All queries are constant text. The only thing inserted is the configured bot's name, as a quoted label value; an agent
is found by the labels of the response.
"""

import math
import time
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from exporter.http.client import FetchError, fetch_json
from exporter.optimizer import bottlenecks
from exporter.optimizer.measures.base import Measure
from exporter.optimizer.measures.queries import EXECUTES, REBASED
from exporter.optimizer.model import (
    SEVERITIES,
    Impact,
    Measurement,
    Performance,
    Portfolio,
    Subject,
    UnavailableError,
    rank,
)

RESPONSE_SECONDS = 10.0
JOB = "tweetbot"
"""The rules know the exporter by this job name."""
MOST_NAMED = 3
"""Bots in a message."""
PERIODS_OF_A_DAY = 24

_AGENTS = "agent:known:group"
_IMPACTS = "agent:bottleneck_impact:ratio|bot:bottleneck_impact:ratio"
_PAUSED = "tweetbot_system_paused"
_VALUE = "tweetbot_portfolio_value_usd"
_PEAK = "tweetbot_portfolio_peak_value_usd"
_PERFORMANCE = "tweetbot_agent_performance_ratio"
_LOW_PERFORMANCE = "agent:performance_ratio:threshold_low"
_HIGH_PERFORMANCE = "agent:performance_ratio:threshold_high"


class _Series(BaseModel):
    labels: dict[str, str] = Field(alias="metric")
    moment_and_value: tuple[float, str] = Field(alias="value")

    @property
    def name(self) -> str:
        return self.labels.get("__name__", "")

    @property
    def agent(self) -> str:
        return self.labels.get("agent", "")

    @property
    def value(self) -> float:
        return float(self.moment_and_value[1])


class _Vector(BaseModel):
    kind: Literal["vector"] = Field(alias="resultType")
    series: list[_Series] = Field(alias="result")


class _Response(BaseModel):
    status: Literal["success"]
    data: _Vector
    warnings: Annotated[list[str], Field(max_length=0)] = []
    """A warning may mean a partial result: nothing is decided by that."""


class Prometheus:
    """The Prometheus at `url`. `bot` is the value of the target label; without it there must be only one bot.

    `period` is how many seconds a level is read over to count as one independent reading; 24 of them show its spread.
    """

    def __init__(
        self, url: str, bot: str | None = None, period: float = 3600.0, timeout: float = RESPONSE_SECONDS
    ) -> None:
        self._period = period
        self._url = f"{url}/api/v1/query"
        self._timeout = timeout
        self._matchers = f'job="{JOB}"' + (f",bot={quoted(bot)}" if bot is not None else "")

    async def agents(self) -> frozenset[str]:
        """Those that any source has."""
        return frozenset(each.agent for each in await self._query(self._named(_AGENTS)) if each.agent)

    async def impacts(self) -> Mapping[Subject, Impact]:
        """From rules/recording/bottlenecks.yml; where one bottleneck has two severities, the worse."""
        worst: dict[Subject, Impact] = {}
        for each in await self._query(self._named(_IMPACTS)):
            if (found := _impact(each)) is not None:
                subject, impact = found
                worst[subject] = max(impact, worst.get(subject, impact), key=_badness)
        return worst

    async def thresholds(self) -> Mapping[Subject, float]:
        """The mildest of each bottleneck, from rules/recording/thresholds.yml."""
        by_series = {each.in_force(each.thresholds[0]): each for each in bottlenecks.BOTTLENECKS}
        found = await self._query(self._named("|".join(by_series)))
        return {
            Subject(by_series[each.name], each.agent): each.value for each in found if each.name in by_series
        }

    async def performance(self) -> Mapping[str, Performance]:
        """The newest of five minutes: a collector that fails once takes its series away for that scrape."""
        ratios = await self._query(f"last_over_time({self._named(_PERFORMANCE)}[5m])")
        thresholds = await self._query(self._named(f"{_LOW_PERFORMANCE}|{_HIGH_PERFORMANCE}"))
        low = {each.agent: each.value for each in thresholds if each.name == _LOW_PERFORMANCE}
        high = {each.agent: each.value for each in thresholds if each.name == _HIGH_PERFORMANCE}
        return {
            each.agent: Performance(each.value, low.get(each.agent), high.get(each.agent))
            for each in ratios
            if each.agent
        }

    async def measure(self, measure: Measure, agent: str, start: float, end: float) -> Measurement:
        """From what was recorded between the first and the last scrape within [start, end]."""
        milliseconds = round((end - start) * 1000)
        if milliseconds <= 0:
            return Measurement(start, end, None, 0, "no time has passed")
        expression = self._expression(measure, milliseconds)
        parts: dict[str, float] = {"periods": (end - start) / self._period}
        for each in await self._query(expression, f"{end:.3f}"):
            if not agent or each.agent in ("", agent):
                part = each.labels.get("part", "") + each.labels.get("le", "")
                parts[part] = parts.get(part, 0.0) + each.value
        if REBASED in parts:
            return Measurement(start, end, None, 0, "the database was replaced, or lost rows, in that time")
        found = measure.mean(parts)
        note = "" if found.value is not None else measure.no_value
        if note and EXECUTES in parts:
            note = "it has executions, and none were counted in that time"
        samples = math.floor(found.samples)
        return Measurement(start, end, found.value, samples, note, found.events, found.standard_error)

    async def portfolio(self) -> Portfolio:
        """The newest of five minutes, as in `performance`."""
        found = await self._query(f"last_over_time({self._named(f'{_VALUE}|{_PEAK}')}[5m])")
        values = {each.name: each.value for each in found}
        return Portfolio(values.get(_VALUE), values.get(_PEAK))

    async def resumed_since(self, moment: float) -> bool:
        """Of a value that is 0 or 1, a reset is a fall from 1 to 0."""
        milliseconds = max(1, round((time.time() - moment) * 1000))
        found = await self._query(f"resets({_PAUSED}{{{self._matchers}}}[{milliseconds}ms]) > 0")
        return bool(found)

    def _named(self, names: str) -> str:
        return f'{{__name__=~"{names}",{self._matchers}}}'

    def _expression(self, measure: Measure, milliseconds: int) -> str:
        """One query for all parts, so that they are of one moment. The label `part` of each series names its part."""
        period = round(self._period * 1000)
        filled = {
            "{}": f"{{{self._matchers}}}[{milliseconds}ms]",
            "{period}": f"{{{self._matchers}}}[{period}ms]",
            "{day}": f"{{{self._matchers}}}[{PERIODS_OF_A_DAY * period}ms]",
            "[day]": f"[{PERIODS_OF_A_DAY * period}ms:{period}ms]",
        }
        parts = []
        for part, expression in measure.parts.items():
            for placeholder, text in filled.items():
                expression = expression.replace(placeholder, text)
            parts.append(f'label_replace({expression}, "part", "{part}", "", "")')
        return " or ".join(parts)

    async def _query(self, expression: str, time: str | None = None) -> list[_Series]:
        """The series that have a value; UnavailableError if they are of several bots."""
        parameters = {"query": expression, **({"time": time} if time else {})}
        try:
            response = _Response.model_validate(await fetch_json(self._url, self._timeout, query=parameters))
            series = [each for each in response.data.series if math.isfinite(each.value)]
        except FetchError as error:
            raise UnavailableError(str(error)) from None
        except ValueError as error:
            fault = "does not answer as Prometheus does"
            if isinstance(error, ValidationError) and error.errors()[0]["loc"] == ("warnings",):
                fault = "warns that its response may be incomplete; its own log says why"
            raise UnavailableError(f"{self._url} {fault}") from None
        _check_one_bot(series)
        return series


def quoted(text: str) -> str:
    """A string of PromQL whose value is `text`, whatever is in it."""
    return (
        '"' + "".join(c if c.isascii() and (c.isalnum() or c in " -._:/") else _escape(c) for c in text) + '"'
    )


def _escape(character: str) -> str:
    return f"\\U{ord(character):08x}"


def _check_one_bot(series: list[_Series]) -> None:
    # Targets without the label are distinguished by their address.
    bots = sorted({each.labels.get("bot") or each.labels.get("instance", "") for each in series})
    if len(bots) > 1:
        named = ", ".join(f"{bot[:100]!a}" for bot in bots[:MOST_NAMED])
        more = ", …" if len(bots) > MOST_NAMED else ""
        raise UnavailableError(
            f"Prometheus knows several bots ({named}{more}): give each target a label `bot`, and say which one "
            "is meant as optimizer.bot"
        )


def _impact(series: _Series) -> tuple[Subject, Impact] | None:
    """None for what somebody's own rules call a bottleneck."""
    bottleneck = bottlenecks.find(series.labels.get("bottleneck", ""))
    severity = SEVERITIES.get(series.labels.get("bottleneck_severity", ""))
    if bottleneck is None or severity is None or (bottleneck.scope == "agent") != bool(series.agent):
        return None
    return Subject(bottleneck, series.agent), Impact(severity, series.value)


def _badness(impact: Impact) -> tuple[int, float]:
    return rank(impact.severity), impact.ratio
