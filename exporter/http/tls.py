"""TLS as the web configuration describes it."""

import ipaddress
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import structlog

from exporter.config import ConfigError
from exporter.config.web_config import TlsServerConfig

log = structlog.get_logger(__name__)

_VERSIONS = {
    # What OpenSSL still supports; its own constants for these two are deprecated.
    "TLS10": ssl.TLSVersion.MINIMUM_SUPPORTED,
    "TLS11": ssl.TLSVersion.MINIMUM_SUPPORTED,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def make_context(config: TlsServerConfig) -> ssl.SSLContext:
    """A context with the certificates as they are now; ConfigError, which names what cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = _VERSIONS[config.min_version]
    context.maximum_version = _VERSIONS[config.max_version]
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, config)
    _set_ciphers(context, config)
    _set_curve(context, config)
    _verify_clients(context, config)
    return context


def client_context(config: TlsServerConfig) -> ssl.SSLContext:
    """For a client with the same configuration: it trusts the very certificate that the server shows, by any name."""
    context = ssl.create_default_context(
        cafile=config.cert_file, cadata=None if config.cert_file else config.cert
    )
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def is_allowed(peer: ssl.SSLObject, config: TlsServerConfig) -> bool:
    """Whether the client's certificate has one of the names in `client_allowed_sans`, if it has shown one."""
    certificate = peer.getpeercert()
    if not config.client_allowed_sans or not certificate:
        return True
    names = {
        _normal(str(name))
        for _, name in cast("Sequence[tuple[str, str]]", certificate.get("subjectAltName", ()))
    }
    return not names.isdisjoint(map(_normal, config.client_allowed_sans))


def _normal(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _load_certificate(context: ssl.SSLContext, config: TlsServerConfig) -> None:
    what = f"{config.cert_file or 'cert'} and {config.key_file or 'key'}"
    with _path(config.cert_file, config.cert) as certificate, _path(config.key_file, config.key) as key:
        try:
            # Without a password Python would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except ssl.SSLError as error:
            reason = (error.reason or "no PEM").lower().replace("_", " ")
            raise ConfigError(f"{what} are no certificate and its key: {reason}") from None
        except OSError as error:
            raise ConfigError(f"{what} cannot be read: {(error.strerror or 'an error').lower()}") from None


def _set_ciphers(context: ssl.SSLContext, config: TlsServerConfig) -> None:
    names = [_openssl_name(each) for each in config.older_cipher_suites]
    if names:
        try:
            context.set_ciphers(":".join(names))
        except ssl.SSLError:
            raise ConfigError("cipher_suites: this OpenSSL has none of them") from None
    elif config.cipher_suites:
        # All of TLS 1.3, whose suites cannot be chosen.
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def _openssl_name(suite: str) -> str:
    """TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256."""
    exchange, _, cipher = suite.removeprefix("TLS_").partition("_WITH_")
    cipher = (
        cipher.replace("AES_", "AES")
        .replace("_CBC", "")
        .removesuffix("_SHA256" if "CHACHA" in cipher else "")
    )
    return f"{exchange}_{cipher}".replace("_", "-")


def _set_curve(context: ssl.SSLContext, config: TlsServerConfig) -> None:
    if len(config.curve_preferences) == 1:
        name = _CURVES[config.curve_preferences[0]]
        try:
            context.set_ecdh_curve(name)
        except ValueError:
            raise ConfigError(f"curve_preferences: this Python cannot use {name} alone") from None
    elif config.curve_preferences:
        log.warning("curve_preferences: Python takes one or all; all that OpenSSL has are used")


def _verify_clients(context: ssl.SSLContext, config: TlsServerConfig) -> None:
    if not config.verifies_clients:
        return
    required = config.client_auth_type == "RequireAndVerifyClientCert"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    try:
        if config.client_ca_file:
            context.load_verify_locations(cafile=config.client_ca_file)
        elif config.client_ca:
            context.load_verify_locations(cadata=config.client_ca)
        else:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    # Text beyond ASCII is a TypeError.
    except (ssl.SSLError, ValueError, TypeError):
        raise ConfigError(f"{config.client_ca_file or 'client_ca'} cannot be used: no pem") from None
    except OSError as error:
        reason = str(error.strerror).lower()
        raise ConfigError(f"{config.client_ca_file} cannot be used: {reason}") from None


@contextmanager
def _path(file: Path | None, text: str | None) -> Iterator[Path]:
    """`file`, or a path where `text` can be read while the block runs; never on a disk."""
    if file is not None or text is None:
        yield file or Path()
        return
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, text.encode())
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
