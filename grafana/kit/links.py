"""Links between the dashboards; all keep the time range and the variables."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

TAG = "tweetbot"
KEPT = (
    "${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${bot:queryparam}&${instance:queryparam}"
)


def dashboards() -> build.DashboardLink:
    """The bar on top: every dashboard of this set."""
    return (
        build.DashboardLink("TweetBot")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
        .target_blank(False)
        .icon("external link")
        .tooltip("")
        .url("")
    )


def to(uid: str, title: str, *, agent: str = "${agent:queryparam}") -> dict[str, object]:
    """A data link to another dashboard. `agent` is a query parameter: the variable's, or a row's."""
    parameters = f"{KEPT}&{agent}" if agent else KEPT
    return {"title": title, "url": f"/d/{uid}?{parameters}", "targetBlank": False}


def to_agent(field: str) -> dict[str, object]:
    """From a row or a series to its agent. `field` says where the name is, e.g. `__data.fields.agent`."""
    return to("tweetbot-agent", "Show this agent", agent=f"var-agent=${{{field}}}")
