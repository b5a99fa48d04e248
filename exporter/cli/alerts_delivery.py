"""One page and one ticket through a running Alertmanager, and what its own metrics say became of them."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli.errors import CommandError
from exporter.cli.terminal import printable

SEVERITIES = {"TweetbotTestPage": "critical", "TweetbotTestTicket": "warning"}
"""Two names: under one, the page would take the ticket's place."""
_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_REQUESTS = "alertmanager_notification_requests_total"
_FAILED = "alertmanager_notification_requests_failed_total"
_GIVEN_UP = "alertmanager_notifications_failed_total"
"""What failed in a way that Alertmanager does not try again, such as a refused key."""


class Route(NamedTuple):
    """A receiver that an alert is sent to, by one of its integrations: webhook, telegram, ..."""

    alert: str
    receiver: str
    integration: str


class Requests(NamedTuple):
    """What an Alertmanager has sent since its start, by integration."""

    sent: Counter[str]
    failed: Counter[str]
    given_up: Counter[str]

    def since(self, before: "Requests") -> "Requests":
        return Requests(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def delivered(self) -> Counter[str]:
        return self.sent - self.failed


def deliver(url: str, seconds: float) -> bool:
    """Sends both through the Alertmanager at `url`, waits at most so long, and prints what became of each.

    True if every receiver of both was reached. CommandError if Alertmanager does not answer.
    """
    # A bot of its own for each test: it is in no group that has just been sent, and waits for none.
    bot = f"test-{datetime.now(UTC):%H%M%S}"
    before = _requests(url)
    _post(url, bot, seconds)
    print(f"Sent {' and '.join(SEVERITIES)} for the bot {bot} to {url}.")
    print(
        f"Alertmanager waits for others of the same kind first; this waits up to {seconds:g} s.", flush=True
    )
    try:
        routes = _routes(url, bot)
        since = _awaited(url, before, Counter(route.integration for route in routes), seconds)
    finally:
        _post(url, bot, 0)
    return _report(routes, since)


def _report(routes: Sequence[Route], since: Requests) -> bool:
    expected = Counter(route.integration for route in routes)
    delivered = {each for each, count in expected.items() if since.delivered[each] >= count}
    for route in routes:
        outcome = _outcome(route, since, delivered)
        print(printable(f"{route.alert} → {route.receiver} ({route.integration}): {outcome}"))
    missed = SEVERITIES.keys() - {route.alert for route in routes}
    for alert in sorted(missed):
        print(f"{alert}: no receiver that sends anything")
    return not missed and delivered == expected.keys()


def _outcome(route: Route, since: Requests, delivered: set[str]) -> str:
    failed = since.failed[route.integration]
    if route.integration in delivered:
        return "delivered" + (f" (failed requests: {failed})" if failed else "")
    if failed:
        return f"not delivered, failed requests: {failed}; Alertmanager's log says why"
    return "nothing was sent; is it silenced, muted at this hour, or is the group_wait longer?"


def _awaited(url: str, before: Requests, expected: Counter[str], seconds: float) -> Requests:
    """What was sent by the end. Twice the same, since a request is counted a moment before its failure."""
    deadline = time.monotonic() + seconds
    settled = False
    while True:
        since = _requests(url).since(before)
        complete = since.delivered + since.given_up >= expected
        if (complete and settled) or time.monotonic() >= deadline:
            return since
        settled = complete
        time.sleep(_POLL_SECONDS)


def _requests(url: str) -> Requests:
    counts = {name: Counter[str]() for name in (_REQUESTS, _FAILED, _GIVEN_UP)}
    for family in text_string_to_metric_families(_fetch(f"{url}/metrics")):
        for sample in family.samples:
            if sample.name in counts:
                counts[sample.name][sample.labels["integration"]] += int(sample.value)
    return Requests(*counts.values())


def _post(url: str, bot: str, seconds: float) -> None:
    """Both alerts, which end by themselves after so long."""
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    alerts = [
        {
            "labels": {"alertname": name, "severity": severity, "bot": bot},
            "annotations": {
                "summary": "This is a test: nothing is wrong.",
                "description": "Sent by `tweetbot-exporter alerts test`. It ends by itself.",
            },
            "endsAt": ends.isoformat(),
        }
        for name, severity in SEVERITIES.items()
    ]
    _fetch(f"{url}/api/v2/alerts", json.dumps(alerts).encode())


def _routes(url: str, bot: str) -> list[Route]:
    query = urlencode({"filter": f'bot="{bot}"'})
    receivers = _integrations(json.loads(_fetch(f"{url}/api/v2/status")))
    alerts = json.loads(_fetch(f"{url}/api/v2/alerts?{query}"))
    return sorted(
        Route(alert["labels"]["alertname"], receiver["name"], integration)
        for alert in alerts
        for receiver in alert["receivers"]
        for integration in receivers.get(receiver["name"], ())
    )


def _integrations(status: Mapping[str, Any]) -> dict[str, list[str]]:
    """Receiver → the integrations it has, from the configuration that Alertmanager shows."""
    document = yaml.safe_load(status["config"]["original"])
    return {each["name"]: [*_of_receiver(each)] for each in document["receivers"]}


def _of_receiver(receiver: Mapping[str, Any]) -> Iterator[str]:
    for key, settings in receiver.items():
        if key.endswith("_configs"):
            yield from [key.removesuffix("_configs")] * len(settings)


def _fetch(url: str, posted: bytes | None = None) -> str:
    request = Request(url, posted, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_ANSWER_SECONDS) as response:
            return str(response.read().decode())
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CommandError(
            f"no Alertmanager answers at {url}: {reason}; is --alertmanager-url right, and does it run?"
        ) from None
