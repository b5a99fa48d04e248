"""What people get: one message through each receiver that `setup` can write, by a real Alertmanager.

The services are played by this test; their messages are kept in tests/golden/messages.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from alertmanager import DEADLINE_SECONDS, alertmanager, post_alerts
from rulefiles import RULES
from tools import GOLDEN

from exporter.cli import setup_alertmanager
from exporter.cli.setup_alertmanager import Receiver

SHIPPED = (RULES / "alertmanager.yml").read_text("utf-8")
RUNBOOKS = "http://localhost:9464/runbooks"
DASHBOARD = "http://localhost:3000/d/tweetbot-agent/agent?var-bot=tweetbot&viewPanel=7"
PERIOD = {"startsAt": "2126-11-12T13:00:00Z", "endsAt": "2126-11-12T14:00:00Z"}
"""Of an alert that began longer ago than `group_wait`, Alertmanager sends what it has of the group at once."""
ONE = [
    {
        "labels": {
            "alertname": "TweetbotAgentResponseTimeHigh", "severity": "critical", "bot": "tweetbot",
            "agent": "market-hunter", "instance": "localhost:9464",
        },
        "annotations": {
            "summary": "An agent takes too long.",
            "description": "The recent executions of agent market-hunter of tweetbot take 2.8s on average, "
            "more than 2s.",
            "impact": "40%",
            "suggested_fix": "Faster decision logic, or more resources.",
            "runbook_url": f"{RUNBOOKS}/TweetbotAgentResponseTimeHigh.md",
            "dashboard_url": DASHBOARD,
        },
        **PERIOD,
        "generatorURL": "http://localhost:9090/graph?g0.expr=up&g0.tab=1",
    }
]  # fmt: skip
MANY = [
    {
        "labels": {
            "alertname": "TweetbotAgentSuccessRateLow", "severity": "warning", "bot": "tweetbot",
            "agent": f"agent-{number}", "instance": "localhost:9464",
        },
        "annotations": {
            "summary": "Too many executions of an agent fail.",
            "description": f"62% of the recent executions of agent agent-{number} of tweetbot succeeded.",
            "impact": "8%",
            "runbook_url": f"{RUNBOOKS}/TweetbotAgentSuccessRateLow.md",
            "dashboard_url": DASHBOARD,
        },
        **PERIOD,
        "generatorURL": "http://localhost:9090/graph?g0.expr=up&g0.tab=1",
    }
    for number in range(1, 8)
]  # fmt: skip


class Services:
    """Takes what each service takes, and keeps what a person would see of it, by service and alert."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, str]] = {}

    def keep(self, service: str, text: str) -> None:
        """A message about several agents is that of MANY."""
        self.messages.setdefault(service, {})["many" if "agent-1" in text else "one"] = text

    @property
    def is_complete(self) -> bool:
        return all(len(self.messages.get(service, ())) == 2 for service in SERVICES)

    async def telegram(self, request: web.Request) -> web.Response:
        assert request.match_info["method"] == "bot1:token/sendMessage"
        document = json.loads(await request.text())
        assert document["chat_id"] == "-100"
        self.keep("telegram", document["text"])
        return web.json_response({"ok": True, "result": {"message_id": 1, "chat": {"id": -100}}})

    async def discord(self, request: web.Request) -> web.Response:
        (embed,) = json.loads(await request.text())["embeds"]
        self.keep("discord", f"title: {embed['title']}\n\n{embed['description']}")
        return web.Response(status=204)

    async def slack(self, request: web.Request) -> web.Response:
        (attachment,) = json.loads(await request.text())["attachments"]
        head = (f"{key}: {attachment[key]}\n" for key in ("title", "title_link", "fallback", "color"))
        self.keep("slack", "".join(head) + f"\n{attachment['text']}")
        return web.Response(text="ok")

    async def pagerduty(self, request: web.Request) -> web.Response:
        document = json.loads(await request.text())
        assert document["routing_key"] == "key"
        payload = document["payload"]
        head = (
            f"summary: {payload['summary']}\n",
            f"severity: {payload['severity']}\n",
            f"client_url: {document['client_url']}\n",
        )
        self.keep("pagerduty", "".join(head) + f"\n{payload['custom_details']['alerts']}")
        return web.json_response({"status": "success", "message": "ok", "dedup_key": "1"}, status=202)

    async def email(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As much of SMTP as one message needs."""
        writer.write(b"220 mail ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self._mail(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    def _mail(self, content: bytes) -> None:
        found = message_from_bytes(content.removesuffix(b".\r\n"), policy=default)
        body = found.get_body(("plain",))
        assert body is not None
        assert found.get_body(("html",)) is None
        text = (
            f"From: {found['From']}\nTo: {found['To']}\nSubject: {found['Subject']}\n\n{body.get_content()}"
        )
        self.keep("email", text.replace("\r\n", "\n"))


@asynccontextmanager
async def listening(services: Services) -> AsyncIterator[tuple[str, str]]:
    """The addresses of the services that speak HTTP, and of the one that speaks SMTP."""
    app = web.Application()
    app.router.add_post("/telegram/{method:.*}", services.telegram)
    for name in ("discord", "slack", "pagerduty"):
        app.router.add_post(f"/{name}", getattr(services, name))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    mail = await asyncio.start_server(services.email, "127.0.0.1", 0)
    try:
        host, port, *_ = runner.addresses[0]
        yield f"http://{host}:{port}", f"127.0.0.1:{mail.sockets[0].getsockname()[1]}"
    finally:
        mail.close()
        await runner.cleanup()


SERVICES = ("telegram", "discord", "slack", "pagerduty", "email")


def receivers(address: str, smarthost: str) -> dict[str, tuple[Receiver, dict[str, Any]]]:
    """What `setup` is given, and what has to differ here, where no service is the real one."""
    return {
        "telegram": (setup_alertmanager.telegram("1:token", -100), {"api_url": f"{address}/telegram"}),
        "discord": (setup_alertmanager.discord(f"{address}/discord"), {}),
        "slack": (setup_alertmanager.slack(f"{address}/slack"), {}),
        "pagerduty": (setup_alertmanager.pagerduty("key"), {"url": f"{address}/pagerduty"}),
        "email": (
            setup_alertmanager.email("me@example.org", "bot@example.org", smarthost),
            {"require_tls": False},
        ),
    }


def configuration(address: str, smarthost: str) -> dict[str, Any]:
    """Each receiver's page as `setup` writes it, all in one file."""
    written = []
    for service, (receiver, changed) in receivers(address, smarthost).items():
        document = yaml.safe_load(setup_alertmanager.configured(SHIPPED, receiver, None))
        (page,) = (each for each in document["receivers"] if each["name"] == "page")
        page[f"{service}_configs"][0].update(changed)
        written.append({**page, "name": service})
    routes = [{"receiver": each, "continue": True} for each in SERVICES]
    # Long enough for all of a group to be there on a busy machine.
    route = {"receiver": "telegram", "group_by": ["bot", "alertname"], "group_wait": "3s", "routes": routes}
    return {"templates": [str(RULES / "templates" / "*.tmpl")], "route": route, "receivers": written}


@pytest.mark.slow("Alertmanager waits for a group to be complete")
async def test_each_service_gets_a_message_that_reads_well(tmp_path: Path) -> None:
    services = Services()
    async with (
        listening(services) as (address, smarthost),
        alertmanager(tmp_path, configuration(address, smarthost)) as url,
    ):
        await post_alerts(url, [*ONE, *MANY])
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not services.is_complete:
                await asyncio.sleep(0.1)
    for service, messages in services.messages.items():
        for which, text in messages.items():
            expected = GOLDEN / "messages" / f"{service}_{which}.txt"
            assert text.strip() + "\n" == expected.read_text("utf-8")
