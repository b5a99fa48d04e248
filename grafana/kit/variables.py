"""The variables. Every dashboard has the first four, `agent` is one agent, or several, or none."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit.queries import DATASOURCE, TARGET

JOB = 'job=~"$job"'
KNOWN_BOT = "bot:known:group"
KNOWN_AGENT = "agent:known:group"


def datasource() -> build.DatasourceVariable:
    """Which Prometheus."""
    return (
        build.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the exporter and evaluates its rules.")
        .type("prometheus")
        .hide(model.VariableHide.DONT_HIDE)
        .multi(False)
        .include_all(False)
        .regex("")
    )


def _label(
    name: str,
    label: str,
    query: str,
    description: str,
    hide: model.VariableHide = model.VariableHide.DONT_HIDE,
) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"variable-{name}", "qryType": 1})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .hide(hide)
        .regex("")
        .multi(False)
        .include_all(False)
    )


def _all(variable: build.QueryVariable, value: str) -> build.QueryVariable:
    everything = model.VariableOption(text="All", value="$__all", selected=True)
    return variable.multi(True).include_all(True).all_value(value).current(everything)


def target(*, every_bot: bool = False) -> list[build.QueryVariable]:
    """Job, bot and instance. One bot at a time: the agents of two bots may have the same names.

    A bot has nearly always one job and one instance, so these two only take room: they are hidden, and set by the
    address (`var-instance=…`).
    """
    bot = _label(
        "bot", "Bot", f"label_values({KNOWN_BOT}{{{JOB}}}, bot)", "Which bot: the target's label bot."
    )
    instances = f'label_values({KNOWN_BOT}{{{JOB}, bot=~"$bot"}}, instance)'
    return [
        _hidden("job", "Job", f"label_values({KNOWN_BOT}, job)", "The scrape job of the exporter."),
        _all(bot, ".+") if every_bot else bot,
        _hidden("instance", "Instance", instances, "The exporter's address; usually there is one for a bot."),
        job_of("optimizer", "tweetbot_optimizer_info", "The scrape job of the optimizer."),
    ]


def job_of(program: str, series: str, description: str) -> build.QueryVariable:
    """The job of a process beside the exporter, found by a series that only it has; none without it."""
    hidden = model.VariableHide.HIDE_VARIABLE
    return _label(f"{program}_job", f"Job ({program})", f"label_values({series}, job)", description, hidden)


def _hidden(name: str, label: str, query: str, description: str) -> build.QueryVariable:
    return _all(_label(name, label, query, description, model.VariableHide.HIDE_VARIABLE), ".+")


def _agent(description: str) -> build.QueryVariable:
    return _label("agent", "Agent", f"label_values({KNOWN_AGENT}{{{TARGET}}}, agent)", description)


def one_agent() -> build.QueryVariable:
    """Exactly one agent."""
    return _agent("The agent that this dashboard is about.")


def some_agents() -> build.QueryVariable:
    """Any number of agents, at first all."""
    return _all(_agent("Which agents; some panels are about the whole bot, and say so."), ".*")
