"""A configuration file with every key commented out, as a start."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from exporter.config import Address, Config

_HEAD = """\
# Of tweetbot-exporter: every key with its default. Uncomment a section and what you change in it.
"""


def sample() -> str:
    """The file. Without the # at the start of its lines after the first, it says what the defaults are."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    defaults = Config()
    for name, field in Config.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        yield f"#{name}:"
        for key, about in section.model_fields.items():
            yield f"#  # {' '.join((about.description or '').split())}"
            yield f"#  {key}: {_value(getattr(getattr(defaults, name), key))}"
        yield ""


def _value(default: Any) -> str:
    """In YAML, on one line."""
    dumped = yaml.safe_dump(_plain(default), default_flow_style=True, sort_keys=False, width=1000)
    return dumped.removesuffix("\n...\n").rstrip()


def _plain(value: Any) -> Any:
    """As YAML knows it."""
    if isinstance(value, BaseModel):
        return {key: _plain(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Address | Path):
        return str(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
