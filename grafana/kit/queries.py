"""Pieces of PromQL that every dashboard uses, and the SDK's query made from one line."""

from collections.abc import Callable

from grafana_foundation_sdk.builders import prometheus as build
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

ANY = 'job=~"$job", instance=~"$instance"'
TARGET = f'{ANY}, bot=~"$bot"'
"""The target's labels: every query has them, also of a process beside the exporter, whose job then is named, too."""
AGENT = 'agent=~"$agent"'
OPTIMIZER = f'{TARGET}, job=~"$optimizer_job"'
"""The optimizer is a process of its own, with a job of its own. One bot has one."""

AGENT_KEY = "job, instance, agent"
BOT_KEY = "job, instance, bot"


def of(name: str, *matchers: str) -> str:
    """A selector of one bot's series."""
    return f"{name}{{{', '.join((TARGET, *matchers))}}}"


def of_bot(name: str, *matchers: str) -> str:
    """One value of the whole bot."""
    return f"max by (bot) ({of(name, *matchers)})"


def of_agent(name: str, *matchers: str) -> str:
    """A selector of the chosen agents' series."""
    return of(name, AGENT, *matchers)


def of_optimizer(name: str, *matchers: str) -> str:
    """A selector of the optimizer's own series."""
    return f"{name}{{{', '.join((OPTIMIZER, *matchers))}}}"


def before(selector: str, by: str) -> str:
    """The mean over the period before, which is as long as the time range that is shown."""
    return f"max by ({by}) (avg_over_time({selector}[$__range] offset $__range))"


def quantile_of(recorded: str, quantile: str) -> str:
    """One of the recorded quantiles of the chosen agents."""
    return of_agent(recorded, f'quantile="{quantile}"')


def increase(selector: str, window: str = "$__rate_interval") -> str:
    """How much a counter grew."""
    return f"increase({selector}[{window}])"


def per_minute(selector: str) -> str:
    """Events a minute: rates of a bot are fractions of one a second."""
    return f"rate({selector}[$__rate_interval]) * 60"


def verdict(value: str, comparison: str, *thresholds: str, key: str = AGENT_KEY, by: str = "agent") -> str:
    """0 while `value` is inside its recorded thresholds, 1 beyond the first of them, 2 beyond both."""
    beyond = [f"({value} {comparison} bool on ({key}) {threshold})" for threshold in thresholds]
    return f"max by ({by}) ({f' + on ({key}) '.join(beyond)})"


def firing(select: Callable[..., str], *matchers: str, severity: str) -> str:
    """Alerts of ours of one severity, about what `select` selects."""
    ours = ('alertname=~"Tweetbot.+"', 'alertstate="firing"', f'severity="{severity}"')
    return select("ALERTS", *ours, *matchers)


def firing_warnings(select: Callable[..., str], *matchers: str) -> str:
    """Those that open a ticket, but not what pages already: Alertmanager, too, leaves it out."""
    pages = firing(select, *matchers, severity="critical")
    return f"{firing(select, *matchers, severity='warning')} unless on (bot, alertname, agent) {pages}"


def firing_since(select: Callable[..., str], *matchers: str) -> str:
    """When the condition of each of both began, in milliseconds; their names without our prefix."""
    alerts = f"({firing(select, *matchers, severity='critical')} or {firing_warnings(select, *matchers)})"
    return began_in_milliseconds(select, alerts, *matchers)


def began_in_milliseconds(select: Callable[..., str], alerts: str, *matchers: str) -> str:
    """When the conditions of these alerts began."""
    began = f"{select('ALERTS_FOR_STATE', *matchers)} and ignoring (alertstate) {alerts}"
    named = f'label_replace({began}, "alertname", "$1", "alertname", "Tweetbot(.+)")'
    return f"min by (severity, alertname, agent) ({named}) * 1000"


def query(
    expr: str,
    legend: str = "__auto",
    *,
    instant: bool = False,
    table: bool = False,
    heatmap: bool = False,
    exemplars: bool = False,
) -> build.Dataquery:
    """One query; the panel gives it its letter."""
    result = build.Dataquery().expr(expr).legend_format(legend).datasource(DATASOURCE)
    result = result.editor_mode(prometheus.QueryEditorMode.CODE).exemplar(exemplars)
    form = prometheus.PromQueryFormat.TIME_SERIES
    if table:
        form = prometheus.PromQueryFormat.TABLE
    elif heatmap:
        form = prometheus.PromQueryFormat.HEATMAP
    return (result.instant() if instant or table else result.range()).format(form)


def threshold(series: str, legend: str = "threshold", *, agents: bool = True) -> build.Dataquery:
    """A recorded threshold as a line; the highest where the chosen agents have different ones."""
    selector = of_agent(series) if agents else of(series)
    return query(f"max by (bot) ({selector})", legend)
