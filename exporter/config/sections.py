"""The sections of the configuration. To add one: a class with its keys, and a field of `Config`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from exporter.config.types import (
    BaseUrl,
    ExternalUrl,
    File,
    HostName,
    ListenAddresses,
    LogFormat,
    LogLevel,
    Name,
    OptimizerMode,
    Pattern,
    RoutePrefix,
    Seconds,
    StateUrl,
    StateUrls,
    TelemetryPath,
)


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_keys(cls, value: object) -> object:
        """A section whose keys are all commented out is empty."""
        return {} if value is None else value


class Database(_Section):
    """The bot's SQLite file. `window` is the number of rows that count as recent."""

    path: File | None = None
    """The file. It need not exist yet."""
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long a scrape may take of it."""
    window: int = Field(default=50, ge=1, le=500)
    """How many of an agent's newest rows count as recent."""


class Storage(_Section):
    """Where the totals of the history are kept over restarts: a directory of the exporter's own."""

    path: File | None = None
    """The directory. Without one, each start reads the history again."""


class Bridge(_Section):
    """The bridges in the bot's processes. A document further off than `stale_after_seconds` is refused."""

    url: StateUrl | None = None
    """Its address, such as http://127.0.0.1:9465."""
    urls: StateUrls = ()
    """Of further processes."""
    socket_directory: File | None = None
    """Each socket in it is a process."""
    verify_database: bool = True
    """Whether a process that has another database open than `database.path` is refused."""
    token_file: File | None = None
    """Holds its token, if it has one; read at each scrape."""
    timeout_seconds: float = Field(default=3.0, gt=0, le=60)
    """How long a scrape may take of it."""
    stale_after_seconds: float = Field(default=60.0, gt=0, le=86_400)
    """An older document is refused."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """`url` and `urls`, each once."""
        return tuple(dict.fromkeys([*filter(None, [self.url]), *self.urls]))

    @property
    def is_configured(self) -> bool:
        return bool(self.addresses) or self.socket_directory is not None

    @property
    def has_several(self) -> bool:
        """Whether there may be more than one process."""
        return len(self.addresses) > 1 or self.socket_directory is not None


class Bot(_Section):
    """How the bot's process is found where the bridge does not tell: by its pid file or its command line."""

    pid_file: File | None = None
    """Holds the process id."""
    command_pattern: Pattern | None = None
    """A regular expression that matches the command line."""


class Portfolio(_Section):
    """What growth and progress are measured against, in USD."""

    starting_value_usd: float = Field(default=10_000.0, gt=0)
    """What the portfolio was worth at first."""
    goal_value_usd: float = 10_500.0
    """What it is to be worth."""

    @model_validator(mode="after")
    def _goal_is_ahead(self) -> Self:
        if self.goal_value_usd <= self.starting_value_usd:
            raise ValueError("goal_value_usd must be above starting_value_usd; set both")
        return self


KNOWN_ALIASES = MappingProxyType(
    {
        "autonomous-market-hunter": "market-hunter",
        "execution-trading-service": "execution-agent",
    }
)
"""Of the public bot: the hunter's rows and its class, and the class whose rows say 'Execution Agent'."""


def _with_known(aliases: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
    known = KNOWN_ALIASES if info.data.get("default_aliases") else {}
    return MappingProxyType({**known, **aliases})


class Agents(_Section):
    """`aliases`: from an agent's name in the data to the name that is exported, on top of those of the public bot."""

    default_aliases: bool = True
    """Whether the public bot's aliases apply."""
    aliases: Annotated[Mapping[Name, Name], AfterValidator(_with_known)] = Field(
        default_factory=dict, validate_default=True
    )
    """From a name in the data to the agent that it is."""


class Limits(_Section):
    """How many different values labels may take; more are counted under `other`."""

    agents: int = Field(default=100, ge=1, le=1000)
    """How many agents."""
    label_pairs: int = Field(default=500, ge=1, le=20_000)
    """How many pairs of agent and type."""


class Web(_Section):
    """The HTTP side. `max_requests` is the number of scrapes served at a time; 0 is no limit."""

    listen_addresses: ListenAddresses | None = None
    """Where it listens: `:PORT`, `host:PORT` or `[IPv6]:PORT`. By default 127.0.0.1:9464;
    with `config_file`, :9464."""
    telemetry_path: TelemetryPath = "/metrics"
    """Where the metrics are."""
    max_requests: int = Field(default=40, ge=0, le=10_000)
    """How many scrapes are served at a time; 0 is no limit."""
    disable_exporter_metrics: bool = False
    """Whether to leave out what is about the exporter's own process."""
    enable_lifecycle: bool = False
    """Whether POST /-/reload does what SIGHUP does."""
    config_file: File | None = None
    """TLS and passwords, as the exporter toolkit of Prometheus has them; of the optimizer, too."""
    systemd_socket: bool = False
    """Whether systemd hands over the listening sockets; of the optimizer, too."""
    allowed_hosts: Annotated[tuple[HostName, ...], Field(strict=False, max_length=32)] = ()
    """Names by which clients may reach exporter and optimizer; see exporter/http/hosts.py."""
    external_url: ExternalUrl | None = None
    """Where browsers reach the exporter, if that is through a reverse proxy."""
    route_prefix: RoutePrefix | None = None
    """Of all paths; the path of `external_url` where it is not given."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where to listen: beyond this machine only where somebody has thought of who may come."""
        return self.listen_addresses or ((":9464",) if self.config_file else ("127.0.0.1:9464",))

    @property
    def names_an_address(self) -> bool:
        """Whether anybody has said where to listen."""
        return bool(self.listen_addresses or self.config_file or self.systemd_socket)

    @property
    def external_path(self) -> str:
        """What stands before a path in a link; without a slash at its end."""
        if self.external_url is None:
            return (self.route_prefix or "").rstrip("/")
        return urlsplit(self.external_url).path.rstrip("/")

    @property
    def prefix(self) -> str:
        """What stands before a path in a request; without a slash at its end."""
        return self.external_path if self.route_prefix is None else self.route_prefix.rstrip("/")

    @property
    def hosts(self) -> tuple[str, ...]:
        """All names by which clients may reach it, where such are given."""
        external = urlsplit(self.external_url or "").hostname
        return (*self.allowed_hosts, external) if external else self.allowed_hosts


class Log(_Section):
    """What is logged, on stderr."""

    level: LogLevel = "info"
    """`debug`, `info`, `warn` or `error`."""
    format: LogFormat = "logfmt"
    """`logfmt` or `json`."""


Margin = Annotated[float, Field(ge=0, le=10)] | None
"""None: this one is not looked at."""


class Guardrails(_Section):
    """By how much a change may make anything worse: ratios as differences, 0.1 is ten points."""

    success_rate: Margin = 0.1
    error_rate: Margin = 0.1
    response_time: Margin = 0.25
    """As a share of the time before."""
    coordination: Margin = 0.15
    overall_score: Margin = 0.1
    profit: Margin = 0.01
    """Realised, an hour, as a share of the portfolio's value."""
    drawdown: Margin = 0.05

    def margin(self, name: str) -> float | None:
        """Of the guardrail with this name."""
        margin: float | None = getattr(self, name)
        return margin


class Optimizer(_Section):
    """The loop back, a process of its own: docs/optimizer.md. `mode: act` lets it change the bot."""

    mode: OptimizerMode = "observe"
    """`observe` only records what would be done, `act` does it."""
    bot: Name | None = None
    """The value of the target label `bot`; only its alerts count."""
    prometheus_url: BaseUrl = "http://127.0.0.1:9090"
    """Prometheus, with these rules."""
    listen_addresses: ListenAddresses = ("127.0.0.1:9466",)
    """Where it listens."""
    token_file: File | None = None
    """Whoever sends alerts, reads the ledger or takes something back shows this token."""
    actions_token_file: File | None = None
    """The token of the bridge's POST /actions; not the one that reads its state."""
    ledger: File = Path("optimizer.db")
    """Its own file."""
    actions: Annotated[
        tuple[Literal["execute_adaptation", "adjust_autonomy", "pause"], ...],
        Field(strict=False, max_length=3),
    ] = ("execute_adaptation", "adjust_autonomy")
    """What it may do on the bot. `pause` only where it is named here."""
    interval_seconds: float = Field(default=15.0, ge=0.1, le=300)
    """Between two looks at what is open."""
    guardrails: Guardrails = Field(default_factory=Guardrails)
    """By how much a change may make each measure worse."""
    loss_cap_usd: float | None = Field(default=None, ge=0)
    """While the portfolio is worth less, nothing is done but a pause."""
    max_drawdown_ratio: float | None = Field(default=None, gt=0, le=1)
    """While the portfolio is further below its peak, nothing is done but a pause."""
    actions_per_hour: int = Field(default=6, ge=1, le=1000)
    """How many actions it may take in an hour."""
    cooldown_seconds: float = Field(default=6 * 3600.0, ge=0, le=30 * 86_400)
    """After the end of an optimization: so long its actions are not repeated on the same agent."""
    harm_cooldown_seconds: float = Field(default=30 * 86_400.0, ge=0, le=366 * 86_400)
    """As `cooldown_seconds`, after one that did harm or that somebody rolled back."""
    harms_per_day: int = Field(default=3, ge=1, le=1000)
    """After so many that did harm within a day nothing is done any more until somebody resumes it."""
    measure_seconds: float = Field(default=3600.0, ge=1, le=7 * 86_400)
    """How much time before an action its `before` is measured over; of a level also how long it looks back."""
    measure_within_seconds: float = Field(default=6 * 3600.0, ge=1, le=30 * 86_400)
    """When by then it is not shown that an action did good and no harm, it is put back."""
    minimum_samples: int = Field(default=20, ge=1, le=1_000_000)
    """How many events a measurement needs."""
    margin_ratio: float = Field(default=0.05, ge=0, le=1)
    """Of the target: better or worse by less than this share of the value before is no effect."""
    implementation_seconds: Annotated[Mapping[Name, Seconds], AfterValidator(MappingProxyType)] = Field(
        default_factory=lambda: MappingProxyType({})
    )
    """Instead of the times of docs/optimizer.md: how long a change needs before it can be measured."""


class Config(_Section):
    """Everything that can be configured, with its defaults."""

    database: Database = Field(default_factory=Database)
    storage: Storage = Field(default_factory=Storage)
    bridge: Bridge = Field(default_factory=Bridge)
    bot: Bot = Field(default_factory=Bot)
    portfolio: Portfolio = Field(default_factory=Portfolio)
    agents: Agents = Field(default_factory=Agents)
    limits: Limits = Field(default_factory=Limits)
    web: Web = Field(default_factory=Web)
    log: Log = Field(default_factory=Log)
    optimizer: Optimizer = Field(default_factory=Optimizer)

    @model_validator(mode="after")
    def _storage_is_apart(self) -> Self:
        """Nothing may be written beside the bot's database: it could fill the bot's disk, or be taken for its own."""
        database, storage = self.database.path, self.storage.path
        if database is not None and storage is not None and storage.resolve() == database.resolve().parent:
            raise ValueError(
                "storage.path must not be the directory of the bot's database; give it one of its own"
            )
        return self

    @model_validator(mode="after")
    def _process_is_one(self) -> Self:
        if self.bridge.has_several and (self.bot.pid_file or self.bot.command_pattern):
            raise ValueError(
                "bot.pid_file and bot.command_pattern find one process; bridge.urls and bridge.socket_directory "
                "are for several, which say themselves who they are. Remove the former"
            )
        return self

    @property
    def has_source(self) -> bool:
        """Whether anything leads to a bot."""
        targets = (self.database.path, self.bot.pid_file, self.bot.command_pattern)
        return self.bridge.is_configured or any(target is not None for target in targets)

    def collector_timeouts(self) -> dict[str, float]:
        """Seconds that each collector may take, by the name of its section: those of the sections that have a limit."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: section.timeout_seconds
            for name, section in sections.items()
            if hasattr(section, "timeout_seconds")
        }
