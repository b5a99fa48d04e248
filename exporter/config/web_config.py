"""The file of --web.config.file: TLS, passwords, headers and a rate limit, as Prometheus's exporter toolkit has them.

https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md says what the keys mean.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from exporter.config.errors import ConfigError, message
from exporter.config.types import File
from exporter.config.yaml_file import read

FLAG = "--web.config.file"

ClientAuthType = Literal[
    "",
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
TlsVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
Curve = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]
CipherSuite = Literal[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
]
# None: any value.
_HEADERS: dict[str, tuple[str, ...] | None] = {
    "Strict-Transport-Security": None,
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": None,
    "Content-Security-Policy": None,
}
_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _duration(value: object) -> object:
    """Seconds, of a duration as Go writes it: 1s, 250ms, 1m30s. A number without unit is nanoseconds there."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1e-9
    if not isinstance(value, str) or not value:
        raise ValueError("must be a duration such as 1s or 250ms")
    parts = _DURATION_PART.findall(value)
    if value != "0" and "".join(number + unit for number, unit in parts) != value:
        raise ValueError("must be a duration such as 1s or 250ms")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _numbers_are_text(value: object) -> object:
    """As in Go's YAML: `X-XSS-Protection: 0` need not be quoted."""
    if not isinstance(value, dict):
        return value
    return {key: str(each) if type(each) is int else each for key, each in value.items()}


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, content in value.items():
        if name not in _HEADERS:
            raise ValueError(f"cannot set the header {name[:100]!a}; known: {', '.join(_HEADERS)}")
        if (allowed := _HEADERS[name]) and content not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}")
        if not content.isprintable():
            raise ValueError(f"{name} must be one line of text")
    return value


def _bcrypt_hashes(value: Mapping[str, str]) -> Mapping[str, str]:
    for hashed in value.values():
        if not _BCRYPT.fullmatch(hashed):
            raise ValueError("must hold a bcrypt hash for each user; make one with `htpasswd -nBC 10 USER`")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_keys(cls, value: object) -> object:
        return {} if value is None else value


class TlsServerConfig(_Section):
    """Certificates as files or as text; files win."""

    cert: str | None = None
    key: str | None = None
    client_ca: str | None = None
    cert_file: File | None = None
    key_file: File | None = None
    client_ca_file: File | None = None
    client_auth_type: ClientAuthType = "NoClientCert"
    client_allowed_sans: Annotated[tuple[str, ...], Field(strict=False)] = ()
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"
    cipher_suites: Annotated[tuple[CipherSuite, ...], Field(strict=False)] = ()
    prefer_server_cipher_suites: bool = True
    """Without effect, as in the toolkit."""
    curve_preferences: Annotated[tuple[Curve, ...], Field(strict=False)] = ()

    @property
    def files(self) -> list[Path]:
        """The files that it names."""
        return [each for each in (self.cert_file, self.key_file, self.client_ca_file) if each is not None]

    @property
    def older_cipher_suites(self) -> list[str]:
        """Those of TLS 1.2 and before."""
        return [each for each in self.cipher_suites if "_WITH_" in each]

    @property
    def verifies_clients(self) -> bool:
        """Whether a client's certificate is checked."""
        return self.client_auth_type in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not (self.cert_file or self.cert):
            raise ValueError("needs cert_file (or cert); leave tls_server_config out for HTTP without TLS")
        if not (self.key_file or self.key):
            raise ValueError("needs key_file (or key)")
        if self.client_auth_type in ("RequireAnyClientCert", "RequireClientCert"):
            raise ValueError("client_auth_type must verify the certificate: use RequireAndVerifyClientCert")
        checks = self.client_ca_file or self.client_ca or self.client_allowed_sans
        if checks and self.client_auth_type in ("", "NoClientCert"):
            raise ValueError("has checks for client certificates, and no client_auth_type that asks for any")
        if self.client_allowed_sans and not self.verifies_clients:
            raise ValueError("client_allowed_sans needs the client_auth_type RequireAndVerifyClientCert")
        if self.max_version in ("TLS10", "TLS11"):
            raise ValueError("max_version must be TLS12 or TLS13: those before are not secure")
        if self.min_version > self.max_version:
            raise ValueError("min_version must not be above max_version: no client could connect")
        if self.max_version == "TLS12" and self.cipher_suites and not self.older_cipher_suites:
            raise ValueError("cipher_suites has those of TLS 1.3 only, which max_version rules out")
        return self


class HttpServerConfig(_Section):
    """`http2` is accepted, and what is spoken is HTTP/1.1."""

    http2: bool = True
    headers: Annotated[Mapping[str, str], BeforeValidator(_numbers_are_text), AfterValidator(_headers)] = (
        Field(default_factory=dict)
    )


class RateLimit(_Section):
    """A request every `interval` (seconds; 0 is no limit), and `burst` at once."""

    interval: Annotated[float, BeforeValidator(_duration), Field(ge=0, le=86_400)] = 0.0
    burst: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @model_validator(mode="after")
    def _lets_something_in(self) -> Self:
        if self.interval and not self.burst:
            raise ValueError("burst must be at least 1: with 0 every request is refused")
        return self


class WebConfig(_Section):
    """All of the file."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig = Field(default_factory=HttpServerConfig)
    basic_auth_users: Annotated[Mapping[str, str], AfterValidator(_bcrypt_hashes)] = Field(
        default_factory=dict
    )
    rate_limit: RateLimit = Field(default_factory=RateLimit)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, value: object) -> object:
        """An empty section is one that is not there."""
        if not isinstance(value, dict):
            return value
        return {
            key: part for key, part in value.items() if key not in cls.model_fields or part not in (None, {})
        }


def load_web_config(file: Path) -> WebConfig:
    """What is in `file`; ConfigError, without any value of it, if it cannot be used."""
    data = read(file, FLAG)
    try:
        return WebConfig.model_validate(data, context={"folder": file.absolute().parent})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise ConfigError(message(details, str(file), model=WebConfig)) from None
