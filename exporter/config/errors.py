"""From pydantic's findings to one sentence for the user. It never shows a value, which may be a misplaced secret."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from exporter.config.sections import Config


class ConfigError(Exception):
    """The configuration cannot be used. The message is for the user: what is wrong, where, and what to do."""


def message(
    details: list[ErrorDetails],
    where: str,
    flags: Collection[str] = (),
    model: type[BaseModel] = Config,
) -> str:
    """The text of a ConfigError: file or flag, key, what is wrong, what to write instead.

    `flags` are the keys that flags have set; a fault in one of those names the flag. `model` has the known keys.
    """
    first = details[0]
    key, entry = _key(first["loc"])
    label = flag_name(key) if key in flags else f"{where}: {key}{entry}" if key else where
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{label}: {_problem(first, key, model)}{more}"


def _key(loc: tuple[int | str, ...]) -> tuple[str, str]:
    """The dotted key and, within a list, which entry: ("web.listen_addresses", "[0]")."""
    # Pydantic marks the key of a mapping that is wrong as a key.
    parts = loc[:-2] if loc[-1:] == ("[key]",) else loc
    key = ".".join(str(part) for part in parts if not isinstance(part, int))[:200]
    entry = "".join(f"[{part}]" for part in parts if isinstance(part, int))
    # Shown as it stands in a line of text: no line breaks or escape sequences from the file.
    return key if key.isprintable() else ascii(key), entry


# As the exporter toolkit of Prometheus calls them, and lists in the singular.
_FLAG_NAMES = {"web.config_file": "web.config.file", "web.allowed_hosts": "web.allowed_host"}


def flag_name(key: str) -> str:
    """The flag that sets `key`."""
    return "--" + _FLAG_NAMES.get(key, key).replace("listen_addresses", "listen_address").replace("_", "-")


_PROBLEMS = {
    "int_type": "must be a whole number, without quotes or decimal point",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": 'must be text; put it in quotes: "…"',
    "string_unicode": "has characters that are not valid Unicode",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be a path such as /metrics, of letters, digits and . _ ~ -",
    "tuple_type": 'must be a list: ["…"]',
    "too_long": "must have at most {max_length} entries",
    "dict_type": "must be a mapping, such as {{name: value}}",
    "model_type": "must be a mapping of keys to values",
    "is_instance_of": 'must be text; put it in quotes: "…"',
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "invalid_key": "has a key that is not text; put it in quotes",
    "value_error": "{error}",
}


def _problem(detail: ErrorDetails, key: str, model: type[BaseModel]) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key; {_did_you_mean(key, model)}"
    if detail["loc"][-1:] == ("[key]",):
        return "has a key that is not text of 1 to 128 characters; put it in quotes"
    template = _PROBLEMS.get(detail["type"])
    return template.format(**detail.get("ctx", {})) if template else detail["msg"]


def _did_you_mean(key: str, model: type[BaseModel]) -> str:
    parent, _, name = key.rpartition(".")
    known = {each: each.rpartition(".")[::2] for each in _known_keys(model)}
    siblings = {leaf: each for each, (above, leaf) in known.items() if above == parent}
    elsewhere = [each for each, (_, leaf) in known.items() if leaf == name]
    if close := [siblings[leaf] for leaf in get_close_matches(name, siblings, 1)] or elsewhere:
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(siblings)}"


def _known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for annotation in (field.annotation, *get_args(field.annotation)):
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                yield from _known_keys(annotation, f"{prefix}{name}.")
