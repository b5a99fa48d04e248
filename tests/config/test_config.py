"""The configuration: what is accepted, what is refused, and in which words."""

import re
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, load
from exporter.config.sections import KNOWN_ALIASES

EVERYTHING = """
database: {path: bot.db, timeout_seconds: 2, window: 20}
bridge: {url: "http://127.0.0.1:9465", token_file: token, timeout_seconds: 1, stale_after_seconds: 9}
bot: {pid_file: bot.pid, command_pattern: "node .*bot"}
portfolio:
  starting_value_usd: 500
  goal_value_usd: 600.5
agents:
  aliases: {intelligent-execution-agent: executor, "no": "yes"}
limits: {agents: 7, label_pairs: 8}
web:
  listen_addresses: ["127.0.0.1:1", "[::1]:2"]
  telemetry_path: /a/b
  max_requests: 0
  disable_exporter_metrics: true
log: {level: debug, format: json}
optimizer:
  mode: act
  bot: main
  prometheus_url: http://127.0.0.1:1/prometheus/
  listen_addresses: ["127.0.0.1:3"]
  token_file: door
  actions_token_file: /etc/actions
  ledger: ledger.db
  actions: [pause]
  interval_seconds: 1
  actions_per_hour: 2
  cooldown_seconds: 3
  measure_seconds: 4
  measure_within_seconds: 5
  minimum_samples: 6
  margin_ratio: 0.5
  implementation_seconds: {system_performance: 7}
"""


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "exporter.yml"
    file.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return file


def refusal(file: Path | None, flags: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, flags or {})
    return str(caught.value)


def test_without_file_and_flags_everything_has_its_default() -> None:
    config = load(None, {})
    assert config.database.path is None
    assert (config.database.timeout_seconds, config.database.window) == (5, 50)
    assert (config.portfolio.starting_value_usd, config.portfolio.goal_value_usd) == (10000, 10500)
    assert config.agents.aliases == KNOWN_ALIASES
    assert (config.limits.agents, config.limits.label_pairs) == (100, 500)
    assert config.web.addresses == ("127.0.0.1:9464",)
    assert (config.web.telemetry_path, config.web.max_requests) == ("/metrics", 40)
    assert not config.web.disable_exporter_metrics
    assert (config.log.level, config.log.format) == ("info", "logfmt")


def test_every_key_is_read(tmp_path: Path) -> None:
    config = load(written(tmp_path, EVERYTHING), {})
    assert config.database.path == tmp_path / "bot.db"
    assert (config.database.timeout_seconds, config.database.window) == (2, 20)
    assert (config.portfolio.starting_value_usd, config.portfolio.goal_value_usd) == (500, 600.5)
    assert config.agents.aliases == {**KNOWN_ALIASES, "intelligent-execution-agent": "executor", "no": "yes"}
    assert (config.limits.agents, config.limits.label_pairs) == (7, 8)
    assert config.web.listen_addresses == ("127.0.0.1:1", "[::1]:2")
    assert (config.web.telemetry_path, config.web.max_requests) == ("/a/b", 0)
    assert config.web.disable_exporter_metrics
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert config.collector_timeouts() == {"database": 2, "bridge": 1}
    assert config.bridge.url == "http://127.0.0.1:9465/state"
    assert (config.bridge.token_file, config.bot.pid_file) == (tmp_path / "token", tmp_path / "bot.pid")
    assert (config.bridge.timeout_seconds, config.bridge.stale_after_seconds) == (1, 9)
    assert config.bot.command_pattern == "node .*bot"


def test_every_key_of_the_optimizer_is_read(tmp_path: Path) -> None:
    found = load(written(tmp_path, EVERYTHING), {}).optimizer
    assert (found.mode, found.bot, found.actions) == ("act", "main", ("pause",))
    assert (found.prometheus_url, found.listen_addresses) == (
        "http://127.0.0.1:1/prometheus",
        ("127.0.0.1:3",),
    )
    assert (found.token_file, found.actions_token_file) == (tmp_path / "door", Path("/etc/actions"))
    assert found.ledger == tmp_path / "ledger.db"
    assert (found.interval_seconds, found.actions_per_hour, found.cooldown_seconds) == (1, 2, 3)
    assert (found.measure_seconds, found.measure_within_seconds) == (4, 5)
    assert (found.minimum_samples, found.margin_ratio) == (6, 0.5)
    assert dict(found.implementation_seconds) == {"system_performance": 7}


def test_the_optimizer_only_observes_unless_told_otherwise() -> None:
    found = load(None, {}).optimizer
    assert (found.mode, found.token_file, found.actions_token_file) == ("observe", None, None)
    assert found.actions == ("execute_adaptation", "adjust_autonomy")
    assert found.listen_addresses == ("127.0.0.1:9466",)


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "\ufeff", "{}", "database:\nweb:\n", "\r\n"])
def test_an_empty_file_and_empty_sections_are_fine(tmp_path: Path, content: str) -> None:
    assert load(written(tmp_path, content), {}) == load(None, {})


def test_a_relative_path_is_relative_to_what_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    written(tmp_path / "etc", "database: {path: bot.db}")
    file = Path("../etc/exporter.yml")
    path = load(file, {}).database.path
    assert path is not None
    assert path.is_absolute()
    assert path.resolve() == tmp_path / "etc" / "bot.db"
    assert load(file, {"database.path": Path.cwd() / "x.db"}).database.path == tmp_path / "work" / "x.db"
    assert load(written(tmp_path, "database: {path: /a/bot.db}"), {}).database.path == Path("/a/bot.db")


def test_flags_win_key_by_key(tmp_path: Path) -> None:
    file = written(tmp_path, EVERYTHING)
    config = load(file, {"web.listen_addresses": [":5"], "log.level": "warn"})
    assert config.web.listen_addresses == (":5",)
    assert (config.web.max_requests, config.log.level, config.log.format) == (0, "warn", "json")
    assert load(written(tmp_path, "web:\n"), {"web.max_requests": 3}).web.max_requests == 3


def test_nothing_of_it_can_be_changed(tmp_path: Path) -> None:
    config = load(written(tmp_path, EVERYTHING), {})
    with pytest.raises(ValueError, match="frozen"):
        config.database.window = 3
    with pytest.raises(TypeError):
        config.agents.aliases["a"] = "b"  # type: ignore[index]


@pytest.mark.parametrize(
    ("content", "key", "told"),
    [
        ("databse: {}", "databse", "unknown key; did you mean database?"),
        ("database: {windw: 5}", "database.windw", "did you mean database.window?"),
        ("window: 5", "window", "did you mean database.window?"),
        ("web: {listen_address: [':1']}", "web.listen_address", "did you mean web.listen_addresses?"),
        ("log: {zzz: 5}", "log.zzz", "known here: level, format"),
        ("database: {window: '5'}", "database.window", "whole number"),
        ("database: {window: 5.5}", "database.window", "whole number"),
        ("database: {window: true}", "database.window", "whole number"),
        ("database: {window: }", "database.window", "whole number"),
        ("database: {window: 0}", "database.window", "at least 1"),
        ("database: {window: 501}", "database.window", "at most 500"),
        ("database: {timeout_seconds: '5'}", "database.timeout_seconds", "number, without quotes"),
        ("database: {timeout_seconds: true}", "database.timeout_seconds", "number, without quotes"),
        ("database: {timeout_seconds: 0}", "database.timeout_seconds", "above 0"),
        ("database: {timeout_seconds: 61}", "database.timeout_seconds", "at most 60"),
        ("database: {timeout_seconds: .nan}", "database.timeout_seconds", "finite"),
        ("database: {timeout_seconds: -.inf}", "database.timeout_seconds", "finite"),
        ("database: {timeout_seconds: 1e999}", "database.timeout_seconds", "finite"),
        ("database: {path: 5}", "database.path", "must be text"),
        ("database: {path: ''}", "database.path", "path of a file"),
        ('database: {path: "a\\0b"}', "database.path", "path of a file"),
        ("database: bot.db", "database", "mapping of keys"),
        ("portfolio: {starting_value_usd: 0}", "portfolio.starting_value_usd", "above 0"),
        ("portfolio: {goal_value_usd: 9}", "portfolio", "must be above starting_value_usd"),
        ("agents: {aliases: [a]}", "agents.aliases", "must be a mapping"),
        ("agents: {aliases: {a: 1}}", "agents.aliases.a", "must be text"),
        ("agents: {aliases: {1: a}}", "agents.aliases", "a key that is not text"),
        ("agents: {aliases: {a: ''}}", "agents.aliases.a", "must not be empty"),
        ('agents: {aliases: {a: "\\ud800"}}', "agents.aliases.a", "not valid Unicode"),
        (f"agents: {{aliases: {{a: {'b' * 129}}}}}", "agents.aliases.a", "at most 128 characters"),
        ("limits: {agents: 1001}", "limits.agents", "at most 1000"),
        ("limits: {label_pairs: 20001}", "limits.label_pairs", "at most 20000"),
        ("web: {listen_addresses: ':1'}", "web.listen_addresses", "must be a list"),
        ("web: {listen_addresses: []}", "web.listen_addresses", "empty list"),
        ("web: {listen_addresses: [':1', 9464]}", "web.listen_addresses[1]", "must be text"),
        ("web: {listen_addresses: ['9464']}", "web.listen_addresses[0]", "such as :9464"),
        ("web: {telemetry_path: metrics}", "web.telemetry_path", "such as /metrics"),
        ("web: {telemetry_path: '/{x}'}", "web.telemetry_path", "such as /metrics"),
        ("web: {telemetry_path: /}", "web.telemetry_path", "taken"),
        ("web: {telemetry_path: /-/ready}", "web.telemetry_path", "taken"),
        ("web: {max_requests: -1}", "web.max_requests", "at least 0"),
        ("web: {disable_exporter_metrics: yes}", "web.disable_exporter_metrics", "true or false"),
        ("optimizer: {mode: both}", "optimizer.mode", "'observe' or 'act'"),
        ("optimizer: {bot: ''}", "optimizer.bot", "must not be empty"),
        ("optimizer: {ledger: ''}", "optimizer.ledger", "path of a file"),
        ("optimizer: {actions: [fly]}", "optimizer.actions[0]", "'execute_adaptation', "),
        ("optimizer: {actions: pause}", "optimizer.actions", "must be a list"),
        ("optimizer: {listen_addresses: []}", "optimizer.listen_addresses", "empty list"),
        ("optimizer: {cooldown: 5}", "optimizer.cooldown", "did you mean optimizer.cooldown_seconds?"),
        ("optimizer: {minimum_samples: 2.5}", "optimizer.minimum_samples", "whole number"),
        ("optimizer: {interval_seconds: 0}", "optimizer.interval_seconds", "at least 0.1"),
        ("optimizer: {implementation_seconds: 5}", "optimizer.implementation_seconds", "must be a mapping"),
        (
            "optimizer: {implementation_seconds: {agent_success_rate: -1}}",
            "optimizer.implementation_seconds.agent_success_rate",
            "at least 0",
        ),
        ("optimizer: {prometheus_url: here}", "optimizer.prometheus_url", "must be Prometheus's address"),
        ("optimizer: {prometheus_url: 'http://a:b@c'}", "optimizer.prometheus_url", "user or password"),
        ("optimizer: {prometheus_url: 'http://a/?b=c'}", "optimizer.prometheus_url", "query or fragment"),
        ("log: {level: warning}", "log.level", "'debug', 'info', 'warn' or 'error'"),
        ("1: 2", "exporter.yml", "a key that is not text"),
    ],
)
def test_a_wrong_key_is_named_with_the_mend(tmp_path: Path, content: str, key: str, told: str) -> None:
    file = written(tmp_path, content)
    message = refusal(file)
    assert message.startswith(str(file))
    assert f"{key}: " in message
    assert told in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: duplicate key"),
        ("web:\n  max_requests: 1\n  max_requests: 1", "line 3: duplicate key"),
        ("[a, b]", "mapping of keys to values at the top"),
        ("just text", "mapping of keys to values at the top"),
        ("web:\n\tmax_requests: 1", "line 2: a tab, where YAML"),
        ("web: {", "line 1: "),
        ("a: 1\n---\nb: 2", "line 2: found another document"),
        ("a: &x 1\nb: *x", "line 2: aliases"),
        ("a: !!python/object/apply:os.getcwd []", "line 1: tags"),
        ("a: !secret x", "line 1: tags"),
        ("? [a]\n: 1", "line 1: a key must be plain text"),
        (f"a: {'9' * 5000}", "line 1: a number with too many digits"),
        ("[" * 20_000, "nested too deeply"),
        ("\na: \x01", "line 2: a character that YAML does not allow"),
        (b"a: 1\nb: \xff", "line 2: is not UTF-8"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        (b"#" * (2 << 20), "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: str | bytes, told: str) -> None:
    file = written(tmp_path, content)
    message = refusal(file)
    assert message.startswith(f"{file}: ")
    assert told in message
    assert message.isprintable()


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "aliases" in refusal(written(tmp_path, "\n".join(["l0: &l0 [x]", *levels])))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.yml") == f"{tmp_path}/no.yml: there is no such file; check --config.file"
    assert "is a directory" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / ("y" * 300))
    assert "not the path of a file" in refusal(Path("a\0b"))


def test_a_wrong_flag_is_named_as_a_flag(tmp_path: Path) -> None:
    assert refusal(None, {"web.max_requests": -1}) == "--web.max-requests: must be at least 0"
    file = written(tmp_path, EVERYTHING)
    assert refusal(file, {"web.listen_addresses": ["x"]}).startswith("--web.listen-address: must be :PORT")
    assert refusal(file, {"web.telemetry_path": "x"}).startswith("--web.telemetry-path: must be a path")


def test_totals_are_not_kept_beside_the_bots_database(tmp_path: Path) -> None:
    beside = tmp_path / "bot" / ".." / "bot"
    flags: dict[str, object] = {"database.path": tmp_path / "bot" / "trading.db", "storage.path": beside}
    assert "storage.path must not be the directory of the bot's database" in refusal(None, flags)
    apart = load(None, {**flags, "storage.path": tmp_path / "totals"})
    assert apart.storage.path == tmp_path / "totals"


def test_a_wrong_key_of_the_file_is_named_also_where_a_flag_replaces_it(tmp_path: Path) -> None:
    assert "exporter.yml: web.max_requests" in refusal(
        written(tmp_path, "web: {max_requests: x}"), {"web.max_requests": 1}
    )


def test_several_faults_are_counted_and_the_first_is_told(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, "database: {window: a}\nlog: {level: a, format: b}"))
    assert "database.window" in message
    assert message.endswith("(and 2 more)")


@pytest.mark.parametrize("section", Config.model_fields)
@pytest.mark.parametrize("value", ["hunter2", ["hunter2"], {"hunter2": {"x": "hunter2"}}])
def test_values_are_never_echoed(tmp_path: Path, section: str, value: Any) -> None:
    # Keys are told; here only their values are wrong.
    fields = Config.model_fields[section].annotation
    assert fields is not None
    for key in fields.model_fields:
        try:
            load(written(tmp_path, yaml.safe_dump({section: {key: value}})), {})
        except ConfigError as error:
            told = re.sub(r"(aliases|implementation_seconds|guardrails)\.hunter2", "", str(error))
            assert "hunter2" not in told


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["/m", ":1"])
)
_KEYS = st.sampled_from(
    [*Config.model_fields, "window", "path", "aliases", "listen_addresses", "level", "max_requests", "agents"]
)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(_KEYS, _DATA, max_size=5))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_data_is_a_config_or_a_refusal(tmp_path: Path, data: dict[str, Any]) -> None:
    try:
        load(written(tmp_path, yaml.safe_dump(data)), {})
    except ConfigError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017 (either is fine)


@given(st.text(alphabet=string.printable + "é\0\u2028\ud800", max_size=60) | st.binary(max_size=40))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_config_or_a_refusal(tmp_path: Path, content: str | bytes) -> None:
    try:
        load(written(tmp_path, content), {})
    except ConfigError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017 (either is fine)


@given(st.integers(1, 500), st.floats(0.001, 60), st.integers(0, 10_000), st.booleans())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_allowed_comes_back_as_it_was_written(
    tmp_path: Path, window: int, seconds: float, requests: int, disabled: bool
) -> None:
    data = {
        "database": {"window": window, "timeout_seconds": seconds},
        "web": {"max_requests": requests, "disable_exporter_metrics": disabled},
    }
    config = load(written(tmp_path, yaml.safe_dump(data)), {})
    assert (config.database.window, config.database.timeout_seconds) == (window, seconds)
    assert (config.web.max_requests, config.web.disable_exporter_metrics) == (requests, disabled)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("bridge.url", "127.0.0.1:9465", "must be the bridge's address"),
        ("bridge.url", "file:///etc/passwd", "must be the bridge's address"),
        ("bridge.url", "http://", "must be the bridge's address"),
        ("bridge.url", "http://host:99999", "must be the bridge's address"),
        ("bridge.url", "http://[::1", "must be the bridge's address"),
        ("bridge.url", "http://a b/", "must be the bridge's address"),
        ("bridge.url", "http://me:hunter2@host/state", "must not hold a user or password"),
        ("bridge.url", "http://host/state?token=hunter2", "must not have a query"),
        ("bot.command_pattern", "(", "is not a regular expression"),
        ("bot.command_pattern", "", "must not be empty"),
        ("bridge.timeout_seconds", 0, "must be above 0"),
    ],
)
def test_what_leads_to_the_live_bot_is_checked(key: str, value: object, told: str) -> None:
    message = refusal(None, {key: value})
    assert told in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:9465/", "http://127.0.0.1:9465/state"),
        ("https://bot.example/bridge/state", "https://bot.example/bridge/state"),
        ("http://[::1]:9465", "http://[::1]:9465/state"),
    ],
)
def test_the_bridge_url_without_a_path_means_the_state(given: str, url: str) -> None:
    assert load(None, {"bridge.url": given}).bridge.url == url


def test_any_way_to_the_bot_is_enough() -> None:
    assert not load(None, {}).has_source
    for key, value in {
        "database.path": Path("x"),
        "bot.pid_file": Path("x"),
        "bot.command_pattern": "x",
    }.items():
        assert load(None, {key: value}).has_source


def test_the_aliases_of_the_public_bot_can_be_changed_and_switched_off() -> None:
    hunter = "autonomous-market-hunter"
    assert load(None, {}).agents.aliases[hunter] == "market-hunter"
    assert load(None, {"agents.aliases": {hunter: hunter}}).agents.aliases[hunter] == hunter
    assert load(None, {"agents.default_aliases": False}).agents.aliases == {}


def test_beyond_this_machine_only_where_somebody_thought_of_who_may_come(tmp_path: Path) -> None:
    assert load(None, {}).web.addresses == ("127.0.0.1:9464",)
    assert load(None, {"web.config_file": tmp_path / "web.yml"}).web.addresses == (":9464",)
    assert load(None, {"web.listen_addresses": [":1"]}).web.addresses == (":1",)
    both = {"web.listen_addresses": ["[::1]:1"], "web.config_file": tmp_path / "web.yml"}
    assert load(None, both).web.addresses == ("[::1]:1",)


def test_names_by_which_it_is_reached() -> None:
    keys = {"web.allowed_hosts": ["Exporter"], "web.external_url": "https://example.org/bot"}
    assert load(None, keys).web.hosts == ("exporter", "example.org")
    assert load(None, {}).web.hosts == ()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("web.allowed_hosts", ["a:1"], "--web.allowed-host: must be a host name without port"),
        ("web.external_url", "example.org", "--web.external-url: must be where browsers reach this"),
        ("web.external_url", "https://me:secret@example.org", "must not hold a user or password"),
        ("web.route_prefix", "bot", "--web.route-prefix: must be a path such as /tweetbot"),
        ("web.route_prefix", "/a b", "--web.route-prefix: must be a path such as /tweetbot"),
        ("web.config_file", "", "--web.config.file: must be the path of a file"),
    ],
)
def test_wrong_names_and_paths(key: str, value: object, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        load(None, {key: value})
