"""Alertmanager's webhook, as bytes: what is taken from it, and what is refused."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.optimizer.alerts.webhook import MOST_ALERTS, EnvelopeError, TooManyError, WebhookPayload, parse
from exporter.optimizer.bottlenecks.agent_response_time import AGENT_RESPONSE_TIME
from exporter.optimizer.bottlenecks.system_performance import SYSTEM_PERFORMANCE
from exporter.optimizer.model import Alert, Subject

FINGERPRINT = "0123456789abcdef"
LABELS = {
    "alertname": "TweetbotAgentResponseTimeHigh",
    "bottleneck": "agent_response_time",
    "bottleneck_severity": "high",
    "severity": "warning",
    "agent": "market-hunter",
    "bot": "main",
    "job": "tweetbot",
}


def alert(labels: Any = LABELS, **fields: Any) -> dict[str, Any]:
    """As Alertmanager 0.25 writes it."""
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "Too slow.", "description": "It takes 2.8s."},
        "startsAt": "2026-11-12T13:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=x",
        "fingerprint": FINGERPRINT,
        **fields,
    }


def envelope(*alerts: Any, **fields: Any) -> bytes:
    return json.dumps(
        {
            "receiver": "optimizer",
            "status": "firing",
            "alerts": alerts,
            "groupLabels": {"bot": "main"},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093",
            "version": "4",
            "groupKey": '{}:{bot="main"}',
            "truncatedAlerts": 0,
            **fields,
        }
    ).encode()


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in LABELS.items() if name != key}


def test_what_is_taken_from_an_alert() -> None:
    moment = datetime(2026, 11, 12, 13, 0, 0, 123456, UTC).timestamp()
    slow = Subject(AGENT_RESPONSE_TIME, "market-hunter")
    whole = {**without("agent"), "bottleneck": "system_performance", "bottleneck_severity": "critical"}
    payload = parse(envelope(alert(), alert(whole, status="resolved")), "main")
    assert payload == WebhookPayload(
        (
            Alert(slow, "high", True, FINGERPRINT, moment),
            Alert(Subject(SYSTEM_PERFORMANCE, ""), "critical", False, FINGERPRINT, moment),
        ),
        Counter(),
    )


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (without("bottleneck"), "not_a_bottleneck"),
        ({"alertname": "Watchdog"}, "not_a_bottleneck"),
        ({}, "not_a_bottleneck"),
        ({**LABELS, "bottleneck": "boredom"}, "not_a_bottleneck"),
        ({**LABELS, "bot": "other"}, "other_bot"),
        (without("bot"), "other_bot"),
        ({**LABELS, "bot": "Main"}, "other_bot"),
        (without("agent"), "malformed"),
        ({**LABELS, "agent": ""}, "malformed"),
        ({**LABELS, "bottleneck": "system_performance"}, "malformed"),
        (without("bottleneck_severity"), "malformed"),
        ({**LABELS, "bottleneck_severity": "page"}, "malformed"),
        ({**LABELS, "agent": "x" * 129}, "malformed"),
        ({**LABELS, "agent": 7}, "malformed"),
        ({**LABELS, "agent": None}, "malformed"),
        ({**LABELS, "agent": ["market-hunter"]}, "malformed"),
        ({**LABELS, "agent": "\ud800"}, "malformed"),
        ({**LABELS, "bottleneck": {}}, "malformed"),
        (None, "malformed"),
        ([], "malformed"),
        ("labels", "malformed"),
    ],
)
def test_labels_that_are_of_no_use(labels: Any, reason: str) -> None:
    payload = parse(envelope(alert(), alert(labels), alert()), "main")
    assert (len(payload.alerts), payload.rejected, payload.size) == (2, Counter({reason: 1}), 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "suppressed"},
        {"status": None},
        {"fingerprint": ""},
        {"fingerprint": "0123456789ABCDEF"},
        {"fingerprint": FINGERPRINT + "\n"},
        {"fingerprint": "../../etc/passwd"},
        {"fingerprint": 1},
        {"startsAt": ""},
        {"startsAt": 1794488400},
        {"startsAt": "0001-01-01T00:00:00Z"},
        {"startsAt": "1969-12-31T23:59:59Z"},
        {"startsAt": "2026-11-12"},
        {"startsAt": "2026-11-12T13:00:00"},
        {"startsAt": "2026-02-30T13:00:00Z"},
        {"startsAt": "2026-11-12T13:00:60Z"},
        {"startsAt": "2026-11-12T13:00:00+25:00"},
        {"startsAt": "٢٠٢٦-11-12T13:00:00Z"},
        {"startsAt": "2026-11-12T13:00:00Z\n"},
        {"startsAt": "2026-11-12T13:00:00." + "1" * 10 + "Z"},
    ],
)
def test_fields_that_are_of_no_use(fields: dict[str, Any]) -> None:
    payload = parse(envelope(alert(**fields), 7, alert()), "main")
    assert (len(payload.alerts), payload.rejected) == (1, Counter(malformed=2))


@pytest.mark.parametrize("missing", ["status", "labels", "startsAt", "fingerprint"])
def test_a_missing_field(missing: str) -> None:
    cut = alert()
    del cut[missing]
    assert parse(envelope(cut), "main").rejected == Counter(malformed=1)


@pytest.mark.parametrize("unread", ["annotations", "endsAt", "generatorURL"])
def test_what_is_not_read_may_be_anything(unread: str) -> None:
    for value in (None, 7, ["deep", {"er": []}], "x" * 10_000):
        assert len(parse(envelope(alert(**{unread: value}, added="later")), "main").alerts) == 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-12T13:00:00Z", 1794488400),
        ("2026-11-12T14:00:00+01:00", 1794488400),
        ("2026-11-12T13:00:00.5Z", 1794488400.5),
        ("2026-11-12T13:00:00.000000999Z", 1794488400),
        ("1970-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
def test_moments_as_go_writes_them(text: str, moment: float) -> None:
    (found,) = parse(envelope(alert(startsAt=text)), "main").alerts
    assert found.starts_at == moment


def test_without_a_configured_bot_any_will_do() -> None:
    assert len(parse(envelope(alert(), alert(without("bot"))), None).alerts) == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b'{"version": NaN}', "not valid JSON"),
        (b'{"version": ' + b"1" * 5000 + b"}", "not valid JSON"),
        ('{"version": "4"}'.encode("utf-16"), "not valid JSON"),
        (envelope(alert())[:-1] + b', "version": "4"}', "each key once"),
        (envelope(alert()).replace(b'"agent":', b'"agent": "a", "agent":'), "each key once"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (envelope(alert(annotations=0)).replace(b": 0,", b": " + b"[" * 5000 + b"]" * 5000 + b","), "too deeply"),
        (b"[]", "the document"),
        (b"null", "the document"),
        (b"{}", "version"),
        (envelope(alert(), version="3"), "version"),
        (envelope(alert(), version=4), "version"),
        (envelope(alerts=None), "alerts"),
        (envelope(alerts={}), "alerts"),
    ],
)  # fmt: skip
def test_what_is_no_webhook(body: bytes, told: str) -> None:
    with pytest.raises(EnvelopeError, match=told):
        parse(body, "main")


def test_no_more_than_a_thousand_at_a_time() -> None:
    assert len(parse(envelope(*[alert()] * MOST_ALERTS), "main").alerts) == MOST_ALERTS
    with pytest.raises(TooManyError, match="max_alerts"):
        parse(envelope(*[7] * (MOST_ALERTS + 1)), "main")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def almost_alerts(draw: st.DrawFn) -> Any:
    """An alert, but for one field or label."""
    made = alert(dict(LABELS))
    target = draw(st.sampled_from([made, made["labels"]]))
    target[draw(st.sampled_from(sorted(target)))] = draw(JSON)
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(almost_alerts() | JSON, max_size=5))
def test_every_alert_is_taken_or_counted(alerts: list[Any]) -> None:
    payload = parse(envelope(alert(), *alerts), "main")
    assert payload.size == len(alerts) + 1
    assert payload.alerts[0].subject.agent == "market-hunter"
    assert set(payload.rejected) <= {"malformed", "not_a_bottleneck", "other_bot"}
    for each in payload.alerts:
        assert 0 < len(each.subject.agent) <= 128 or each.subject.bottleneck.name == "system_performance"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.builds(json.dumps, JSON).map(str.encode))
def test_no_body_is_an_unexpected_error(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(body, "main")
