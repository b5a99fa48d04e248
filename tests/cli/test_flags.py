"""Commands, flags, configuration keys and what the documentation says of them: each in step with the others."""

import argparse
import re

import pytest
from tools import ROOT

from exporter.cli.flags import Parser, parser
from exporter.cli.main import COMMANDS
from exporter.config import Config, flag_name

SECTIONS = {name: field.annotation for name, field in Config.model_fields.items()}
KEYS = {
    f"{name}.{key}"
    for name, section in SECTIONS.items()
    if section is not None
    for key in section.model_fields
}
PAGES = "\n".join(
    path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
)


def parsers() -> dict[str, Parser]:
    """Of each command, as `main` makes it."""
    return {name: parser(name, command.about, command.add_flags, {}) for name, command in COMMANDS.items()}


def actions() -> list[argparse.Action]:
    return [action for made in parsers().values() for action in made._actions]


def test_a_flag_with_a_dot_sets_the_key_of_its_name() -> None:
    for action in actions():
        if "." in action.dest and action.dest != "config.file":
            assert action.dest in KEYS
            assert action.option_strings == [flag_name(action.dest)]
            assert action.help


def test_every_key_is_in_the_reference() -> None:
    """With what it is."""
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    rows = {
        found[1]: found[2]
        for found in re.finditer(r"^\| `([\w.]+)` \|[^|]*\| ([^|]*) \|", page, re.MULTILINE)
    }
    assert rows.keys() == KEYS
    assert [key for key, about in rows.items() if not about.strip()] == []


def test_every_command_is_in_the_documentation() -> None:
    assert {
        name for name in COMMANDS if not re.search(rf"tweetbot-exporter.* {name}\b|`{name}", PAGES)
    } == set()


def test_every_flag_of_a_key_in_the_documentation_exists() -> None:
    mentioned = set(re.findall(r"(?<![\w-])--[a-z-]+(?:\.[a-z-]*[a-z])+", PAGES))
    known = {flag for action in actions() for flag in action.option_strings}
    assert mentioned
    assert mentioned - known == {"--alertmanager.url"}, "but for amtool's"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].about
    assert f"tweetbot-exporter {name}" in parsers()[name].format_help()
