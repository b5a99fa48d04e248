"""Links between the dashboards; all keep the time range and the variables."""

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from rules.tools.links import load_settings

SETTINGS = load_settings(Path(__file__).parents[2] / "rules" / "settings.yml")
TAG = "tweetbot"
TARGET = "${datasource:queryparam}&${job:queryparam}&${bot:queryparam}&${instance:queryparam}"
KEPT = f"${{__url_time_range}}&{TARGET}"


def dashboards() -> build.DashboardLink:
    """A menu on top: every dashboard of this set."""
    return (
        build.DashboardLink("Dashboards")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .target_blank(False)
        .icon("external link")
        .tooltip("")
        .url("")
    )


def elsewhere() -> list[build.DashboardLink]:
    """Beside it: Alertmanager and the runbooks, in a window of their own."""
    addresses = {
        "Alertmanager": (SETTINGS.alertmanager_url, "Alerts with their summaries; silence them"),
        "Runbooks": (SETTINGS.runbooks_url, "What to do about an alert"),
    }
    return [
        build.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .tags([])
        .as_dropdown(False)
        .include_vars(False)
        .keep_time(False)
        .target_blank(True)
        .icon("external link")
        .tooltip(tooltip)
        .url(address)
        for title, (address, tooltip) in addresses.items()
    ]


def to_runbook() -> dict[str, object]:
    """From the name of an alert, without our prefix, to its runbook."""
    address = SETTINGS.runbook("Tweetbot${__value.raw}")
    return {"title": "Show the runbook", "url": address, "targetBlank": True}


def to_alertmanager() -> list[dict[str, object]]:
    """From the row of an alert: Alertmanager has its summary and description, and makes silences."""
    alert = 'alertname="Tweetbot${__data.fields.alertname}"'
    addresses = {
        "Show in Alertmanager": f"alerts?filter=%7B{alert}%2Cbot%3D%22${{bot}}%22%7D",
        "Silence it": f"silences/new?filter=%7B{alert}%2Cbot%3D%22${{bot}}%22%7D",
    }
    return [
        {
            "title": title,
            "url": f"{SETTINGS.alertmanager_url}/#/{address}".replace('"', "%22"),
            "targetBlank": True,
        }
        for title, address in addresses.items()
    ]


def to(uid: str, title: str, *, agent: str = "${agent:queryparam}") -> dict[str, object]:
    """A data link to another dashboard. `agent` is a query parameter: the variable's, or a row's."""
    parameters = f"{KEPT}&{agent}" if agent else KEPT
    return {"title": title, "url": f"/d/{uid}?{parameters}", "targetBlank": False}


def to_bot(field: str) -> dict[str, object]:
    """From a row to the overview of its bot."""
    kept = "${__url_time_range}&${datasource:queryparam}"
    return {
        "title": "Show this bot",
        "url": f"/d/tweetbot-overview?{kept}&var-bot=${{{field}}}",
        "targetBlank": False,
    }


def to_agent_of_bot() -> dict[str, object]:
    """From a row about a bot and one of its agents to that agent."""
    kept = "${__url_time_range}&${datasource:queryparam}"
    return {
        "title": "Show this agent",
        "url": f"/d/tweetbot-agent?{kept}&var-bot=${{__data.fields.Bot}}&var-agent=${{__value.raw}}",
        "targetBlank": False,
    }


def to_agent(field: str) -> dict[str, object]:
    """From a row or a series to its agent. `field` says where the name is, e.g. `__data.fields.agent`."""
    return to("tweetbot-agent", "Show this agent", agent=f"var-agent=${{{field}}}")
