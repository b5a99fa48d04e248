"""Field types of the sections: what a value must be, and how it is normalized."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo

from exporter.config.addresses import parse_address

LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["logfmt", "json"]
OptimizerMode = Literal["observe", "act"]


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
    alternative = "a Prometheus without password on this machine or in a network of yours"
    return (
        _http_url(value, "Prometheus's address, such as http://127.0.0.1:9090", alternative)
        .geturl()
        .rstrip("/")
    )


def _external_url(value: str) -> str:
    return _http_url(
        value, "where browsers reach this, such as https://example.org/tweetbot", "a proxy"
    ).geturl()


def _host_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", value):
        raise ValueError("must be a host name without port, such as exporter.example.org")
    return value.lower()


def _route_prefix(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", value) or not value:
        raise ValueError("must be a path such as /tweetbot, of letters, digits and . _ ~ -")
    return value


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
StateUrl = Annotated[str, StringConstraints(max_length=2048, strict=True), AfterValidator(_state_url)]
StateUrls = Annotated[tuple[StateUrl, ...], Field(strict=False, max_length=32)]
BaseUrl = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_base_url)]
ExternalUrl = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_external_url)]
HostName = Annotated[str, Field(strict=True), AfterValidator(_host_name)]
RoutePrefix = Annotated[str, StringConstraints(max_length=256), AfterValidator(_route_prefix)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_pattern)]
TelemetryPath = Annotated[
    str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+/?$|^/$", max_length=256), AfterValidator(_telemetry_path)
]
