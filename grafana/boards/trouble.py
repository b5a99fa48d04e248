"""What is wrong, with whom, how bad it is, and since when."""

from grafana_foundation_sdk.models import common

from grafana.boards.activity import activity
from grafana.boards.alerts import WHOLE_BOT
from grafana.kit import links, look
from grafana.kit.base import Panel
from grafana.kit.queries import BOT_KEY, firing, firing_since, firing_warnings, of, query, verdict
from grafana.kit.values import stat

CRITICAL = 'bottleneck_severity="critical"'
RANKS = {"critical": 3, "high": 2, "medium": 1, "low": 0}
"""Of a bottleneck's severity; between two ranks is room for its impact."""


def bottlenecks(*matchers: str) -> str:
    """The impact of each bottleneck; of what is about no agent, the whole bot."""
    whole = of("bot:bottleneck_impact:ratio", *matchers)
    return (
        f"{of('agent:bottleneck_impact:ratio', *matchers)}"
        f' or label_replace({whole}, "agent", "{WHOLE_BOT}", "", "")'
    )


def state() -> str:
    """The worst of: the score's verdict, 1 for a bottleneck, 2 for a critical one or a critical alert."""
    thresholds = (of("bot:overall_score:threshold_high"), of("bot:overall_score:threshold_critical"))
    parts = {
        "score": verdict(of("bot:overall_score:avg"), "<", *thresholds, key=BOT_KEY, by="bot"),
        "bottleneck": f"group by (bot) ({bottlenecks()})",
        "critical": f"2 * group by (bot) ({bottlenecks(CRITICAL)})",
        "alert": f"2 * group by (bot) ({firing(of, severity='critical')})",
        "known": f"0 * group by (bot) ({of('bot:known:group')})",
    }
    return f"max by (bot) ({_together(parts)})"


def bottleneck_rank(keys: str) -> str:
    """How urgent each bottleneck is: by severity first, then by impact."""
    return f"max by ({keys}) ({_together(_ranked_bottlenecks())})"


def agent_rank(by: str = "agent") -> str:
    """How much each agent is in trouble, over 0: by bottlenecks, alerts about it, and whether it works."""
    about_agents = 'agent!=""'
    parts = _ranked_bottlenecks() | {
        "page": f"3 * {firing(of, about_agents, severity='critical')}",
        "ticket": firing(of, about_agents, severity="warning"),
        "stopped": f"3 + ({activity(of, by)} == 0)",
        "silent": f"1 + ({activity(of, by)} == 1)",
    }
    whole_bot = f'label_replace(vector(0), "agent", "{WHOLE_BOT}", "", "")'
    return f"max by ({by}) ({_together(parts)}) unless on (agent) {whole_bot}"


def began() -> str:
    """When what is wrong now began, in milliseconds; of all of it, the first. -1 while all of it may be chance."""
    keys = "agent, bottleneck, bottleneck_severity"
    return f"min(min by (agent) ({_evident_since(keys)}) or {firing_since(of)}) or -1 * group({state()} > 0)"


def bottleneck_began(keys: str) -> str:
    """When each bottleneck that is there now became one, in milliseconds; -1 while it may be chance."""
    return f"{_evident_since(keys)} or -1 * group by ({keys}) ({bottlenecks()})"


def _evident_since(keys: str) -> str:
    pending = of("ALERTS_FOR_STATE", 'bottleneck=~".+"')
    named = f'label_replace({pending}, "agent", "{WHOLE_BOT}", "agent", "")'
    return f"min by ({keys}) ({named}) * 1000 and on ({keys}) ({bottlenecks()})"


def _ranked_bottlenecks() -> dict[str, str]:
    def of_severity(severity: str) -> str:
        return bottlenecks(f'bottleneck_severity="{severity}"')

    return {name: f"{rank} + clamp_max({of_severity(name)}, 0.99)" for name, rank in RANKS.items()}


def _together(parts: dict[str, str]) -> str:
    """Their union. Without a label of its own, a part would lack what an earlier one has."""
    return " or ".join(f'label_replace({expr}, "part", "{part}", "", "")' for part, expr in parts.items())


def bot_panel(width: int) -> Panel:
    return stat(
        "Bot",
        "The worst of: the overall score against its thresholds, any bottleneck (▲, or ✖ if it is "
        "critical), any critical alert (✖). Normal: ✓ ok.",
        query(state(), instant=True),
        unit="none",
        states=look.VERDICT,
        empty="the exporter is not scraped",
        width=width,
    )


def worst_agent_panel(width: int) -> Panel:
    nobody = f'label_replace(0 * group by (bot) ({of("bot:known:group")}), "agent", "✓ none", "", "")'
    return stat(
        "Agent in trouble",
        "The agent that is worst off: by its bottlenecks, the alerts about it, and whether it works. Orange "
        "is a ticket, red a page. The table of agents has the others.",
        query(f"topk(1, {agent_rank()}) or on () {nobody}", "{{agent}}", instant=True),
        unit="none",
        steps=((None, "text"), (0, look.GREEN), (1, look.ORANGE), (3, look.RED)),
        show=common.BigValueTextMode.NAME,
        links=[links.to_agent("__field.labels.agent")],
        empty="the exporter is not scraped",
        width=width,
    )


def began_panel(width: int) -> Panel:
    return stat(
        "Wrong since",
        "When the first of what is wrong now began: a bottleneck, or an alert that fires. ? may be chance: too "
        "few runs to tell, so nobody is notified.",
        query(began(), "since", instant=True),
        unit=look.MOMENT_AGO,
        states=look.NOT_EVIDENT,
        steps=((None, look.GREEN), (1, look.ORANGE)),
        empty="✓ nothing is wrong",
        width=width,
    )


def alerts_panel(width: int) -> Panel:
    def count(alerts: str) -> str:
        return f"count(max by (alertname, agent) ({alerts})) or vector(0)"

    return stat(
        "Alerts firing",
        "Alerts about this bot that page (critical) and that open a ticket (warning); an alert about an "
        "agent counts once. Normal: 0.",
        query(count(firing(of, severity="critical")), "critical", instant=True),
        query(count(firing_warnings(of)), "warning", instant=True),
        unit=look.NUMBER,
        decimals=0,
        steps=look.NONE_IS_VITAL,
        overrides={"warning": look.thresholds(look.NONE_IS_WELL)},
        show=common.BigValueTextMode.VALUE_AND_NAME,
        width=width,
    )
