"""Logs on stderr, one line an event, as logfmt or JSON: `ts`, `level` and `msg` first.

The standard library's loggers (aiohttp, asyncio, warnings) come out the same way. Nobody waits for stderr to be read.
"""

import json
import logging
import os
import re
import sys
from math import isfinite
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exporter.config import LogFormat, LogLevel
from exporter.runtime.log_queue import QueueHandler

_LEVELS: dict[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES = {"warning": "warn", "critical": "error", "exception": "error"}
_SECRET_KEY = re.compile(r"password|passwd|secret|token|authorization|api_?key", re.IGNORECASE)
_URL_USER = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)")
_BARE = re.compile(r"[!#-<>-\[\]-~]+")


def configure(level: LogLevel, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Sends all logging of the process to `stream` (stderr); a call replaces what the one before set up."""
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _tidy,
        _json if log_format == "json" else _logfmt,
    ]
    structlog.configure(
        processors=[*first, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = QueueHandler(stream.write if stream else _write_stderr)
    foreign: list[Processor] = [*first, structlog.stdlib.add_logger_name]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=last))
    root = logging.getLogger()
    for replaced in root.handlers:
        if isinstance(replaced, QueueHandler):
            replaced.close()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    logging.captureWarnings(True)
    # A closed stderr must not fill itself with tracebacks of the logging module.
    logging.raiseExceptions = False


def flush() -> None:
    """Waits a moment for what was logged to be written: before the process ends, or something else is printed."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def dropped_lines() -> int:
    """How many log lines were dropped because nobody read those before."""
    return sum(each.dropped for each in logging.getLogger().handlers if isinstance(each, QueueHandler))


def _write_stderr(line: str) -> None:
    # Not through sys.stderr, whose lock Python waits for when it ends.
    rest = line.encode("utf-8", "backslashreplace")
    while rest:
        rest = rest[os.write(sys.stderr.fileno(), rest) :]


def _tidy(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Milliseconds, our level names, `msg`, no secrets; ts, level and msg first."""
    level = str(event.pop("level", "info"))
    ordered = {
        "ts": str(event.pop("ts", ""))[:23] + "Z",
        "level": _NAMES.get(level, level),
        "msg": _clean("msg", event.pop("event", "")),
    }
    return ordered | {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return "<redacted>"
    if isinstance(value, bool | int | None) or (isinstance(value, float) and isfinite(value)):
        return value
    return _URL_USER.sub("<redacted>", str(value))


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return json.dumps(event)


def _logfmt(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return " ".join(
        f"{re.sub(r'[^!#-<>-~]', '_', key)}={_logfmt_value(value)}" for key, value in event.items()
    )


def _logfmt_value(value: object) -> str:
    """Bare where that is safe, else quoted, with everything escaped that is not plain text on one line."""
    text = json.dumps(value) if isinstance(value, bool | None) else str(value)
    if _BARE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in quoted)
