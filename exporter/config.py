"""A YAML file and flags become one frozen, validated Config. Nothing else reads YAML.

To add a section: a class with its keys and a field of `Config`. Messages name file, key, fault and mend, and
never echo a value, which may be a secret in the wrong place.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from exporter.configfile import ConfigError, read
from exporter.listen import parse_address
from exporter.optimizer.model import Bottleneck

__all__ = ["Config", "ConfigError", "LogFormat", "LogLevel", "load"]

LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["logfmt", "json"]


def _path(value: object, info: ValidationInfo) -> object:
    """Text as a path; a relative one starts from the folder given as the validation's context."""
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("must be the path of a file")
    return Path((info.context or {}).get("folder", "."), value)


def _listen_address(value: str) -> str:
    parse_address(value)
    return value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    # Not a minimal length, which pydantic finds missed also where an entry is wrong.
    if not value:
        raise ValueError("must not be an empty list")
    return value


def _state_url(value: str) -> str:
    """With the path of the state document where none is given."""
    parts = _http_url(value, "the bridge's address, such as http://127.0.0.1:9465/state", "bridge.token_file")
    return parts._replace(path="/state").geturl() if parts.path in ("", "/") else value


def _base_url(value: str) -> str:
    """Without a slash at its end, so that a path can follow."""
    mend = "a Prometheus without password on this machine or in a network of yours"
    return _http_url(value, "Prometheus's address, such as http://127.0.0.1:9090", mend).geturl().rstrip("/")


def _http_url(value: str, what: str, instead_of_password: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or " " in value:
        raise ValueError(f"must be {what}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"must not hold a user or password; use {instead_of_password}")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or fragment")
    return parts


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return value


def _telemetry_path(value: str) -> str:
    if value == "/" or value.startswith("/-/"):
        raise ValueError("is taken by the exporter's own pages; use a path such as /metrics")
    return value


Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
File = Annotated[Path, BeforeValidator(_path)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
ListenAddresses = Annotated[
    tuple[Annotated[str, Field(strict=True), AfterValidator(_listen_address)], ...],
    Field(strict=False, max_length=32),
    AfterValidator(_not_empty),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_keys(cls, value: object) -> object:
        """A section whose keys are all commented out is empty."""
        return {} if value is None else value


class Database(_Section):
    """The bot's SQLite file. `window` is the number of rows that count as recent."""

    path: File | None = None
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    window: int = Field(default=50, ge=1, le=500)


class Bridge(_Section):
    """The bridge in the bot's process. A document further off than `stale_after_seconds` is refused."""

    url: Annotated[str, StringConstraints(max_length=2048), AfterValidator(_state_url)] | None = None
    token_file: File | None = None
    timeout_seconds: float = Field(default=3.0, gt=0, le=60)
    stale_after_seconds: float = Field(default=60.0, gt=0, le=86_400)


class Bot(_Section):
    """How the bot's process is found where the bridge does not tell: by its pid file or its command line."""

    pid_file: File | None = None
    command_pattern: (
        Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_pattern)] | None
    ) = None


class Portfolio(_Section):
    """What growth and progress are measured against, in USD."""

    starting_value_usd: float = Field(default=10_000.0, gt=0)
    goal_value_usd: float = 10_500.0

    @model_validator(mode="after")
    def _goal_is_ahead(self) -> Self:
        if self.goal_value_usd <= self.starting_value_usd:
            raise ValueError("goal_value_usd must be above starting_value_usd; set both")
        return self


class Agents(_Section):
    """`aliases`: from an agent's name in the data to the name that is exported."""

    aliases: Annotated[Mapping[Name, Name], AfterValidator(MappingProxyType)] = Field(
        default_factory=lambda: MappingProxyType({})
    )


class Limits(_Section):
    """How many different values labels may take; more are counted under `other`."""

    agents: int = Field(default=100, ge=1, le=1000)
    label_pairs: int = Field(default=500, ge=1, le=10_000)


class Web(_Section):
    """The HTTP side. `max_requests` is the number of scrapes served at a time; 0 is no limit."""

    listen_addresses: ListenAddresses = (":9464",)
    telemetry_path: Annotated[
        str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+/?$|^/$", max_length=256), AfterValidator(_telemetry_path)
    ] = "/metrics"
    max_requests: int = Field(default=40, ge=0, le=10_000)
    disable_exporter_metrics: bool = False


class Log(_Section):
    """What is logged, on stderr."""

    level: LogLevel = "info"
    format: LogFormat = "logfmt"


class Optimizer(_Section):
    """The loop back, a process of its own: docs/optimizer.md. `mode: act` lets it change the bot."""

    mode: Literal["observe", "act"] = "observe"
    bot: Name | None = None
    """The value of the target label `bot`; only its alerts count."""
    prometheus_url: Annotated[str, StringConstraints(max_length=2048), AfterValidator(_base_url)] = (
        "http://127.0.0.1:9090"
    )
    listen_addresses: ListenAddresses = ("127.0.0.1:9466",)
    token_file: File | None = None
    """Whoever sends alerts, reads the ledger or takes something back shows this token."""
    actions_token_file: File | None = None
    """The token of the bridge's POST /actions; not the one that reads its state."""
    ledger: File = Path("optimizer.db")
    actions: Annotated[
        tuple[Literal["execute_adaptation", "adjust_autonomy", "pause"], ...],
        Field(strict=False, max_length=3),
    ] = ("execute_adaptation", "adjust_autonomy")
    """What it may do on the bot. `pause` only where it is named here."""
    interval_seconds: float = Field(default=15.0, ge=0.1, le=300)
    """Between two looks at what is open."""
    actions_per_hour: int = Field(default=6, ge=1, le=1000)
    cooldown_seconds: float = Field(default=6 * 3600.0, ge=0, le=30 * 86_400)
    """After an action: so long nothing is done about the same bottleneck of the same agent."""
    measure_seconds: float = Field(default=3600.0, ge=1, le=7 * 86_400)
    """How much time before an action its `before` is measured over."""
    measure_within_seconds: float = Field(default=6 * 3600.0, ge=1, le=30 * 86_400)
    """When by then too few events have come after an action, there is not enough data."""
    minimum_samples: int = Field(default=20, ge=1, le=1_000_000)
    margin_ratio: float = Field(default=0.05, ge=0, le=1)
    """Better or worse by less than this share of the value before is no effect; worse by more is taken back."""
    implementation_seconds: Annotated[Mapping[Bottleneck, Seconds], AfterValidator(MappingProxyType)] = Field(
        default_factory=lambda: MappingProxyType({})
    )
    """Instead of the times of docs/optimizer.md: how long a change needs before it can be measured."""


class Config(_Section):
    """Everything that can be configured, with its defaults."""

    database: Database = Field(default_factory=Database)
    bridge: Bridge = Field(default_factory=Bridge)
    bot: Bot = Field(default_factory=Bot)
    portfolio: Portfolio = Field(default_factory=Portfolio)
    agents: Agents = Field(default_factory=Agents)
    limits: Limits = Field(default_factory=Limits)
    web: Web = Field(default_factory=Web)
    log: Log = Field(default_factory=Log)
    optimizer: Optimizer = Field(default_factory=Optimizer)

    @property
    def has_source(self) -> bool:
        """Whether anything leads to a bot."""
        ways = (self.database.path, self.bridge.url, self.bot.pid_file, self.bot.command_pattern)
        return any(way is not None for way in ways)

    def source_timeouts(self) -> dict[str, float]:
        """Seconds that each source may take, by its name: those of the sections that have a limit."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: section.timeout_seconds
            for name, section in sections.items()
            if hasattr(section, "timeout_seconds")
        }


def load(file: Path | None, flags: Mapping[str, object]) -> Config:
    """The configuration of `file`, overridden by `flags` (dotted key → value); else ConfigError."""
    data = read(file) if file else {}
    context = {"folder": file.absolute().parent if file else Path.cwd()}
    if file:
        # Alone first: what is wrong afterwards came with the flags.
        _validate(data, context, str(file), {})
    return _validate(_merged(data, flags), context, "the command line", flags)


def _validate(
    data: dict[str, Any], context: Mapping[str, Path], where: str, flags: Mapping[str, object]
) -> Config:
    try:
        return Config.model_validate(data, context=context)
    except ValidationError as error:
        # The inputs are left out: they could be secrets.
        details = error.errors(include_url=False, include_input=False)
        raise ConfigError(_message(details, where, flags)) from None


def _merged(data: Mapping[str, Any], flags: Mapping[str, object]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for key, value in flags.items():
        section, _, name = key.partition(".")
        merged[section] = {**(merged.get(section) or {}), name: value}
    return merged


def _message(details: list[ErrorDetails], where: str, flags: Mapping[str, object]) -> str:
    first = details[0]
    key, entry = _key(first["loc"])
    label = flag_name(key) if key in flags else f"{where}: {key}{entry}" if key else where
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{label}: {_problem(first, key)}{more}"


def _key(loc: tuple[int | str, ...]) -> tuple[str, str]:
    """The dotted key and, within a list, which entry: ("web.listen_addresses", "[0]")."""
    # Pydantic marks the key of a mapping that is wrong as a key.
    parts = loc[:-2] if loc[-1:] == ("[key]",) else loc
    key = ".".join(str(part) for part in parts if not isinstance(part, int))[:200]
    entry = "".join(f"[{part}]" for part in parts if isinstance(part, int))
    # Shown as it stands in a line of text: no line breaks or escape sequences from the file.
    return key if key.isprintable() else ascii(key), entry


def flag_name(key: str) -> str:
    """The flag that sets `key`."""
    return "--" + key.replace("listen_addresses", "listen_address").replace("_", "-")


_PROBLEMS = {
    "int_type": "must be a whole number, without quotes or decimal point",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": 'must be text; put it in quotes: "…"',
    "string_unicode": "has characters that are not valid Unicode",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be a path such as /metrics, of letters, digits and . _ ~ -",
    "tuple_type": 'must be a list: ["…"]',
    "too_long": "must have at most {max_length} entries",
    "dict_type": "must be a mapping, such as {{name: value}}",
    "model_type": "must be a mapping of keys to values",
    "is_instance_of": 'must be text; put it in quotes: "…"',
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "invalid_key": "has a key that is not text; put it in quotes",
    "value_error": "{error}",
}


def _problem(detail: ErrorDetails, key: str) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key; {_did_you_mean(key)}"
    if detail["loc"][-1:] == ("[key]",):
        if detail["type"] == "literal_error":
            return f"has an unknown key; known here: {detail['ctx']['expected']}"
        return "has a key that is not text of 1 to 128 characters; put it in quotes"
    template = _PROBLEMS.get(detail["type"])
    return template.format(**detail.get("ctx", {})) if template else detail["msg"]


def _did_you_mean(key: str) -> str:
    parent, _, name = key.rpartition(".")
    known = {each: each.rpartition(".")[::2] for each in _known_keys(Config)}
    siblings = {leaf: each for each, (above, leaf) in known.items() if above == parent}
    elsewhere = [each for each, (_, leaf) in known.items() if leaf == name]
    if close := [siblings[leaf] for leaf in get_close_matches(name, siblings, 1)] or elsewhere:
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(siblings)}"


def _known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _known_keys(kind, f"{prefix}{name}.")
