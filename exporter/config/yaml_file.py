"""Reads a YAML file as plain data, strictly: nothing in it is ambiguous, and nothing expands when it is read."""

import re
from pathlib import Path
from typing import Any

import yaml

from exporter.config.errors import ConfigError

MAX_BYTES = 1 << 20


def read(file: Path, flag: str = "--config.file") -> dict[str, Any]:
    """The mapping in `file`, which `flag` names; empty for an empty file. ConfigError if there is none."""
    text = _text(file, flag)
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader, made stricter)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}: line {mark.line + 1}" if mark else str(file)
        problem = error.problem or error.context or "not valid YAML"
        raise ConfigError(f"{where}: {_plain(problem)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise ConfigError(f"{file}: line {line}: a character that YAML does not allow") from None
    except RecursionError:
        raise ConfigError(f"{file}: is nested too deeply") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: must be a mapping of keys to values at the top, such as `database:`")
    return data


def _plain(problem: str) -> str:
    if "\\t" in problem:
        return "a tab, where YAML takes only spaces; indent with spaces"
    return problem.removeprefix("but ")


def _text(file: Path, flag: str) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file; check {flag}") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: is a directory; {flag} takes a YAML file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{flag}: is not the path of a file") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{file}: is larger than {MAX_BYTES >> 20} MiB; is it the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}: line {line}: is not UTF-8; save the file as UTF-8") from None


class _Loader(yaml.SafeLoader):
    """YAML without aliases (which can expand without bound), tags and duplicate keys.

    Its scalars are those of YAML 1.2: `no`, 010 and 12:30 are what they look like.
    """

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 (the base class's own)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _error("aliases (*name) are not supported; write the value out", event.start_mark)
        if getattr(event, "tag", None):
            raise _error("tags (!name) are not supported; leave it out", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _error("a key must be plain text", key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if key in mapping:
                raise _error("duplicate key; keep one of them", key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def construct_number(self, node: yaml.ScalarNode) -> float:
        try:
            return (
                int(node.value)
                if node.tag.endswith(":int")
                else float(re.sub(r"\.(?=[a-z])", "", node.value.lower()))
            )
        except ValueError:
            raise _error("a number with too many digits", node.start_mark) from None


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}
for _kind, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first)
for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)
