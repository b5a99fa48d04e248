"""Log lines: one per event, in order, readable by machines, and without secrets."""

import asyncio
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator

import pytest
import structlog

from exporter.config import LogFormat, LogLevel
from exporter.runtime import logging as logs

# An independent reader of logfmt: bare values, or quoted ones with JSON's escapes.
_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s|$)')


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], level, logging.raiseExceptions = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def configured(level: LogLevel = "info", log_format: LogFormat = "logfmt") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, log_format, stream)
    return stream


def written(stream: io.StringIO) -> str:
    logs.flush()
    return stream.getvalue()


def read_logfmt(line: str) -> dict[str, str]:
    pairs = _PAIR.findall(line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_line_has_time_level_and_message_first(log_format: LogFormat) -> None:
    stream = configured(log_format=log_format)
    structlog.get_logger("x").warning("collector failed", collector="database", number=3, share=0.5, empty="")
    (line,) = written(stream).splitlines()
    event = json.loads(line) if log_format == "json" else read_logfmt(line)
    assert list(event)[:3] == ["ts", "level", "msg"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["ts"])
    assert (event["level"], event["msg"], event["collector"]) == ("warn", "collector failed", "database")
    assert {str(event["number"]), str(event["share"]), event["empty"]} == {"3", "0.5", ""}


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_traceback_is_one_line(log_format: LogFormat) -> None:
    stream = configured(log_format=log_format)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        structlog.get_logger("x").exception("bug")
        logging.getLogger("y").exception("foreign bug")
    lines = written(stream).splitlines()
    events = [json.loads(line) if log_format == "json" else read_logfmt(line) for line in lines]
    assert [(event["level"], event["msg"]) for event in events] == [
        ("error", "bug"),
        ("error", "foreign bug"),
    ]
    assert all("ValueError: first\nsecond" in event["exception"] for event in events)


def test_what_could_break_a_line_or_a_terminal_is_escaped() -> None:
    stream = configured()
    nasty = 'a "b" \\ = \n\r\t\x1b[31m\x00\u2028\u0085é'
    structlog.get_logger("x").info(nasty, value=nasty, back="a\\b", **{"odd key=\n": 1})
    (line,) = written(stream).split("\n")[:-1]
    assert line.isprintable()
    event = read_logfmt(line)
    assert event["msg"] == event["value"] == nasty
    assert event["odd_key__"] == "1"


@pytest.mark.filterwarnings("default:careful")
def test_the_standard_library_and_warnings_come_out_the_same_way() -> None:
    stream = configured("debug")
    logging.getLogger("aiohttp.server").error("failed for %s", "x")
    logging.getLogger("asyncio").debug("detail")
    warnings.warn("careful", stacklevel=1)
    events = [read_logfmt(line) for line in written(stream).splitlines()]
    assert [(event["level"], event["logger"]) for event in events] == [
        ("error", "aiohttp.server"),
        ("debug", "asyncio"),
        ("warn", "py.warnings"),
    ]
    assert events[0]["msg"] == "failed for x"
    assert "careful" in events[2]["msg"]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_less_than_the_level_is_left_out(level: LogLevel, count: int) -> None:
    stream = configured(level)
    log = structlog.get_logger("x")
    for method in (log.debug, log.info, log.warning, log.error):
        method("event")
    assert len(written(stream).splitlines()) == count
    foreign = logging.getLogger("y")
    for method in (foreign.debug, foreign.info, foreign.warning, foreign.error):
        method("event")
    assert len(written(stream).splitlines()) == 2 * count


def test_secrets_are_left_out() -> None:
    stream = configured()
    structlog.get_logger("x").info(
        "at http://me:hunter2@host/", Password="hunter2", api_key="hunter2", token=1
    )
    try:
        raise ValueError("https://u:hunter2@host")
    except ValueError:
        logging.getLogger("y").exception("to %s", "redis://:hunter2@host")
    assert "hunter2" not in written(stream)
    assert "token=<redacted>" in written(stream)
    assert "<redacted>@host" in written(stream)


def test_numbers_that_json_has_not_are_text() -> None:
    stream = configured(log_format="json")
    structlog.get_logger("x").info("event", value=float("nan"), flag=True, nothing=None, thing=asyncio.Lock)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    event = json.loads(written(stream), parse_constant=refuse)
    assert (event["value"], event["flag"], event["nothing"]) == ("nan", True, None)


def test_configuring_again_replaces() -> None:
    first, second = configured(), configured("error")
    structlog.get_logger("x").info("event")
    structlog.get_logger("x").error("event")
    assert written(first) == ""
    assert len(written(second).splitlines()) == 1
