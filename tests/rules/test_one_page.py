"""One cause, a hundred agents: how many messages a real Alertmanager sends, with the shipped routes and inhibition."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from alertmanager import DEADLINE_SECONDS, alertmanager, post_alerts
from rulefiles import RULES, Rule, alerts, load
from tools import serving

AGENTS = 100
BOT = {"job": "tweetbot", "instance": "one:9464", "bot": "one"}
LATER = {**BOT, "bot": "later"}
"""Fires when the others have been sent: what has not come before it does not come."""
FAILING = (
    "TweetbotAgentSuccessRateLow",
    "TweetbotAgentErrorBudgetBurn",
    "TweetbotSystemPerformanceLow",
    "TweetbotAgentsFailing",
)
SILENT = (
    "TweetbotAgentStalled",
    "TweetbotAgentStopped",
    "TweetbotAgentsFailing",
    "TweetbotBotStalled",
    "TweetbotBotDown",
    "TweetbotPortfolioStale",
)


def firing(names: tuple[str, ...], replica: str) -> Iterator[dict[str, Any]]:
    """Every alert of these names, in every severity, of every agent, as one of two Prometheus servers has them."""
    for rule in alerts():
        if rule["alert"] in names:
            for agent in agents(rule):
                labels = {"alertname": rule["alert"], **rule["labels"], **BOT, **agent, "replica": replica}
                yield {"labels": labels, "annotations": {"summary": rule["annotations"]["summary"]}}


def agents(rule: Rule) -> list[dict[str, str]]:
    is_of_an_agent = "$labels.agent" in rule["annotations"]["description"]
    return [{"agent": f"agent-{number}"} for number in range(AGENTS)] if is_of_an_agent else [{}]


class Receiver:
    """Counts messages, by receiver and alert."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, str]] = []

    async def receive(self, request: web.Request) -> web.Response:
        labels = (await request.json())["groupLabels"]
        self.messages.append((request.match_info["name"], labels["alertname"], labels["bot"]))
        return web.Response()

    async def until_sent(self, message: tuple[str, str, str]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while message not in self.messages:
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/{name}", self.receive)
        async with serving(app) as address:
            yield f"http://{address}"


def configuration(address: str) -> dict[str, Any]:
    """As it is shipped, but that it waits for seconds, and that all goes to `address`."""
    document: dict[str, Any] = load(RULES / "alertmanager.yml")
    document["templates"] = []
    document["route"]["group_wait"] = "5s"
    document["receivers"] = [
        {"name": each["name"], "webhook_configs": [{"url": f"{address}/{each['name']}"}]}
        if each["name"] in ("page", "ticket")
        else {"name": each["name"]}
        for each in document["receivers"]
    ]
    return document


@pytest.mark.slow("Alertmanager waits for a group to be complete")
@pytest.mark.parametrize(
    ("names", "page"),
    [(FAILING, "TweetbotAgentsFailing"), (SILENT, "TweetbotBotDown")],
    ids=["failing", "dead"],
)
async def test_a_hundred_agents_and_one_cause_are_one_page(
    names: tuple[str, ...], page: str, tmp_path: Path
) -> None:
    """Also where two Prometheus servers, told apart by an external label, both send it."""
    receiver = Receiver()
    async with receiver.listening() as address, alertmanager(tmp_path, configuration(address)) as url:
        # The cause first, as it inhibits the others.
        sent = [*firing(names, "a"), *firing(names, "b")]
        assert len(sent) > 2 * AGENTS
        await post_alerts(url, sorted(sent, key=lambda each: each["labels"]["alertname"] != page))
        await receiver.until_sent(("page", page, "one"))
        await post_alerts(url, [{"labels": {"alertname": "Later", "severity": "critical", **LATER}}])
        await receiver.until_sent(("page", "Later", "later"))
    assert [message for message in receiver.messages if message[0] == "page" and message[2] == "one"] == [
        ("page", page, "one")
    ]
    assert len([message for message in receiver.messages if message[2] == "one"]) <= 3


@pytest.mark.slow("Alertmanager waits for a group to be complete")
async def test_a_restart_of_alertmanager_sends_no_page_again(tmp_path: Path) -> None:
    receiver = Receiver()
    page = {"labels": {"alertname": "TweetbotBotDown", "severity": "critical", **BOT}}
    async with receiver.listening() as address:
        configured = configuration(address)
        async with alertmanager(tmp_path, configured) as url:
            await post_alerts(url, [page])
            await receiver.until_sent(("page", "TweetbotBotDown", "one"))
        async with alertmanager(tmp_path, configured) as url:
            await post_alerts(url, [page])
            await post_alerts(url, [{"labels": {"alertname": "Later", "severity": "critical", **LATER}}])
            await receiver.until_sent(("page", "Later", "later"))
    assert receiver.messages == [("page", "TweetbotBotDown", "one"), ("page", "Later", "later")]
