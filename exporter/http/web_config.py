"""The web configuration of a running server: read again whenever one of its files has changed."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import structlog

from exporter.config import ConfigError
from exporter.config.web_config import WebConfig, load_web_config
from exporter.http.rate_limiter import RateLimiter
from exporter.http.tls import make_context
from exporter.runtime.log_limiter import LogLimiter

log = structlog.get_logger(__name__)

_Signature = Sequence[tuple[int, int, int] | None]


class CurrentWebConfig:
    """What `file` says; without one, neither TLS nor passwords. ConfigError if it cannot be used at first.

    Later on, what was read last stays in force while the files cannot be used: certificate and key are exchanged one
    after the other.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._refusals = LogLimiter(log)
        self._signature: _Signature = ()
        self._config = WebConfig()
        self._context: ssl.SSLContext | None = None
        self._limiter: RateLimiter | None = None
        if file is not None:
            self._read(file)
            self._signature = _signature(file, self._config)

    def config(self) -> WebConfig:
        """As of now."""
        self._refresh()
        return self._config

    def context(self) -> ssl.SSLContext | None:
        """For a connection that begins now; None is HTTP without TLS."""
        self._refresh()
        return self._context

    def admits(self) -> bool:
        """Whether the rate limit lets one more request in, which then counts."""
        self._refresh()
        if self._limiter is None:
            return True
        if self._limiter.wait():
            return False
        self._limiter.charge(1)
        return True

    def _refresh(self) -> None:
        if self._file is None:
            return
        # Taken before the files are read: what changes meanwhile is noticed next time.
        signature = _signature(self._file, self._config)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            self._read(self._file)
            log.info("web configuration read again", file=str(self._file))
        except ConfigError as error:
            self._refusals.warning("web configuration cannot be used; the one before stays", error=str(error))

    def _read(self, file: Path) -> None:
        config = load_web_config(file)
        try:
            context = make_context(config.tls_server_config) if config.tls_server_config else None
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        if config.rate_limit != self._config.rate_limit:
            limit = config.rate_limit
            self._limiter = RateLimiter(limit.burst, 1 / limit.interval) if limit.interval else None
        self._config, self._context = config, context


def _signature(file: Path, config: WebConfig) -> _Signature:
    tls = config.tls_server_config
    return [_stamp(each) for each in (file, *(tls.files if tls else ()))]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino
