"""docs/configuration.md: every key of the configuration, with its flag and its variable."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from exporter.cli import flags
from exporter.cli.main import COMMANDS
from exporter.config import Config, variable
from exporter.config.environment import in_environment

_HEAD = """\
# Configuration

Written by `scripts/generate`. A key stands in the YAML file that `--config.file` (or `TWEETBOT_EXPORTER_CONFIG_FILE`)
names, in a section: `database.path` is `path` in the section `database`. A variable wins over the file, and a flag over
both. Relative paths start from the folder of the file, or else from where the program was started. Lists are
comma-separated in a variable; a mapping cannot be one.
"""


def configuration() -> str:
    """The page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    known = _flags()
    for name, field in Config.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        yield f"## {name}\n\n{(section.__doc__ or '').strip()}\n"
        yield "| key | default | what it is | flag | variable |\n| --- | --- | --- | --- | --- |"
        yield from (_row(f"{name}.{key}", about, known) for key, about in section.model_fields.items())
        yield ""


def _row(key: str, field: FieldInfo, known: Mapping[str, str]) -> str:
    flag = f"`{known[key]}`" if key in known else ""
    shown = f"`{variable(key)}`" if in_environment(key) else ""
    about = " ".join((field.description or "").split())
    return f"| `{key}` | {_default(field)} | {about} | {flag} | {shown} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value == () or (isinstance(value, Mapping) and not value):
        return ""
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _flags() -> dict[str, str]:
    """By the key that a flag sets."""
    parsers = [flags.parser(name, command.about, command.add_flags, {}) for name, command in COMMANDS.items()]
    return {
        action.dest: action.option_strings[-1]
        for made in parsers
        for action in made._actions
        if "." in action.dest
    }
