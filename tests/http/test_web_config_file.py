"""The file of --web.config.file: the same ones are good and bad as for Prometheus's own programs."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from certificates import Certificates, certificates
from tools import needed

from exporter.config import ConfigError
from exporter.http.web_config import CurrentWebConfig

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"


class Case(NamedTuple):
    text: str
    wrong: str = ""
    """What our message says, where we refuse it."""
    toolkit: bool | None = None
    """Whether promtool accepts it, where that is not what we do."""
    new: bool = False
    """Whether promtool 2 does not know it yet."""


GOOD = [
    Case(""),
    Case("# nothing but a comment\n"),
    Case("tls_server_config:\nbasic_auth_users:\nhttp_server_config:\n"),
    Case("tls_server_config: {}\n"),
    Case(TLS + "}"),
    Case(TLS + ", min_version: TLS13, max_version: TLS13}"),
    Case(TLS + ", min_version: TLS10}"),
    Case(TLS + ", prefer_server_cipher_suites: false}"),
    Case(
        TLS
        + ", cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]}"
    ),
    Case(TLS + ", cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]}"),
    Case(TLS + ", cipher_suites: [TLS_AES_128_GCM_SHA256]}"),
    Case(TLS + ", curve_preferences: [CurveP256]}"),
    Case(TLS + ", curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]}"),
    Case(TLS + ", client_auth_type: NoClientCert}"),
    Case(TLS + ", client_auth_type: RequestClientCert}"),
    Case(TLS + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem}"),
    Case(TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}"),
    Case(TLS + ", client_auth_type: RequireAndVerifyClientCert}"),
    Case(
        TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, "
        "client_allowed_sans: [prometheus.example, 192.0.2.7]}",
        new=True,
    ),
    Case(f"basic_auth_users: {{alice: {HASH}, bob: {HASH.replace('2y', '2a')}}}"),
    Case(f"{TLS}}}\nbasic_auth_users: {{alice: {HASH}}}"),
    Case("http_server_config: {http2: false}"),
    Case("http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff}}"),
    Case("http_server_config: {headers: {X-XSS-Protection: 0, Strict-Transport-Security: max-age=31536000}}"),
    Case("""http_server_config: {headers: {Content-Security-Policy: "default-src 'self'"}}"""),
    Case("rate_limit: {interval: 1s, burst: 20}", new=True),
    Case("rate_limit: {interval: 1m30.5s, burst: 1}", new=True),
    Case("rate_limit: {interval: 0, burst: 1}", new=True),
    Case("rate_limit: {interval: 1000000, burst: 1}", new=True),
    Case("rate_limit: {}", new=True),
]

BAD = [
    Case("nonsense", "must be a mapping"),
    Case("- a list", "must be a mapping"),
    Case("tls_server_config: [", "line 1"),
    Case("tls_config: {}", "unknown key; did you mean tls_server_config?"),
    Case("TLS_server_config: {}", "unknown key"),
    Case(TLS + ", certfile: server.pem}", "tls_server_config.certfile: unknown key; did you mean"),
    Case("tls_server_config: {cert_file: server.pem}", "needs key_file"),
    Case("tls_server_config: {key_file: server.key}", "needs cert_file"),
    Case("tls_server_config: {client_auth_type: RequireAndVerifyClientCert}", "needs cert_file"),
    Case(
        TLS.replace("server.key", "client.key") + "}",
        "server.pem and .*client.key are no certificate and its key: key values mismatch",
    ),
    Case(TLS.replace("server.key", "missing.key") + "}", "missing.key cannot be read: no such file"),
    Case(TLS.replace("server.pem", "server.key") + "}", "are no certificate and its key"),
    Case(TLS + ", client_auth_type: require}", "client_auth_type: must be one of"),
    Case(TLS + ", client_ca_file: ca.pem}", "no client_auth_type that asks"),
    Case(
        TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: missing.pem}",
        "missing.pem cannot be used",
    ),
    Case(TLS + ", min_version: TLS14}", "min_version: must be one of"),
    Case(TLS + ", min_version: SSL30}", "min_version: must be one of"),
    Case(TLS + ", cipher_suites: [TLS_INVENTED]}", r"cipher_suites\[0\]: must be one of"),
    Case(TLS + ", cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]}", r"cipher_suites\[0\]"),
    Case(TLS + ", curve_preferences: [CurveP257]}", r"curve_preferences\[0\]"),
    Case("basic_auth_users: {alice: secret}", "must hold a bcrypt hash"),
    Case("basic_auth_users: {alice: $1$abcdefgh$abcdefghijklmnopqrstuv}", "must hold a bcrypt hash"),
    Case("basic_auth_users: [alice]", "basic_auth_users"),
    Case(
        "http_server_config: {headers: {X-Frame-Options: allow}}",
        "X-Frame-Options must be one of deny, sameorigin",
    ),
    Case("http_server_config: {headers: {X-Content-Type-Options: sniff}}", "must be one of nosniff"),
    Case("http_server_config: {headers: {Server: ours}}", "cannot set the header 'Server'"),
    Case("http_server_config: {headers: {x-frame-options: deny}}", "cannot set the header"),
    Case("http_server_config: {http3: true}", "unknown key"),
    Case("rate_limit: {interval: often, burst: 1}", "must be a duration", new=True),
    Case("rate_limit: {interval: 1s, burst: many}", "must be a whole number", new=True),
    Case("rate_limit: {every: 1s}", "unknown key", new=True),
    # Where we are stricter: what would not do what it says.
    Case("tls_server_config: {min_version: TLS13}", "needs cert_file", toolkit=True),
    Case(TLS + ", client_auth_type: RequireAnyClientCert}", "must verify", toolkit=True),
    Case(
        TLS + ", client_auth_type: RequestClientCert, client_allowed_sans: [a]}",
        "needs the client_auth_type",
        toolkit=True,
        new=True,
    ),
    Case(TLS + ", max_version: TLS11}", "max_version must be", toolkit=True),
    Case(
        TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca: \u00e9}",
        "client_ca cannot be used: no pem",
    ),
    Case(TLS + ", min_version: TLS13, max_version: TLS12}", "must not be above max_version", toolkit=True),
    Case(
        TLS + ", cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12}",
        "those of TLS 1.3 only",
        toolkit=True,
    ),
    Case("basic_auth_users: {alice: $2y$10$" + "x" * 60 + "}", "must hold a bcrypt hash", toolkit=True),
    Case(
        'http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}', "must be one line", toolkit=True
    ),
    Case("rate_limit: {interval: 1s}", "burst must be at least 1", toolkit=True, new=True),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("web-config"))


def file_of(case: Case, folder: Path) -> Path:
    file = folder / "web.yml"
    file.write_text(case.text)
    return file


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.text)
def test_what_is_good(case: Case, folder: Certificates) -> None:
    web_config = CurrentWebConfig(file_of(case, folder.folder))
    assert (web_config.context() is not None) is ("cert_file" in case.text)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.text)
def test_what_is_bad_is_named_without_a_value(case: Case, folder: Certificates) -> None:
    file = file_of(case, folder.folder)
    with pytest.raises(ConfigError, match=case.wrong) as refusal:
        CurrentWebConfig(file)
    assert str(folder.folder) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("case", GOOD + BAD, ids=lambda case: case.text)
def test_promtool_says_the_same(case: Case, folder: Certificates) -> None:
    promtool = needed("promtool")
    unknown = case.new and "version 2." in _output(promtool, "--version")
    done = subprocess.run(
        [promtool, "check", "web-config", file_of(case, folder.folder)], capture_output=True, check=False
    )
    good = not case.wrong if case.toolkit is None else case.toolkit
    assert (done.returncode == 0) is (good and not unknown), done.stderr


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; check --web\.config\.file"):
        CurrentWebConfig(tmp_path / "missing.yml")


def test_certificates_may_stand_in_the_file(folder: Certificates) -> None:
    def text(name: str) -> str:
        return (folder.folder / name).read_text().replace("\n", "\n    ")

    file = folder.folder / "inline.yml"
    file.write_text(
        f"tls_server_config:\n  cert: |\n    {text('server.pem')}\n  key: |\n    {text('server.key')}\n"
        f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\n    {text('ca.pem')}\n"
    )
    assert CurrentWebConfig(file).context() is not None
    file.write_text("tls_server_config: {cert: nonsense, key: secret}")
    with pytest.raises(ConfigError, match="cert and key are no certificate and its key"):
        CurrentWebConfig(file)
