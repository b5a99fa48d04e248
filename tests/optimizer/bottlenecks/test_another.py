"""A bottleneck that the optimizer has never seen: its object in the list is all that it needs."""

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.optimizer import bottlenecks, service, strategies
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.base import Bottleneck
from exporter.optimizer.evaluation import Comparison, evaluate, window
from exporter.optimizer.measures.base import Estimate, Parts
from exporter.optimizer.measures.executions import SUCCESS_RATE
from exporter.optimizer.measures.queries import counted
from exporter.optimizer.model import Impact, Measurement, Performance, Subject
from optimizer.adapters.test_prometheus import answering, vector
from optimizer.alerts.test_webhook import LABELS, alert, envelope
from optimizer.fakes import HUNTER, NOON, config
from optimizer.http.test_app import served


def _mean(parts: Parts) -> Estimate:
    return Estimate(parts.get("idle"), 0.02, 50.0, "shifts")


IDLENESS = replace(
    SUCCESS_RATE,
    name="idleness",
    direction="lower_is_better",
    parts={"idle": counted("tweetbot_idle_total")},
    mean=_mean,
    no_value="no shift was counted",
    text="idleness",
    events="shifts",
)


IDLE = replace(
    AGENT_RESPONSE_TIME,
    name="agent_idleness",
    measure=IDLENESS,
    thresholds=(replace(AGENT_RESPONSE_TIME.thresholds[0], series="idle_ratio:threshold_high"),),
    actions=replace(
        AGENT_RESPONSE_TIME.actions,
        adaptations=("INCREASE_AUTONOMY",),
        autonomy=("raise",),
        settling_seconds=42.0,
    ),
    finding="the idleness of {target} exceeds {limit} by {impact}",
    advice="give it work",
)
SUBJECT = Subject(IDLE, HUNTER)


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> Bottleneck:
    monkeypatch.setattr(bottlenecks, "BOTTLENECKS", (*bottlenecks.BOTTLENECKS, IDLE))
    return IDLE


def test_its_strategy() -> None:
    performance = {HUNTER: Performance(0.9, 0.5, 0.8)}
    actions, _ = strategies.choose(SUBJECT, "high", performance, config(), strategies.Restrictions())
    made = strategies.make(SUBJECT, Impact("high", 0.25), 0.4, actions, config())
    assert [each.name for each in made.actions] == ["execute_adaptation", "adjust_autonomy"]
    assert (made.type, made.implementation_seconds) == ("agent_idleness", 42.0)
    assert made.description.startswith(
        "the idleness of market-hunter exceeds the threshold of 40.0 % by 25.0 %; "
    )
    assert made.success_metrics[0] == "idleness of market-hunter at most 40.0 %"


def test_its_evaluation() -> None:
    before, after = (Measurement(0, 1, value, 400, standard_error=0.02) for value in (0.6, 0.3))
    found = evaluate(IDLE, Comparison(IDLENESS, before, after, 0.05), (), 0.4, last_look=False)
    assert found is not None
    assert (found.verdict, found.improvement_ratio) == ("succeeded", 0.5)
    assert "idleness 60.0 % -> 30.0 % over 400 shifts" in found.reason
    assert window(IDLENESS, 0.0, 100.0, 10.0, 100.0) == (0.0, 100.0)


async def test_its_queries() -> None:
    labels = {"bot": "main", "agent": HUNTER}
    impact = {"bottleneck": "agent_idleness", "bottleneck_severity": "high", **labels}
    answer = vector(
        {"metric": {**labels, "part": "idle"}, "value": [1, "0.6"]},
        {"metric": impact, "value": [1, "0.25"]},
        {"metric": {"__name__": "agent:idle_ratio:threshold_high", **labels}, "value": [1, "0.4"]},
    )
    async with answering(answer) as prometheus:
        assert await prometheus.measure(IDLENESS, HUNTER, 1, 2) == Measurement(
            1, 2, 0.6, 50, "", "shifts", 0.02
        )
        assert await prometheus.impacts() == {SUBJECT: Impact("high", 0.25)}
        assert await prometheus.thresholds() == {SUBJECT: 0.4}


def test_its_time_can_be_configured() -> None:
    service._check_bottlenecks(["agent_idleness"])


async def test_from_its_alert_to_its_effect(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        world = client.world
        world.metrics.seen[SUBJECT], world.metrics.limits[SUBJECT] = Impact("high", 0.25), 0.4
        world.metrics.values[SUBJECT] = (0.6, 400)
        assert f"{{{'agent_idleness,waiting'}}}" in "".join(await client.metrics())
        labels = {**LABELS, "bottleneck": "agent_idleness", "agent": HUNTER}
        assert (await client.post(envelope(alert(labels))))[1]["accepted"] == 1
        await world.step()
        assert (await world.entry()).state == "measuring"
        world.metrics.values[SUBJECT] = (0.3, 400)
        await world.step(7 * 3600.0)
        entry = await world.entry()
        assert (entry.subject, entry.outcome) == (SUBJECT, "succeeded")
        assert entry.created_at == NOON
        assert (await client.metrics())["optimizations_total{agent_idleness,succeeded}"] == 1
