"""A YAML file and flags become one frozen, validated Config. Nothing else reads YAML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from exporter.config.errors import ConfigError, message
from exporter.config.sections import Config
from exporter.config.yaml_file import read


def load(file: Path | None, flags: Mapping[str, object]) -> Config:
    """The configuration of `file`, overridden by `flags` (dotted key → value); else ConfigError."""
    data = read(file) if file else {}
    context = {"folder": file.absolute().parent if file else Path.cwd()}
    if file:
        # The file is validated alone first: what is wrong afterwards came with the flags.
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
        raise ConfigError(message(details, where, flags)) from None


def _merged(data: Mapping[str, Any], flags: Mapping[str, object]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for key, value in flags.items():
        section, _, name = key.partition(".")
        merged[section] = {**(merged.get(section) or {}), name: value}
    return merged
