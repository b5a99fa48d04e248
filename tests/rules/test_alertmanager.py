"""Who is told: routes, inhibition and texts, by amtool and by looking at the file."""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from rulefiles import RULES, Rule, alert_id, alerts, load
from tools import needed

from exporter.config import Optimizer

CONFIGURATION = load(RULES / "alertmanager.yml")
NAMES = {rule["alert"] for rule in alerts()}
TIMES = {"mute_time_intervals", "active_time_intervals"}
"""The keys of a route that make it wait for an hour of the day."""
OPTIMIZER_PORT = Optimizer().listen_addresses[0].rpartition(":")[2]


def amtool(*arguments: str) -> str:
    command = [needed("amtool"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def receivers(configuration: Path, labels: str) -> str:
    """Who is told of an alert, in the order of the routes."""
    return amtool("config", "routes", "test", f"--config.file={configuration}", *labels.split()).strip()


@pytest.fixture(scope="module")
def with_optimizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration after the one edit that its head asks for: the first `receiver: none` of a route."""
    text = (RULES / "alertmanager.yml").read_text()
    path = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yml"
    path.write_text(re.sub(r"(?m)^( +)receiver: none$", r"\1receiver: optimizer", text, count=1))
    return path


BOTTLENECK = "bottleneck=agent_success_rate bottleneck_severity"


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=Watchdog severity=none", "watchdog"),
        ("alertname=TweetbotAgentStalled severity=critical bot=tweetbot agent=market-hunter", "page"),
        ("alertname=TweetbotAgentStalled severity=warning bot=tweetbot agent=market-hunter", "ticket"),
        ("alertname=TweetbotAgentConfidenceLow severity=info bot=tweetbot agent=market-hunter", "none"),
        ("alertname=SomebodyElses", "ticket"),
        (f"alertname=TweetbotAgentSuccessRateLow severity=critical {BOTTLENECK}=critical", "none,page"),
        (f"alertname=TweetbotAgentSuccessRateLow severity=warning {BOTTLENECK}=medium", "none,ticket"),
    ],
)
def test_routes(labels: str, receiver: str) -> None:
    """Out of the box nobody stands where the optimizer could."""
    assert receivers(RULES / "alertmanager.yml", labels) == receiver


def test_the_edit_for_the_optimizer_gives_a_configuration(with_optimizer: Path) -> None:
    amtool("check-config", str(with_optimizer))
    assert [
        (before["receiver"], after["receiver"])
        for before, after in zip(
            routes(CONFIGURATION["route"]), routes(load(with_optimizer)["route"]), strict=True
        )
        if before != after
    ] == [("ticket", "ticket"), ("none", "optimizer")], "the root, which holds the others, and the first"


@pytest.mark.parametrize("rule", alerts(), ids=alert_id)
def test_the_optimizer_is_told_of_bottlenecks_and_of_nothing_else(rule: Rule, with_optimizer: Path) -> None:
    """And everybody else of what they were told of without it."""
    labels = {"bottleneck": "agent_response_time"} if "bottleneck" in str(rule["annotations"]) else {}
    words = " ".join(
        f"{name}={value}" for name, value in {"alertname": rule["alert"], **labels, **rule["labels"]}.items()
    )
    usual = {"critical": "page", "warning": "ticket", "info": "none", "none": "watchdog"}[
        rule["labels"]["severity"]
    ]
    expected = f"optimizer,{usual}" if "bottleneck_severity" in rule["labels"] else usual
    assert receivers(with_optimizer, words) == expected


def test_the_optimizer_is_told_at_any_hour_and_soon() -> None:
    first = CONFIGURATION["route"]["routes"][0]
    assert not set(first) & TIMES
    assert first["continue"] is True
    assert first["group_by"] == ["bot", "agent", "bottleneck"]
    assert (first["group_wait"], first["group_interval"], first["repeat_interval"]) == ("10s", "1m", "1h")


def test_the_optimizer_is_told_what_is_over_and_shown_a_token() -> None:
    (receiver,) = (entry for entry in CONFIGURATION["receivers"] if entry["name"] == "optimizer")
    (webhook,) = receiver["webhook_configs"]
    assert webhook["url"] == f"http://localhost:{OPTIMIZER_PORT}/api/v1/alerts"
    assert webhook["send_resolved"] is True
    assert webhook["http_config"]["authorization"].keys() == {"credentials_file"}


def routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    return [route, *(below for child in route.get("routes", []) for below in routes(child))]


def test_nothing_waits_for_an_hour_of_the_day() -> None:
    """The bot trades round the clock: what costs money at night is sent at night."""
    assert not [route for route in routes(CONFIGURATION["route"]) if set(route) & TIMES]


def test_quiet_times_are_one_line_away_and_hold_back_tickets_only(tmp_path: Path) -> None:
    text = (RULES / "alertmanager.yml").read_text()
    chosen = tmp_path / "alertmanager.yml"
    chosen.write_text(text.replace("# active_time_intervals:", "active_time_intervals:"))
    amtool("check-config", str(chosen))
    waiting = [route for route in routes(load(chosen)["route"]) if set(route) & TIMES]
    assert [(route["receiver"], route["matchers"]) for route in waiting] == [
        ("ticket", ['severity="warning"'])
    ]
    assert text.count("location:") == 1, "the time zone has one place"


def test_routes_need_no_secret() -> None:
    """Receivers with secret files are there to be filled in; none is in use, so none need exist."""
    used = {route["receiver"] for route in routes(CONFIGURATION["route"])}
    secret = {receiver["name"] for receiver in CONFIGURATION["receivers"] if "_file" in str(receiver)}
    assert secret == {"slack", "pagerduty", "email", "optimizer"}
    assert not used & secret


def matches(matcher: str, labels: dict[str, str]) -> bool:
    found = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher)
    assert found, matcher
    value, wanted = labels.get(found[1], ""), found[3]
    same = bool(re.fullmatch(wanted, value)) if "~" in found[2] else value == wanted
    return same != found[2].startswith("!")


def inhibited(target: dict[str, str], source: dict[str, str]) -> bool:
    """What Alertmanager does with its rules, in eight lines; the live one is asked in tests/e2e."""
    return target != source and any(
        all(matches(matcher, source) for matcher in rule["source_matchers"])
        and all(matches(matcher, target) for matcher in rule["target_matchers"])
        and all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
        for rule in CONFIGURATION["inhibit_rules"]
    )


ONE = {"job": "tweetbot", "instance": "one:9464", "bot": "one"}
TWO = {"job": "tweetbot", "instance": "two:9464", "bot": "two"}
HUNTER = {**ONE, "agent": "market-hunter"}


def alert(name: str, severity: str, where: dict[str, str], **more: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, **where, **more}


SLOW = {"bottleneck": "agent_response_time", "bottleneck_severity": "high"}
FAILING_MEDIUM = {"bottleneck": "agent_success_rate", "bottleneck_severity": "medium"}
FAILING_CRITICAL = {"bottleneck": "agent_success_rate", "bottleneck_severity": "critical"}
SYSTEM_HIGH = {"bottleneck": "system_performance", "bottleneck_severity": "high"}
SYSTEM_CRITICAL = {"bottleneck": "system_performance", "bottleneck_severity": "critical"}
PROMETHEUS = {"job": "prometheus", "instance": "one:9464"}
OPTIMIZER = {"job": "tweetbot-optimizer", "instance": "one:9466", "bot": "one"}
OPTIMIZER_TWO = {"job": "tweetbot-optimizer", "instance": "two:9466", "bot": "two"}
WORKED_ON = {"bottleneck": "agent_response_time"}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # the page takes the ticket's place: same agent, same bottleneck
        (alert("TweetbotAgentResponseTimeHigh", "critical", HUNTER, **SLOW),
         alert("TweetbotAgentResponseTimeHigh", "warning", HUNTER, **SLOW), True),
        (alert("TweetbotAgentResponseTimeHigh", "critical", HUNTER, **SLOW),
         alert("TweetbotAgentResponseTimeHigh", "warning", {**ONE, "agent": "other"}, **SLOW), False),
        (alert("TweetbotAgentResponseTimeHigh", "critical", HUNTER, **SLOW),
         alert("TweetbotAgentResponseTimeHigh", "warning", {**TWO, "agent": "market-hunter"}, **SLOW), False),
        (alert("TweetbotAgentSuccessRateLow", "critical", HUNTER, **FAILING_CRITICAL),
         alert("TweetbotAgentResponseTimeHigh", "warning", HUNTER, **SLOW), False),
        (alert("TweetbotAgentSuccessRateLow", "critical", HUNTER, **FAILING_CRITICAL),
         alert("TweetbotAgentSuccessRateLow", "warning", HUNTER, **FAILING_MEDIUM), True),
        # two pages about one score: only the worse
        (alert("TweetbotSystemPerformanceLow", "critical", ONE, **SYSTEM_CRITICAL),
         alert("TweetbotSystemPerformanceLow", "critical", ONE, **SYSTEM_HIGH), True),
        (alert("TweetbotSystemPerformanceLow", "critical", ONE, **SYSTEM_HIGH),
         alert("TweetbotSystemPerformanceLow", "critical", ONE, **SYSTEM_CRITICAL), False),
        # a page about the bot says nothing against an agent's ticket that has no agent in common
        (alert("TweetbotPortfolioDrawdown", "critical", ONE),
         alert("TweetbotMarketDataStale", "warning", ONE), False),
        (alert("TweetbotAgentErrorBudgetBurn", "critical", HUNTER, window="1h"),
         alert("TweetbotAgentErrorBudgetBurn", "critical", HUNTER, window="6h"), True),
        (alert("TweetbotAgentErrorBudgetBurn", "critical", HUNTER, window="6h"),
         alert("TweetbotAgentErrorBudgetBurn", "warning", HUNTER, window="1d"), True),
        (alert("TweetbotAgentSuccessRateLow", "warning", HUNTER, **FAILING_MEDIUM),
         alert("TweetbotAgentErrorBudgetBurn", "critical", HUNTER, window="6h"), False),
        (alert("TweetbotAgentSuccessRateLow", "warning", HUNTER, **FAILING_MEDIUM),
         alert("TweetbotAgentErrorBudgetBurn", "warning", HUNTER, window="1d"), True),
        (alert("TweetbotAgentSuccessRateLow", "critical", HUNTER, **FAILING_CRITICAL),
         alert("TweetbotAgentErrorBudgetBurn", "critical", HUNTER, window="6h"), True),
        # the exporter over what it sees of the process, and of no other bot's
        (alert("TweetbotExporterDown", "critical", ONE),
         alert("TweetbotAgentSuccessRateLow", "critical", HUNTER, **FAILING_CRITICAL), False),
        (alert("TweetbotExporterDown", "critical", ONE), alert("TweetbotBotDown", "critical", ONE), True),
        (alert("TweetbotExporterDown", "critical", ONE), alert("TweetbotBotDown", "critical", TWO), False),
        (alert("TweetbotExporterDown", "critical", ONE), alert("Watchdog", "none", {}), False),
        (alert("TweetbotExporterDown", "critical", ONE),
         alert("TweetbotRuleEvaluationFailing", "warning", PROMETHEUS), False),
        (alert("TweetbotBotDown", "critical", ONE), alert("TweetbotBotStalled", "critical", ONE), True),
        (alert("TweetbotBotDown", "critical", ONE),
         alert("TweetbotCollectorFailing", "warning", ONE, collector="agents"), True),
        (alert("TweetbotBotDown", "critical", ONE),
         alert("TweetbotCollectorFailing", "warning", ONE, collector="database"), False),
        (alert("TweetbotCollectorFailing", "critical", ONE, collector="database"),
         alert("TweetbotCollectorFailing", "warning", ONE, collector="agents"), False),
        # a process without its bridge over what fails for want of it
        (alert("TweetbotBotDown", "critical", ONE),
         alert("TweetbotBridgeDown", "warning", ONE, process="hunter"), True),
        (alert("TweetbotBridgeStale", "warning", ONE, collector="system"),
         alert("TweetbotBridgeDown", "warning", ONE, process="hunter"), True),
        (alert("TweetbotBridgeDown", "warning", ONE, process="hunter"),
         alert("TweetbotCollectorFailing", "warning", ONE, collector="self_reports"), True),
        (alert("TweetbotBridgeDown", "warning", ONE, process="hunter"),
         alert("TweetbotCollectorFailing", "warning", ONE, collector="database"), False),
        (alert("TweetbotBridgeDown", "warning", ONE, process="hunter"),
         alert("TweetbotBridgeDown", "warning", ONE, process="orchestrator"), False),
        (alert("TweetbotOrchestratorStopped", "critical", ONE),
         alert("TweetbotAgentStopped", "critical", HUNTER), True),
        (alert("TweetbotBotStalled", "critical", ONE),
         alert("TweetbotAgentStalled", "warning", HUNTER), True),
        (alert("TweetbotAgentStopped", "warning", HUNTER),
         alert("TweetbotAgentStalled", "warning", {**ONE, "agent": "other"}), False),
        # the overall score covers the tickets about its parts, but no bottleneck: the optimizer needs those
        (alert("TweetbotSystemPerformanceLow", "critical", ONE, **SYSTEM_CRITICAL),
         alert("TweetbotAgentGoalProgressLow", "warning", HUNTER), True),
        (alert("TweetbotSystemPerformanceLow", "critical", ONE, **SYSTEM_CRITICAL),
         alert("TweetbotAgentSuccessRateLow", "warning", HUNTER, **FAILING_MEDIUM), False),
        # the optimizer: a target of its own, of the same bot; nothing takes the place of its pages
        (alert("TweetbotOptimizerDown", "critical", OPTIMIZER),
         alert("TweetbotOptimizerDown", "warning", OPTIMIZER), True),
        (alert("TweetbotOptimizerDown", "warning", OPTIMIZER),
         alert("TweetbotOptimizerBridgeUnreachable", "warning", OPTIMIZER), True),
        (alert("TweetbotOptimizerDown", "warning", OPTIMIZER),
         alert("TweetbotOptimizerPrometheusUnreachable", "warning", OPTIMIZER_TWO), False),
        (alert("TweetbotOptimizerDown", "critical", OPTIMIZER),
         alert("TweetbotOptimizerRollbackFailed", "critical", OPTIMIZER, **WORKED_ON), False),
        (alert("TweetbotBotDown", "critical", ONE),
         alert("TweetbotOptimizerBridgeUnreachable", "warning", OPTIMIZER), True),
        (alert("TweetbotBotDown", "critical", ONE),
         alert("TweetbotOptimizerBridgeUnreachable", "warning", OPTIMIZER_TWO), False),
        (alert("TweetbotBotDown", "critical", ONE),
         alert("TweetbotOptimizerPrometheusUnreachable", "warning", OPTIMIZER), False),
        (alert("TweetbotOptimizerHarmful", "warning", OPTIMIZER),
         alert("TweetbotOptimizerWithoutEffect", "warning", OPTIMIZER, **WORKED_ON), True),
        (alert("TweetbotOptimizerHarmful", "critical", OPTIMIZER),
         alert("TweetbotOptimizerRollbackFailed", "critical", OPTIMIZER, **WORKED_ON), False),
        (alert("TweetbotExporterDown", "critical", ONE),
         alert("TweetbotOptimizerDown", "warning", OPTIMIZER), False),
    ],
)  # fmt: skip
def test_inhibition(source: dict[str, str], target: dict[str, str], expected: bool) -> None:
    assert inhibited(target, source) is expected


def test_no_two_alerts_silence_each_other() -> None:
    """A circle would leave nobody told."""
    every = [{"alertname": rule["alert"], **rule["labels"], **HUNTER} for rule in alerts()]
    for one in every:
        assert not [other for other in every if inhibited(one, other) and inhibited(other, one)]


def pairs() -> Iterator[tuple[Rule, Rule]]:
    """An alert, and one that any of the rules lets it inhibit."""
    for rule in CONFIGURATION["inhibit_rules"]:
        sources, targets = (
            [each for each in alerts() if all(may_match(matcher, each) for matcher in rule[side])]
            for side in ("source_matchers", "target_matchers")
        )
        for source, target in product(sources, targets):
            same = "alertname" not in rule["equal"] or source["alert"] == target["alert"]
            if same and source is not target:
                yield source, target


def may_match(matcher: str, rule: Rule) -> bool:
    """Whether some alert of the rule has the matcher's label so. The collector is known only when it fires."""
    return matcher.startswith("collector") or matches(matcher, {"alertname": rule["alert"], **rule["labels"]})


def kept(rule: Rule) -> int:
    found = re.fullmatch(r"(\d+)([mh])", rule.get("keep_firing_for", "0m"))
    assert found
    return int(found[1]) * (60 if found[2] == "h" else 1)


def test_no_alert_outlives_what_inhibits_it() -> None:
    """One that is kept longer would be sent as new when all is over: "the bot stalls", when it is back."""
    found = list(pairs())
    assert len(found) > 30
    assert not [
        f"{target['alert']} after {source['alert']}"
        for source, target in found
        if kept(target) > kept(source)
    ]


def test_no_lower_severity_inhibits_a_higher_one() -> None:
    """It may be muted: then nobody would hear of the page."""
    order = ["critical", "warning", "info", "none"]
    rank = {alert_id(rule): order.index(rule["labels"]["severity"]) for rule in alerts()}
    assert not [
        (source, target) for source, target in pairs() if rank[alert_id(source)] > rank[alert_id(target)]
    ]


def test_inhibition_names_alerts_that_exist() -> None:
    for rule in CONFIGURATION["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            label, _, value = matcher.partition("=")
            if label == "alertname":
                for name in value.strip('~"').split("|"):
                    assert any(re.fullmatch(name, known) for known in NAMES), name


NOTES = {
    "summary": "Too slow.",
    "description": "It takes 2.8s.",
    "impact": "40%",
    "suggested_fix": "Be faster.",
    "runbook_url": "https://example.org/run",
    "dashboard_url": "https://example.org/dash?viewPanel=7",
}


def rendered(template: str, *statuses: str) -> str:
    alerts_data = [
        {
            "status": status,
            "labels": {"alertname": "TweetbotTest", "severity": "critical", "agent": "market-hunter"},
            "annotations": NOTES,
            "startsAt": "2026-11-12T13:00:00Z",
            "endsAt": "2026-11-12T14:00:00Z",
        }
        for status in statuses
    ]
    data = {
        "receiver": "page",
        "status": "firing" if "firing" in statuses else "resolved",
        "alerts": alerts_data,
        "groupLabels": {"bot": "tweetbot", "agent": "market-hunter"},
        "commonLabels": {"severity": "critical", "alertname": "TweetbotTest", "agent": "market-hunter"},
        "commonAnnotations": {"impact": NOTES["impact"]},
        "externalURL": "http://localhost:9093",
    }
    path = RULES / "templates" / "tweetbot.tmpl"
    text = f'{{{{ template "{template}" . }}}}'
    command = [needed("amtool"), "template", "render", f"--template.glob={path}", f"--template.text={text}"]
    done = subprocess.run(
        [*command, "--template.data=/dev/stdin"],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_title() -> None:
    assert rendered("tweetbot.title", "firing").strip() == "FIRING · tweetbot · market-hunter · TweetbotTest"
    two = rendered("tweetbot.title", "firing", "firing").strip()
    assert two == "FIRING · tweetbot · market-hunter · 2 × TweetbotTest"


def test_text() -> None:
    """Of several; of what fires alone, tests/golden/messages."""
    assert (
        rendered("tweetbot.text", "firing", "resolved").strip()
        == """\
[critical] Too slow.
It takes 2.8s.
Impact: 40%
Since 2026-11-12 13:00 UTC

What to do: https://example.org/run
Silence: http://localhost:9093/#/silences/new?filter=%7Bagent%3D%22market-hunter%22%2Cbot%3D%22tweetbot%22%7D
Dashboard: https://example.org/dash?viewPanel=7&from=1794484800000&to=1794499200000
Over:
- market-hunter: Too slow."""
    )


def test_colour() -> None:
    assert rendered("tweetbot.color", "firing").strip() == "danger"
    assert rendered("tweetbot.color", "resolved").strip() == "good"
    assert (
        rendered("tweetbot.dashboard", "firing")
        .strip()
        .startswith("https://example.org/dash?viewPanel=7&from=")
    )
