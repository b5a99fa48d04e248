"""What becomes of the document's values: units, labels, counters, and what is left out."""

import time
from typing import Any

import pytest

from exporter.collectors import registry
from exporter.collectors.scrape import Scraper
from exporter.config import Config

from .documents import VALIDATOR, Document, buckets, document, series, whole

HUNTER = "market-hunter"


class Bot:
    """A bot with a bridge, and an exporter for it."""

    def __init__(self, bridge: Any, config: Config) -> None:
        self.bridge = bridge
        self.scraper = Scraper(registry.build(config))

    async def page(self, shown: Document | None = None) -> dict[str, float]:
        return series(await self.metrics(shown))

    async def metrics(self, shown: Document | None = None) -> list[Any]:
        if shown is not None:
            self.bridge.document = shown
        return await self.scraper.scrape()


@pytest.fixture
def bot(bridge: Any) -> Bot:
    return Bot(bridge, bridge.config())


def test_the_documents_of_these_tests_are_valid() -> None:
    VALIDATOR.validate(whole())
    VALIDATOR.validate(document())


async def test_every_value_of_the_document(bot: Bot) -> None:
    metrics = await bot.metrics(whole())
    page = series(metrics)
    expected = {
        f"agent_running{{{HUNTER}}}": 1,
        "agent_running{content-creator}": 0,
        f"agent_cycles_total{{{HUNTER}}}": 42,
        f"agent_last_execution_timestamp_seconds{{{HUNTER}}}": 1200.25,
        f"agent_reputation_ratio{{{HUNTER}}}": 0.9,
        f"agent_autonomy_ratio{{{HUNTER}}}": 0.6,
        f"agent_goal_progress_ratio{{{HUNTER},primary}}": 0.75,
        f"agent_goal_progress_ratio{{{HUNTER},secondary}}": 0.82,
        f"agent_goal_progress_ratio{{{HUNTER},tactical}}": 0.68,
        f"agent_goal_progress_ratio{{{HUNTER},overall}}": 0.6,
        f"agent_goal_progress_timestamp_seconds{{{HUNTER}}}": 1190,
        f"agent_adaptations_total{{{HUNTER}}}": 3,
        f"agent_performance_ratio{{{HUNTER}}}": pytest.approx(0.7),
        f"agent_recent_decisions{{{HUNTER}}}": 5,
        f"agent_decision_history{{{HUNTER}}}": 77,
        f"agent_success_history_ratio{{{HUNTER}}}": 0.75,
        "orchestrator_running": 1,
        "orchestrator_cycles_total": 4,
        "orchestrator_cycles_failed_total": 1,
        "orchestrator_cycles_skipped_total": 2,
        "orchestrator_info{end_mark}": 1,
        "orchestrator_cycle_duration_seconds_count": 3,
        "orchestrator_cycle_duration_seconds_sum": pytest.approx(404.2),
        "orchestrator_last_cycle_timestamp_seconds": 1234.5,
        "orchestrator_learning_rate_ratio": 0.15,
        "orchestrator_performance_ratio{success}": 0.7,
        "orchestrator_performance_ratio{decision_quality}": 0.8,
        "orchestrator_performance_ratio{adaptation_effectiveness}": 0.5,
        "process_cpu_seconds_total{unknown,user}": 2.5,
        "process_cpu_seconds_total{unknown,system}": 0.5,
        "process_start_time_seconds{unknown}": 1000,
        "process_resident_memory_bytes{unknown}": 5000,
        "process_heap_used_bytes{unknown}": 1000,
        "process_heap_size_bytes{unknown}": 2000,
        "process_heap_limit_bytes{unknown}": 4000,
        "process_open_fds{unknown}": 20,
        "process_threads{unknown}": 11,
        "process_eventloop_lag_p50_seconds{unknown}": 0.001,
        "process_eventloop_lag_p99_seconds{unknown}": 0.02,
        "process_eventloop_lag_max_seconds{unknown}": 0.3,
        "nodejs_info{unknown,v20.1.0,linux}": 1,
        f"messages_total{{{HUNTER},content-creator}}": 8,
        f"messages_total{{content-creator,{HUNTER}}}": 4,
        f"messages_failed_total{{{HUNTER},content-creator}}": 2,
        f"messages_failed_total{{content-creator,{HUNTER}}}": 1,
        f"message_latency_seconds_count{{{HUNTER}}}": 3,
        f"message_latency_seconds_sum{{{HUNTER}}}": pytest.approx(9.032),
        "messages_queued": 12,
        f"negotiations_total{{{HUNTER}}}": 10,
        f"negotiations_succeeded_total{{{HUNTER}}}": 4,
        f"agent_coordination_ratio{{{HUNTER}}}": 0.4,
        "agent_coordination_ratio{content-creator}": 0.75,
        f"reported_decisions_total{{{HUNTER}}}": 12,
        f"reported_value{{{HUNTER},decisionCount}}": 13,
        f"reported_sources_queried_total{{{HUNTER}}}": 30,
        f"reported_signals_generated_total{{{HUNTER}}}": 6,
        "reported_signals_generated_total{content-creator}": 6,
        f"reported_api_calls_total{{{HUNTER}}}": 24,
        "reported_api_calls_total{content-creator}": 24,
        f"reported_success_ratio{{{HUNTER}}}": 0.95,
        f"reported_confidence_ratio{{{HUNTER}}}": 0.8,
        f"reported_response_time_seconds{{{HUNTER}}}": 1.25,
        f"reported_cache_hit_ratio{{{HUNTER}}}": 0.5,
        f"reported_timestamp_seconds{{{HUNTER}}}": 1195,
        "reported_timestamp_seconds{content-creator}": 1196,
        f"reported_value{{{HUNTER},queue.depth}}": 3,
        f"reported_value{{{HUNTER},queue.retries.total}}": 1,
        f"agent_resource_efficiency_ratio{{{HUNTER}}}": 0.5,
        "agent_resource_efficiency_ratio{content-creator}": 0.25,
        "bridge_up{unknown}": 1,
        "bridge_state_timestamp_seconds": bot.bridge.document["time"],
    }
    about = {key: value for key, value in page.items() if key not in expected}
    assert {key: page.get(key) for key in expected} == expected
    assert all(key.startswith(("scrape_", "exporter_", "label_", "bridge_malformed")) for key in about)
    assert [value for key, value in about.items() if "success" in key] == [1] * 4
    assert [value for key, value in about.items() if "overflow" in key or "malformed" in key] == [0] * 7
    assert buckets(metrics, "message_latency_seconds")["0.05"] == 2
    assert buckets(metrics, "orchestrator_cycle_duration_seconds")["300.0"] == 2
    assert buckets(metrics, "orchestrator_cycle_duration_seconds")["+Inf"] == 3


async def test_what_the_bot_does_not_have_is_absent(bot: Bot) -> None:
    shown = document(
        process={"pid": 1, "startTime": 5.0}, agents=[{"id": "a"}], orchestrator={}, selfReports=[]
    )
    page = await bot.page(shown)
    assert [key for key in page if key.startswith(("agent", "orch", "mess", "nego", "rep", "node"))] == []
    assert {key for key in page if key.startswith("process")} == {"process_start_time_seconds{unknown}"}
    assert [value for key, value in page.items() if key.startswith("scrape_collector_success")] == [1] * 4


async def test_null_is_absent_and_no_fault(bot: Bot) -> None:
    page = await bot.page(
        document(agents=[{"id": "a", "cycles": None, "goalProgress": None}], selfReports=None)
    )
    assert "agent_cycles_total{a}" not in page
    assert page["bridge_malformed_values_total{agents}"] == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cycles", -1),
        ("cycles", 1.5),
        ("cycles", "4"),
        ("cycles", True),
        ("cycles", 10**400),
        ("reputation", 101),
        ("reputation", -0.1),
        ("running", 1),
        ("lastExecutionTime", -5),
        ("goalProgress", [1]),
        ("successHistory", 3),
    ],
)
async def test_one_bad_value_costs_one_sample(bot: Bot, key: str, value: object) -> None:
    good = whole()
    before = await bot.page(good)
    good["agents"][0][key] = value
    page = await bot.page(good)
    assert page["bridge_malformed_values_total{agents}"] == 1
    lost = before.keys() - page.keys()
    depends = {
        "goalProgress": 6,  # four goals, the moment, and the performance ratio
        "reputation": 2,
    }
    assert len(lost) == depends.get(key, 1), lost
    assert page["scrape_collector_success{agents}"] == 1


async def test_a_part_of_the_wrong_type_costs_its_source(bot: Bot) -> None:
    page = await bot.page(whole() | {"agents": {"a": 1}, "selfReports": "none"})
    names = ("agents", "communication", "self_reports", "system")
    assert [page[f"scrape_collector_success{{{name}}}"] for name in names] == [0, 1, 0, 1]


async def test_histograms_that_make_no_sense_are_left_out(bot: Bot) -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"buckets": [3] * 10, "count": 1},
        {"buckets": [-1] + [3] * 9},
        {"buckets": [0.5] * 10},
        {"buckets": []},
        {"bounds": [1, 2], "buckets": [1, 2]},
        {"bounds": [5, 4, 3, 2, 1], "buckets": [0] * 5},
        {"sum": -1},
        {"sum": None},
        {"bounds": "all"},
    )
    for change in changes:
        shown = whole()
        shown["communication"]["latency"][0] |= change
        page = await bot.page(shown)
        assert f"message_latency_seconds_count{{{HUNTER}}}" not in page, change
    assert page["bridge_malformed_values_total{communication}"] == 9


async def test_bounds_beyond_the_familys_are_dropped(bot: Bot) -> None:
    shown = whole()
    latency = shown["communication"]["latency"][0]
    latency["bounds"].append(7.5)
    latency["buckets"].append(2)
    assert buckets(await bot.metrics(shown), "message_latency_seconds")["5.0"] == 2


async def test_aliases_are_those_of_all_sources(bridge: Any) -> None:
    config = bridge.config(agents__aliases={"Market Hunter": "hunter"})
    page = await Bot(bridge, config).page(whole())
    for key in (
        "agent_running{hunter}",
        "messages_total{hunter,content-creator}",
        "messages_total{content-creator,hunter}",
        "negotiations_total{hunter}",
        "reported_success_ratio{hunter}",
    ):
        assert key in page


async def test_two_spellings_of_one_agent_are_one_series(bot: Bot) -> None:
    agents = [{"id": "A B", "cycles": 5, "reputation": 0.5}, {"id": "a-b", "cycles": 7, "reputation": 0.9}]
    page = await bot.page(document(agents=agents))
    assert page["agent_cycles_total{a-b}"] == 12
    assert page["agent_reputation_ratio{a-b}"] == 0.5


async def test_agents_beyond_the_bound(bridge: Any) -> None:
    bot = Bot(bridge, bridge.config(limits__agents=2))
    agents = [{"id": name, "cycles": 1, "reputation": 0.5} for name in ("a", "b", "c", "d", "x" * 200)]
    page = await bot.page(document(agents=agents))
    assert {key for key in page if key.startswith("agent_cycles")} == {
        "agent_cycles_total{a}",
        "agent_cycles_total{b}",
        "agent_cycles_total{other}",
    }
    assert page["agent_cycles_total{other}"] == 3
    assert "agent_reputation_ratio{other}" not in page
    assert page["label_overflow_total{agents}"] == 3
    page = await bot.page(document(agents=list(reversed(agents))))
    assert page["agent_cycles_total{a}"] == 1


async def test_pairs_and_reported_names_beyond_the_bound(bridge: Any) -> None:
    bot = Bot(bridge, bridge.config(limits__label_pairs=2))
    pairs = [{"from": "a", "to": str(number), "sent": 1, "failed": 0} for number in range(5)]
    report = {f"key{number}": number for number in range(5)}
    page = await bot.page(
        document(
            communication={"startTime": 1, "pairs": pairs, "latency": []},
            selfReports=[{"agent": "a", "time": 1, "report": report}],
            leftOut={"agents": 0, "messages": 7, "reportValues": 2, "malformed": 0},
        )
    )
    assert page["messages_total{a,other}"] == 3
    assert page["label_overflow_total{communication}"] == 3 + 7
    assert {key for key in page if key.startswith("reported_value")} == {
        "reported_value{a,key0}",
        "reported_value{a,key1}",
    }
    assert page["label_overflow_total{self_reports}"] == 3 + 2


async def test_counters_never_fall_while_the_bot_runs(bot: Bot) -> None:
    def with_cycles(*counts: int) -> Document:
        return document(agents=[{"id": f"a{'-' * at}", "cycles": count} for at, count in enumerate(counts)])

    assert (await bot.page(with_cycles(5)))["agent_cycles_total{a}"] == 5
    # An agent that is made again counts anew.
    assert (await bot.page(with_cycles(2)))["agent_cycles_total{a}"] == 7
    assert (await bot.page(with_cycles(3)))["agent_cycles_total{a}"] == 8
    # One of two spellings goes.
    assert (await bot.page(with_cycles(3, 10)))["agent_cycles_total{a}"] == 18
    assert (await bot.page(with_cycles(4)))["agent_cycles_total{a}"] == 19
    # One that is not there for a moment, as when the bot was slow, comes back as it was.
    assert "agent_cycles_total{a}" not in await bot.page(document(agents=[]))
    assert (await bot.page(with_cycles(4)))["agent_cycles_total{a}"] == 19


async def test_after_a_restart_of_the_bot_counters_start_anew(bot: Bot) -> None:
    await bot.page(whole())
    shown = whole()
    shown["process"] |= {"pid": 8, "startTime": 2000.0, "cpu": {"user": 0.1, "system": 0.0}}
    shown["agents"][0]["cycles"] = 1
    shown["communication"]["pairs"][0]["sent"] = 0
    page = await bot.page(shown)
    assert page[f"agent_cycles_total{{{HUNTER}}}"] == 1
    assert page[f"messages_total{{{HUNTER},content-creator}}"] == 0
    assert page["process_cpu_seconds_total{unknown,user}"] == 0.1
    assert page["process_start_time_seconds{unknown}"] == 2000


async def test_a_restart_forgets_names_but_not_overflows(bridge: Any) -> None:
    bot = Bot(bridge, bridge.config(limits__agents=1))
    await bot.page(document(agents=[{"id": "a", "cycles": 1}, {"id": "b", "cycles": 1}]))
    shown = document(agents=[{"id": "b", "cycles": 1}])
    shown["process"]["startTime"] = 2000.0
    page = await bot.page(shown)
    assert page["agent_cycles_total{b}"] == 1
    assert page["label_overflow_total{agents}"] == 1


async def test_without_negotiations_messages_say_how_well_it_coordinates(bot: Bot) -> None:
    shown = whole()
    shown["communication"]["negotiations"][0] |= {"total": 0, "succeeded": 0}
    assert (await bot.page(shown))[f"agent_coordination_ratio{{{HUNTER}}}"] == 0.75
    shown["communication"]["pairs"] = []
    assert f"agent_coordination_ratio{{{HUNTER}}}" not in await bot.page(shown)


@pytest.mark.parametrize("signals", [0, 24, 1000])
async def test_efficiency_is_a_ratio(bot: Bot, signals: int) -> None:
    report = {"signalsGenerated": signals, "apiCallsUsed": 24}
    page = await bot.page(document(selfReports=[{"agent": "a", "time": 1, "report": report}]))
    assert page["agent_resource_efficiency_ratio{a}"] == min(1, signals / 24)


async def test_efficiency_needs_a_call(bot: Bot) -> None:
    report = {"signalsGenerated": 5, "apiCallsUsed": 0}
    page = await bot.page(document(selfReports=[{"agent": "a", "time": 1, "report": report}]))
    assert "agent_resource_efficiency_ratio{a}" not in page


async def test_reports_are_bounded_in_depth(bot: Bot) -> None:
    report = {"a": {"b": {"c": {"d": 1, "e": {"f": 1}}}}, "line\nbreak": 1, "\ud800": 2}
    page = await bot.page(document(selfReports=[{"agent": "a", "time": 1, "report": report}]))
    assert {key for key in page if key.startswith("reported_value")} == {"reported_value{a,a.b.c.d}"}
    assert page["bridge_malformed_values_total{self_reports}"] == 3


async def test_what_the_bridge_found_malformed_counts(bot: Bot) -> None:
    shown = document(leftOut={"agents": 2, "messages": 0, "reportValues": 0, "malformed": 4}, agents=[])
    page = await bot.page(shown)
    assert page["bridge_malformed_values_total{agents}"] == 4
    assert page["label_overflow_total{agents}"] == 2


async def test_the_states_moment_stays_while_no_document_can_be_read(bot: Bot) -> None:
    shown = document()
    await bot.page(shown)
    page = await bot.page(document(time=time.time() - 1000))
    assert page["scrape_collector_success{agents}"] == 0
    assert page["bridge_state_timestamp_seconds"] == pytest.approx(time.time() - 1000, abs=5)


@pytest.mark.parametrize(
    ("pairs", "change", "is_noise"), [(20, 0.15, True), (5, 0.051, True), (4, 0.5, False), (20, 0.05, False)]
)
async def test_a_progress_that_is_noise_is_in_no_score(
    bot: Bot, pairs: int, change: float, is_noise: bool
) -> None:
    shown = whole()
    shown["agents"][0]["goalProgress"]["noise"] = {"pairs": pairs, "medianChange": change}
    VALIDATOR.validate(shown)
    page = await bot.page(shown)
    assert page[f"agent_goal_progress_noise_ratio{{{HUNTER}}}"] == change
    assert (f"agent_goal_progress_ratio{{{HUNTER},overall}}" not in page) == is_noise
    assert (f"agent_performance_ratio{{{HUNTER}}}" not in page) == is_noise
    assert page[f"agent_reputation_ratio{{{HUNTER}}}"] == 0.9
