"""Alerts that fire: as a table that leads on, and over time."""

from collections.abc import Callable

from grafana.kit import links, look
from grafana.kit.base import Panel
from grafana.kit.graphs import timeline
from grafana.kit.queries import firing, firing_since, of, query
from grafana.kit.tables import Key, Value, table
from rules.tools.panels import BOARDS

WHOLE_BOT = "whole bot"
OF_THESE_AGENTS = 'agent=~"$agent|"'
"""Alerts about the chosen agents, and about the whole bot."""


def firing_alerts(title: str, select: Callable[..., str] = of, *, width: int) -> Panel:
    """What fires now. A row leads to the dashboard of its alert at the time when it began, and to its runbook."""
    there = [
        {
            "title": "Show what it is about",
            "url": f"/d/${{__data.fields.lead}}&{links.TARGET}",
            "targetBlank": False,
        }
    ]
    then = [{**there[0], "url": f"{there[0]['url']}&from=${{__data.fields.Since}}&to=now"}]
    return table(
        title,
        "What pages or opens a ticket now, and since when its condition holds. A severity leads to "
        "Alertmanager, which has the summary and makes silences; an alert to its runbook; the rest to its "
        "dashboard. Normal: empty.",
        [
            Key("severity", "Severity", 95, states=look.SEVERITY, links=links.to_alertmanager()),
            Key("alertname", "Alert", links=[links.to_runbook()]),
            Key("agent", "Agent", links=there),
            Key("lead", "lead", hidden=True),
        ],
        [Value("Since", _with_lead(firing_since(select)), look.MOMENT_AGO, width=125, links=then)],
        sort="Severity",
        descending=False,
        small=True,
        empty="✓ no alert is firing",
        width=width,
    )


def _with_lead(alerts: str) -> str:
    """With the label `lead`: the dashboard of the alert, and the agent in the form in which it takes it."""
    for board, led_here in BOARDS.items():
        names = "|".join(name.removeprefix("Tweetbot") for name in led_here)
        alerts = f'label_replace({alerts}, "lead", "{board}", "alertname", "{names}")'
    joined = f'label_join({alerts}, "lead", "?var-agent=", "lead", "agent")'
    without_agent = f'label_replace({joined}, "lead", "$1?", "lead", "(.+)[?]var-agent=")'
    return f'label_replace({without_agent}, "agent", "{WHOLE_BOT}", "agent", "")'


def alerts_over_time(
    *matchers: str, select: Callable[..., str] = of, by: str = "alertname, agent", width: int = 24
) -> Panel:
    """One row for each alert that fired."""
    grade = " or ".join(
        f"{rank} * group by ({by}) ({firing(select, *matchers, severity=severity)})"
        for severity, rank in (("critical", 2), ("warning", 1))
    )
    # "Stopped narrative-architect": the agent's name follows.
    named = f'label_replace({grade}, "alertname", "$1", "alertname", "Tweetbot(?:Agent)?([A-Z].+)")'
    return timeline(
        "Alerts over time",
        "Each alert that paged (✖) or opened a ticket (▲) in this time range, while it fired. Normal: empty.",
        query(named, " ".join(f"{{{{{label}}}}}" for label in by.split(", "))),
        states=look.ALERT,
        empty="✓ no alert fired in this time range",
        width=width,
    )
