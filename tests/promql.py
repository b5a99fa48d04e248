"""Just enough of PromQL to ask of an expression: which series, with which labels, inside which functions?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<duration>\[[^\]"']*\])
      | (?P<word>[a-zA-Z_:][\w:]*)
      | (?P<number>[\d.]+(?:e[+-]?\d+)?(?:ms|[smhdwy])?|\$\w+)
      | (?P<mark>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},@])
      | (?P<space>\s+)""",
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@dataclass(frozen=True)
class Selector:
    name: str
    """"" where the matchers name the series."""
    labels: dict[str, str]
    """Each with its operator: {"bot": '=~"one"'} without the quotes."""
    functions: tuple[str, ...]
    """The functions around it, outermost first."""
    ranged: bool


@dataclass
class _Reader:
    tokens: list[tuple[str, str]]
    at: int = 0

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place][1] if place < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found, f"what is this: {text[at : at + 40]!r}"
        at = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]


def _matchers(reader: _Reader) -> dict[str, str]:
    labels = {}
    reader.take()
    while reader.peek() != "}":
        label = reader.take()[1]
        if label != ",":
            operator, value = reader.take()[1], reader.take()[1]
            labels[label] = operator + value[1:-1]
    reader.take()
    return labels


def _grouping(reader: _Reader) -> list[str]:
    names = []
    reader.take()
    while reader.peek() != ")":
        kind, word = reader.take()
        if kind == "word":
            names.append(word)
    reader.take()
    return names


def read(expression: str) -> tuple[list[Selector], set[str]]:
    """The selectors of an expression, and the labels that it groups by or joins on."""
    reader = _Reader(list(_tokens(expression)))
    selectors: list[Selector] = []
    grouped: set[str] = set()
    functions: list[str] = []
    name = ""
    while reader.at < len(reader.tokens):
        kind, text = reader.take()
        if text in _GROUPING:
            grouped.update(_grouping(reader))
        elif kind == "word" and (reader.peek() == "(" or reader.peek() in ("by", "without")):
            name = text
        elif text == "{" or (kind == "word" and text not in _WORDS):
            reader.at -= text == "{"
            labels = _matchers(reader) if reader.peek() == "{" else {}
            ranged = reader.at < len(reader.tokens) and reader.tokens[reader.at][0] == "duration"
            inside = tuple(function for function in functions if function)
            selectors.append(Selector("" if text == "{" else text, labels, inside, ranged))
        elif text == "(":
            functions.append(name)
            name = ""
        elif text == ")":
            functions.pop()
    return selectors, grouped
