"""A YAML file, the environment and flags become one frozen, validated Config."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from exporter.config.environment import settings
from exporter.config.errors import ConfigError, message
from exporter.config.sections import Config
from exporter.config.yaml_file import read


def load(
    file: Path | None,
    flags: Mapping[str, object],
    environment: Mapping[str, str] = MappingProxyType({}),
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> Config:
    """The configuration of `file`, overridden by the `environment`, and that by `flags`; else ConfigError.

    `flags` and `defaults` are dotted key → value; `defaults` are for what nobody has set.
    """
    data = read(file) if file else {}
    context = {"folder": file.absolute().parent if file else Path.cwd()}
    # Each is validated before the next comes: what is wrong afterwards came with that.
    if file:
        _validate(data, context, str(file), {})
    if variables := settings(environment):
        data = _merged(data, variables)
        _validate(data, context, "the environment", {})
    return _validate(_merged(data, {**_unset(defaults, data), **flags}), context, "the command line", flags)


def _unset(defaults: Mapping[str, object], data: Mapping[str, Any]) -> dict[str, object]:
    """The `defaults` whose keys are not in `data`."""
    parts = {key: key.partition(".")[::2] for key in defaults}
    return {
        key: defaults[key] for key, (section, name) in parts.items() if name not in (data.get(section) or {})
    }


def _validate(
    data: dict[str, Any], context: Mapping[str, Path], where: str, flags: Mapping[str, object]
) -> Config:
    try:
        return Config.model_validate(data, context=context)
    except ValidationError as error:
        # The inputs are left out: they could be secrets.
        details = error.errors(include_url=False, include_input=False)
        raise ConfigError(message(details, where, flags)) from None


def _merged(data: Mapping[str, Any], flags: Mapping[str, object]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for key, value in flags.items():
        section, _, name = key.partition(".")
        merged[section] = {**(merged.get(section) or {}), name: value}
    return merged
