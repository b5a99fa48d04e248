"""Options from the environment: TWEETBOT_EXPORTER_DATABASE_PATH sets `database.path`.

Variables that name no key are not looked at: Kubernetes sets some of that prefix for a service of this name.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from exporter.config.sections import Config

PREFIX = "TWEETBOT_EXPORTER_"


def variable(key: str) -> str:
    """The variable that sets a dotted key."""
    return PREFIX + key.upper().replace(".", "_")


def in_environment(key: str) -> bool:
    """Whether a variable can set it."""
    return key in _converters()


def settings(environment: Mapping[str, str]) -> dict[str, object]:
    """Dotted key → value, of the variables that are set and not empty; validated is none of it yet."""
    return {
        key: convert(environment[variable(key)])
        for key, convert in _converters().items()
        if environment.get(variable(key))
    }


def _converters() -> dict[str, Callable[[str], object]]:
    """Of each key whose value fits into a variable, which a mapping does not."""
    return {
        f"{section}.{name}": convert
        for section, model in Config.model_fields.items()
        for name, field in (model.annotation.model_fields if model.annotation else {}).items()
        if (convert := _converter(set(_leaves(field.annotation))))
    }


def _converter(types: set[Any]) -> Callable[[str], object] | None:
    if Mapping in types:
        return None
    if tuple in types:
        return lambda text: [entry.strip() for entry in text.split(",")]
    if Path in types:
        return lambda text: Path.cwd() / text
    if bool in types:
        return lambda text: {"true": True, "false": False}.get(text.lower(), text)
    number = next((each for each in (int, float) if each in types), None)
    return _number(number) if number else str


def _number(kind: type[int] | type[float]) -> Callable[[str], object]:
    def convert(text: str) -> object:
        try:
            return kind(text)
        except ValueError:
            return text  # which validation refuses, and says why

    return convert


def _leaves(annotation: Any) -> Iterator[Any]:
    """All types in an annotation, also of containers."""
    yield get_origin(annotation) or annotation
    for argument in get_args(annotation):
        yield from _leaves(argument)
