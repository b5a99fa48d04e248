"""Options from the environment: over the file, under the flags, and refused in the same words."""

from pathlib import Path

import pytest

from exporter.cli import flags
from exporter.config import Config, ConfigError, load, variable

KEYS = [f"{name}.{key}" for name, each in Config.model_fields.items() for key in each.annotation.model_fields]  # type: ignore[union-attr]
MAPPINGS = {"agents.aliases", "optimizer.implementation_seconds"}


def of(**variables: str) -> Config:
    return load(None, {}, {f"TWEETBOT_EXPORTER_{name}": value for name, value in variables.items()})


def test_each_kind_of_value() -> None:
    config = of(
        DATABASE_PATH="bot.db",
        DATABASE_TIMEOUT_SECONDS="2.5",
        DATABASE_WINDOW="20",
        WEB_DISABLE_EXPORTER_METRICS="true",
        WEB_LISTEN_ADDRESSES="127.0.0.1:1, [::1]:2",
        LOG_LEVEL="warn",
        OPTIMIZER_ACTIONS="pause",
    )
    assert config.database.path == Path.cwd() / "bot.db"
    assert (config.database.timeout_seconds, config.database.window) == (2.5, 20)
    assert config.web.disable_exporter_metrics
    assert config.web.listen_addresses == ("127.0.0.1:1", "[::1]:2")
    assert config.log.level == "warn"
    assert config.optimizer.actions == ("pause",)


def test_it_wins_over_the_file_and_flags_win_over_it(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("database: {path: file.db, window: 7}\nlog: {level: debug}")
    environment = {"TWEETBOT_EXPORTER_DATABASE_PATH": "/env.db", "TWEETBOT_EXPORTER_LOG_LEVEL": "info"}
    config = load(file, {"log.level": "error"}, environment, {"log.level": "warn", "log.format": "json"})
    assert (config.database.path, config.database.window) == (Path("/env.db"), 7)
    assert (config.log.level, config.log.format) == ("error", "json")
    assert load(file, {}, {}, {"log.level": "warn"}).log.level == "debug"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_WINDOW", "many", "the environment: database.window: must be a whole number"),
        ("DATABASE_TIMEOUT_SECONDS", "0", "the environment: database.timeout_seconds: must be above 0"),
        ("WEB_DISABLE_EXPORTER_METRICS", "perhaps", "web.disable_exporter_metrics: must be true or false"),
        ("LOG_LEVEL", "loud", "log.level: must be one of"),
        ("WEB_LISTEN_ADDRESSES", "here", "web.listen_addresses[0]: must be :PORT"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(**{name: value})
    assert expected in str(caught.value)


def test_others_variables_are_not_looked_at() -> None:
    assert of(PORT="tcp://10.0.0.1:9464", SERVICE_HOST="10.0.0.1", DATABASE_PATH="") == load(None, {})


@pytest.mark.parametrize("key", [key for key in KEYS if key not in MAPPINGS])
def test_every_key_but_a_mapping_has_its_variable(key: str) -> None:
    found = outcome(key)
    assert key.partition(".")[2] in found if isinstance(found, str) else found != load(None, {})


def outcome(key: str) -> Config | str:
    """What a value that some keys take and others refuse leads to."""
    try:
        return load(None, {}, {variable(key): "0"})
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("key", sorted(MAPPINGS))
def test_a_mapping_has_none(key: str) -> None:
    assert load(None, {}, {variable(key): "x"}) == load(None, {})


def test_the_file_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert flags.config_file() is None
    monkeypatch.setenv("TWEETBOT_EXPORTER_CONFIG_FILE", "a.yml")
    assert flags.config_file() == Path.cwd() / "a.yml"
