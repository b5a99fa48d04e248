"""What is asked of Prometheus, by a real one whose data are known, against plain arithmetic over the same samples."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tools import free_port

from exporter.http.client import fetch_json
from exporter.metrics.catalogue import FAMILIES
from exporter.optimizer.adapters import prometheus
from exporter.optimizer.adapters.prometheus import Prometheus, quoted
from exporter.optimizer.bottlenecks import BOTTLENECKS, find
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.agent_success_rate import AGENT_SUCCESS_RATE
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.bottlenecks.coordination_efficiency import COORDINATION_EFFICIENCY
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE
from exporter.optimizer.measures import (
    COORDINATION,
    GUARDRAILS,
    RESPONSE_TIME,
    SUCCESS_RATE,
    Measure,
)
from exporter.optimizer.model import Impact, Measurement, Performance, Portfolio, Subject, UnavailableError
from optimizer.adapters.history import History, Sample, remembering

ROOT = Path(__file__).resolve().parents[3]
NOW = time.time()
BEGIN, HOUR = NOW - 7200, 3600.0
HUNTER, CREATOR = "market-hunter", "content-creator"
KINDS = ("scan", "trade")


class Counters:
    """What is counted with the bot's scrapes: integers, or multiples of a quarter of a second."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.series: dict[str, list[Sample]] = {}
        self.moments = [BEGIN + self._random.random() * 15]
        while self.moments[-1] < BEGIN + HOUR:
            # Now and then a scrape fails, or comes late.
            step = 15 * self._random.choice([1] * 20 + [2, 5]) + self._random.random()
            self.moments.append(round(self.moments[-1] + step, 3))

    def add(self, name: str, most: float, start: float, labels: Mapping[str, str], unit: float = 1.0) -> None:
        """A counter that grows by up to `most` units from scrape to scrape; a third of the time it does not."""
        value, samples = start, []
        for moment in self.moments:
            samples.append((moment, value))
            grows = self._random.random() > 1 / 3
            value += unit * self._random.randrange(int(most) + 1) if grows else 0
        written = ",".join(f'{key}="{each}"' for key, each in {"job": "tweetbot", **labels}.items())
        self.series[f"{name}{{{written}}}"] = samples


def of_bot(bot: str, seed: int, start: float) -> dict[str, list[Sample]]:
    """Two agents; `start` is what the counters have counted before."""
    counters = Counters(seed)
    for agent in (HUNTER, CREATOR):
        for kind in KINDS:
            labels = {"bot": bot, "instance": f"{bot}:9464", "agent": agent, "execution_type": kind}
            counters.add("tweetbot_executions_total", 5, start, labels)
            counters.add("tweetbot_executions_succeeded_total", 3, start, labels)
            counters.add("tweetbot_executions_failed_total", 2, 0, labels)
            counters.add("tweetbot_execution_duration_seconds_sum", 40, start, labels, 0.25)
            counters.add("tweetbot_execution_duration_seconds_count", 5, start, labels)
        for other in ("x", "y"):
            labels = {"bot": bot, "instance": f"{bot}:9464", "from_agent": agent, "to_agent": other}
            counters.add("tweetbot_messages_total", 6, start, labels)
            counters.add("tweetbot_messages_failed_total", 1, 0, labels)
    negotiator = {"bot": bot, "instance": f"{bot}:9464", "agent": HUNTER}
    counters.add("tweetbot_negotiations_total", 4, start, negotiator)
    counters.add("tweetbot_negotiations_succeeded_total", 2, 0, negotiator)
    where = f'{{job="tweetbot",bot="{bot}",instance="{bot}:9464"}}'
    counters.series[f"tweetbot_database_replacements_total{where}"] = [(at, 1.0) for at in counters.moments]
    draw = random.Random(seed + 1)
    counters.series[f"bot:overall_score:avg{where}"] = [(at, draw.random()) for at in counters.moments]
    return counters.series


def lately(value: float) -> list[Sample]:
    """From ten minutes ago until the test is surely over."""
    return [(NOW + 60 * minute, value) for minute in range(-10, 30)]


ONE = '{job="tweetbot",bot="one",instance="one:9464"'


def impact(level: str, bottleneck: str, severity: str, agent: str = "") -> str:
    """A series of bot one."""
    labels = {"agent": agent, "bottleneck": bottleneck, "bottleneck_severity": severity}
    return (
        f"{level}:bottleneck_impact:ratio{ONE}," + ",".join(f'{key}="{labels[key]}"' for key in labels) + "}"
    )


RECORDED: History = {
    f'tweetbot_recent_executions{{job="tweetbot",bot="unread",instance="u:1",agent="{HUNTER}"}}': lately(50),
    f"tweetbot_system_paused{ONE}}}": [
        (moment, float(-480 <= moment - NOW < -300)) for moment, _ in lately(0)
    ],
    f'agent:known:group{ONE},agent="{HUNTER}"}}': lately(1),
    f'agent:known:group{ONE},agent="{CREATOR}"}}': lately(1),
    'agent:known:group{job="tweetbot",bot="two",instance="two:9464",agent="stranger"}': lately(1),
    'agent:known:group{job="other",bot="one",instance="one:1",agent="not-ours"}': lately(1),
    # Of two severities the worse counts, whatever their impacts; of two series of one, the larger impact.
    impact("agent", "agent_success_rate", "medium", HUNTER): lately(0.3),
    impact("agent", "agent_success_rate", "critical", HUNTER): lately(0.25),
    impact("agent", "agent_response_time", "high", HUNTER): lately(0.4),
    impact("agent", "boredom", "high", CREATOR): lately(9),
    impact("agent", "agent_response_time", "mild", CREATOR): lately(9),
    impact("agent", "agent_response_time", "high"): lately(9),
    impact("bot", "system_performance", "high"): lately(0.1),
    f'agent:recent_response_time_seconds:threshold_high{ONE},agent="{HUNTER}"}}': lately(2),
    f'agent:recent_response_time_seconds:threshold_high{ONE},agent="{CREATOR}"}}': lately(4),
    f'agent:recent_success_ratio:threshold_medium{ONE},agent="{HUNTER}"}}': lately(0.7),
    f'agent:coordination_ratio:threshold_medium{ONE},agent="{HUNTER}"}}': lately(0.6),
    f"bot:overall_score:threshold_high{ONE}}}": lately(0.75),
    f'tweetbot_agent_performance_ratio{ONE},agent="{HUNTER}"}}': lately(0.45),
    f'agent:performance_ratio:threshold_low{ONE},agent="{HUNTER}"}}': lately(0.5),
    f'agent:performance_ratio:threshold_high{ONE},agent="{CREATOR}"}}': lately(0.8),
    f'tweetbot_agent_performance_ratio{ONE},agent="{CREATOR}"}}': lately(float("nan")),
}


def reset(samples: list[Sample], at: int) -> list[Sample]:
    """As after a restart of who counts: from there on it began at 0."""
    return samples[:at] + [(moment, value - samples[at][1]) for moment, value in samples[at:]]


def broken(bot: str, seed: int, names: str, at: int) -> dict[str, list[Sample]]:
    return {
        series: reset(samples, at) if re.match(names, series) else samples
        for series, samples in of_bot(bot, seed, 1000).items()
    }


BOTS = {"one": of_bot("one", 1, 5000), "new": of_bot("new", 2, 0)}
RESTARTED = broken("restarted", 3, "tweetbot_(messages|negotiations)", 100)
SHRUNK = broken("shrunk", 4, "tweetbot_execution", 100)


def one_row_less(bot: str, seed: int, name: str) -> dict[str, list[Sample]]:
    """The exporter restarted, and meanwhile the bot deleted one row: all other totals only grow."""
    made = of_bot(bot, seed, 1000)
    series = next(key for key in made if key.startswith(name + "{"))
    kept, later = made[series][:100], made[series][100:]
    before = kept[-1][1]
    made[series] = kept + [(moment, before - 1 + value - later[0][1]) for moment, value in later]
    return made


LOST = {
    "lost-failed": "tweetbot_executions_failed_total",
    "lost-succeeded": "tweetbot_executions_succeeded_total",
    "lost-executions": "tweetbot_executions_total",
    "lost-seconds": "tweetbot_execution_duration_seconds_sum",
}
ONE_LESS = [one_row_less(bot, 6, name) for bot, name in LOST.items()]
REPLACED = of_bot("replaced", 5, 1000)
for _series in REPLACED:
    if _series.startswith("tweetbot_database_replacements"):
        REPLACED[_series] = [(at, 1.0 + (at > BEGIN + HOUR / 2)) for at, _ in REPLACED[_series]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = {**RECORDED, **BOTS["one"], **BOTS["new"], **RESTARTED, **SHRUNK, **REPLACED}
    for each in ONE_LESS:
        made.update(each)
    with remembering(tmp_path_factory.mktemp("prometheus"), made) as address:
        yield address


# What was counted, by plain arithmetic.


def counted(series: dict[str, list[Sample]], name: str, agent: str, start: float, end: float) -> float:
    total = 0.0
    for key, samples in series.items():
        if key.startswith(name + "{") and (not agent or re.search(rf'[{{,](from_)?agent="{agent}"', key)):
            within = [value for moment, value in samples if start <= moment <= end]
            total += within[-1] - within[0] if within else 0.0
    return total


def expected(
    series: dict[str, list[Sample]], subject: Subject, start: float, end: float
) -> tuple[Any, float]:
    def of(name: str) -> float:
        return counted(series, f"tweetbot_{name}", subject.agent, start, end)

    match subject.bottleneck.name:
        case "agent_response_time":
            part, whole = of("execution_duration_seconds_sum"), of("execution_duration_seconds_count")
        case "agent_success_rate":
            part = of("executions_succeeded_total")
            whole = part + of("executions_failed_total")
        case "coordination_efficiency":
            part, whole = of("negotiations_succeeded_total"), of("negotiations_total")
            if not whole:
                whole = of("messages_total")
                part = whole - of("messages_failed_total")
        case "system_performance":
            (scores,) = [found for key, found in series.items() if key.startswith("bot:overall_score")]
            within = [value for moment, value in scores if start <= moment <= end]
            return (sum(within) / len(within) if within else None), of("executions_total")
    return (part / whole if whole else None), whole


def named(name: str) -> Bottleneck:
    found = find(name)
    assert found is not None
    return found


SUBJECTS = [
    Subject(each, agent if each.scope == "agent" else "")
    for each in BOTTLENECKS
    for agent in (HUNTER, CREATOR)
]
AGAIN = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@AGAIN
@given(
    bot=st.sampled_from(sorted(BOTS)),
    subject=st.sampled_from(SUBJECTS),
    offset=st.floats(0, HOUR),
    length=st.floats(0.001, HOUR),
)
def test_what_is_measured_is_what_was_counted_between_the_scrapes(
    url: str, bot: str, subject: Subject, offset: float, length: float
) -> None:
    start, end = round(BEGIN + offset, 3), round(BEGIN + offset + length, 3)
    measured = asyncio.run(
        Prometheus(url, bot).measure(subject.bottleneck.measure, subject.agent, start, end)
    )
    value, samples = expected(BOTS[bot], subject, start, end)
    assert (measured.start, measured.end, measured.samples) == (start, end, int(samples))
    assert measured.value == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12))
    assert bool(measured.note) == (value is None)


async def test_a_whole_hour_has_events(url: str) -> None:
    """So that the test above is not one of empty windows."""
    for subject in SUBJECTS:
        measured = await Prometheus(url, "one").measure(
            subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + HOUR
        )
        assert measured.value is not None
        assert measured.samples > 200


async def test_live_counters_that_began_anew_are_counted_on(url: str) -> None:
    """Of the whole hour: what came before the reset and what came after it; increase() extrapolates a little."""
    subject = Subject(COORDINATION_EFFICIENCY, CREATOR)
    whole = of_bot("restarted", 3, 1000)
    value, samples = expected(whole, subject, BEGIN, BEGIN + HOUR)
    measured = await Prometheus(url, "restarted").measure(
        subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + HOUR
    )
    assert measured.value == pytest.approx(value, rel=0.02)
    assert measured.samples == pytest.approx(samples, rel=0.02)


@pytest.mark.parametrize("bot", ["shrunk", "replaced"])
@pytest.mark.parametrize("bottleneck", ["agent_response_time", "agent_success_rate", "system_performance"])
async def test_nothing_is_measured_across_a_new_database(url: str, bot: str, bottleneck: str) -> None:
    subject = Subject(named(bottleneck), "" if bottleneck == "system_performance" else HUNTER)
    measured = await Prometheus(url, bot).measure(
        subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + HOUR
    )
    assert measured == Measurement(BEGIN, BEGIN + HOUR, None, 0, measured.note)
    assert "database" in measured.note
    before = await Prometheus(url, bot).measure(
        subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + 1200
    )
    assert before.value is not None


@pytest.mark.parametrize(
    ("bot", "bottleneck"),
    [
        ("lost-failed", "agent_success_rate"),
        ("lost-succeeded", "agent_success_rate"),
        ("lost-seconds", "agent_response_time"),
        ("lost-executions", "system_performance"),
    ],
)
async def test_nothing_is_measured_across_a_single_lost_row(url: str, bot: str, bottleneck: str) -> None:
    subject = Subject(named(bottleneck), "" if bottleneck == "system_performance" else HUNTER)
    measured = await Prometheus(url, bot).measure(
        subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + HOUR
    )
    assert measured == Measurement(BEGIN, BEGIN + HOUR, None, 0, measured.note)
    assert "lost rows" in measured.note
    before = await Prometheus(url, bot).measure(
        subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + 1200
    )
    assert before.value is not None


async def test_coordination_says_what_it_is_of(url: str) -> None:
    for agent, events in ((HUNTER, "negotiations"), (CREATOR, "messages")):
        subject = Subject(COORDINATION_EFFICIENCY, agent)
        assert (
            await Prometheus(url, "one").measure(
                subject.bottleneck.measure, subject.agent, BEGIN, BEGIN + HOUR
            )
        ).events == events


async def test_messages_do_not_depend_on_the_database(url: str) -> None:
    measured = await Prometheus(url, "replaced").measure(COORDINATION, HUNTER, BEGIN, BEGIN + HOUR)
    assert measured.value is not None


async def test_an_agent_that_is_not_there_has_no_value(url: str) -> None:
    for agent in ("nobody", f'{HUNTER}"}}', ".*"):
        measured = await Prometheus(url, "one").measure(RESPONSE_TIME, agent, BEGIN, NOW)
        assert (measured.value, measured.samples) == (None, 0)
        assert measured.note == "no executions with a duration were counted"
    empty = await Prometheus(url, "one").measure(RESPONSE_TIME, HUNTER, NOW, NOW)
    assert empty.note == "no time has passed"


async def test_without_an_agent_all_of_them_together(url: str) -> None:
    measured = await Prometheus(url, "one").measure(SUCCESS_RATE, "", BEGIN, BEGIN + HOUR)
    value, samples = expected(BOTS["one"], Subject(AGENT_SUCCESS_RATE, ""), BEGIN, BEGIN + HOUR)
    assert measured.value == pytest.approx(value)
    assert measured.samples == samples


@pytest.mark.parametrize("measure", GUARDRAILS, ids=lambda each: each.name)
async def test_every_guardrail_is_a_valid_query(url: str, measure: Measure) -> None:
    """Those for which nothing is recorded here have no value, and say so."""
    measured = await Prometheus(url, "one").measure(measure, HUNTER, BEGIN, BEGIN + HOUR)
    assert (measured.value is None) == bool(measured.note)


async def test_executions_that_are_not_counted(url: str) -> None:
    """As while a history is still read, or where the database's collector fails: that is no agent without any."""
    measured = await Prometheus(url, "unread").measure(SUCCESS_RATE, HUNTER, NOW - 500, NOW)
    assert (measured.value, measured.note) == (None, "it has executions, and none were counted in that time")
    none = await Prometheus(url, "unread").measure(SUCCESS_RATE, CREATOR, NOW - 500, NOW)
    assert none.note == "no executions with a known result were counted"


async def test_whether_the_bot_was_resumed_since(url: str) -> None:
    """Bot one was paused from eight to five minutes ago; of the others nothing is known."""
    assert await Prometheus(url, "one").resumed_since(NOW - 540)
    assert not await Prometheus(url, "one").resumed_since(NOW - 120)
    assert not await Prometheus(url, "new").resumed_since(NOW - 540)


async def test_a_portfolio_of_which_nothing_is_known(url: str) -> None:
    assert await Prometheus(url, "one").portfolio() == Portfolio(None, None)


async def test_what_the_rules_recorded(url: str) -> None:
    metrics = Prometheus(url, "one")
    assert await metrics.agents() == {HUNTER, CREATOR}
    assert await metrics.impacts() == {
        Subject(AGENT_SUCCESS_RATE, HUNTER): Impact("critical", 0.25),
        Subject(AGENT_RESPONSE_TIME, HUNTER): Impact("high", 0.4),
        Subject(SYSTEM_PERFORMANCE, ""): Impact("high", 0.1),
    }
    assert await metrics.thresholds() == {
        Subject(AGENT_RESPONSE_TIME, HUNTER): 2,
        Subject(AGENT_RESPONSE_TIME, CREATOR): 4,
        Subject(AGENT_SUCCESS_RATE, HUNTER): 0.7,
        Subject(COORDINATION_EFFICIENCY, HUNTER): 0.6,
        Subject(SYSTEM_PERFORMANCE, ""): 0.75,
    }
    assert await metrics.performance() == {HUNTER: Performance(0.45, 0.5, None)}


async def test_several_bots_need_a_name(url: str) -> None:
    for asked in (
        Prometheus(url).agents(),
        Prometheus(url).measure(SUCCESS_RATE, HUNTER, BEGIN, BEGIN + HOUR),
    ):
        with pytest.raises(UnavailableError, match=r"several bots \('.*optimizer\.bot"):
            await asked
    assert await Prometheus(url, "two").agents() == {"stranger"}


async def test_a_single_bot_needs_none(tmp_path: Path) -> None:
    made = {f'agent:known:group{{job="tweetbot",instance="x:1",agent="{HUNTER}"}}': lately(1)}
    with remembering(tmp_path, made) as alone:
        assert await Prometheus(alone).agents() == {HUNTER}
        assert await Prometheus(alone, "other").agents() == set()


@AGAIN
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=128))
def test_any_name_is_quoted_as_itself(url: str, text: str) -> None:
    answer = asyncio.run(fetch_json(f"{url}/api/v1/query", 10, query={"query": quoted(text)}))
    assert answer["data"]["result"][1] == text


async def test_a_name_selects_nothing_but_itself(url: str) -> None:
    for bot in ('one",job=~".+', "one|two", ".+", 'one"} or vector(1) or {x="', "one\n", ""):
        assert await Prometheus(url, bot).agents() == set()


def test_every_series_that_is_asked_for_exists() -> None:
    recorded = {
        rule["record"]
        for file in (ROOT / "rules" / "recording").glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    }
    exported = {family.name + suffix for family in FAMILIES for suffix in ("", "_sum", "_count", "_bucket")}
    asked = [expression for each in GUARDRAILS for expression in each.parts.values()]
    asked += [each.in_force(each.thresholds[0]) for each in BOTTLENECKS]
    asked += [prometheus._AGENTS, prometheus._IMPACTS, prometheus._PERFORMANCE, prometheus._PAUSED]
    asked += [prometheus._LOW_PERFORMANCE, prometheus._HIGH_PERFORMANCE]
    names = {name for text in asked for name in re.findall(r"tweetbot_\w+|\w+:\w+:\w+", text)}
    assert len(names) > 15
    assert names <= recorded | exported


# A Prometheus that is none, or not well.


@asynccontextmanager
async def answering(body: bytes, status: int = 200) -> AsyncIterator[Prometheus]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/v1/query", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Prometheus(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def vector(*series: Any, **more: Any) -> bytes:
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": series}, **more}
    ).encode()


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"no", 503, "answers with status 503"),
        (b'{"status":"error"}', 400, "answers with status 400"),
        (b"no", 200, "not JSON"),
        (b"[]", 200, "does not answer as Prometheus does"),
        (b'{"status":"error"}', 200, "does not answer as Prometheus does"),
        (vector({"metric": {}, "value": [1, "x"]}), 200, "does not answer as Prometheus does"),
        (vector({"metric": {"agent": 7}, "value": [1, "1"]}), 200, "does not answer as Prometheus does"),
        (vector(warnings=["half of it is missing"]), 200, "warns that its response may be incomplete"),
    ],
)
async def test_an_answer_that_is_none(body: bytes, status: int, told: str) -> None:
    async with answering(body, status) as metrics:
        for asked in (metrics.agents(), metrics.impacts(), metrics.thresholds()):
            with pytest.raises(UnavailableError, match=told):
                await asked


async def test_nobody_answers() -> None:
    with pytest.raises(UnavailableError, match=r"cannot connect to http://127.0.0.1:\d+/api/v1/query: conn"):
        await Prometheus(f"http://127.0.0.1:{free_port()}").agents()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
LABELS = st.dictionaries(
    st.sampled_from(["__name__", "agent", "bot", "part", "bottleneck", "bottleneck_severity"]),
    st.sampled_from(
        [
            *(each.name for each in BOTTLENECKS),
            "high",
            "",
            "rebased",
            "executions",
            prometheus._LOW_PERFORMANCE,
        ]
        + [each.in_force(each.thresholds[0]) for each in BOTTLENECKS]
    ),
)
SERIES = st.fixed_dictionaries(
    {
        "metric": LABELS | JSON,
        "value": st.tuples(st.floats(allow_nan=False), st.sampled_from(["1", "NaN", "x"])) | JSON,
    }
)


@AGAIN
@given(JSON | st.lists(SERIES, max_size=4))
async def test_no_answer_is_an_unexpected_error(found: Any) -> None:
    body = vector(*found) if isinstance(found, list) else json.dumps(found).encode()
    async with answering(body) as metrics:
        measured = metrics.measure(RESPONSE_TIME, HUNTER, 1, 2)
        asked = (
            metrics.agents(),
            metrics.impacts(),
            metrics.thresholds(),
            metrics.performance(),
            metrics.portfolio(),
            measured,
        )
        for result in await asyncio.gather(*asked, return_exceptions=True):
            assert not isinstance(result, BaseException) or isinstance(result, UnavailableError)
