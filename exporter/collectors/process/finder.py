"""The bot's process as the operating system shows it: found, recognised, read. Everything here blocks."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import structlog

from exporter.collectors.base import CollectorError
from exporter.runtime.files import UnreadableFileError, read_small

T = TypeVar("T")

CLOCKS_DIFFER = 5.0
"""Seconds between the kernel's and the process's own idea of when it started."""
LONGEST_COMMAND = 8192
LARGEST_PID_FILE = 64

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """What could be read; None is what may not be seen or does not exist here."""

    pid: int
    start: float
    user: float | None = None
    system: float | None = None
    resident: float | None = None
    fds: float | None = None
    threads: float | None = None


class ProcessFinder:
    """Finds the process and holds on to it. A process id that was given to another process is not the bot."""

    def __init__(self, pid_file: Path | None, pattern: str | None) -> None:
        self._pid_file = pid_file
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._process: psutil.Process | None = None
        self._hidden: frozenset[str] = frozenset()

    @property
    def is_configured(self) -> bool:
        """Whether it is configured how to find the process without the bridge."""
        return self._pid_file is not None or self._pattern is not None

    def adopt(self, pid: int, start: float) -> None:
        """What the bridge says about its process. In another PID namespace the id means another process here."""
        held = self._alive()
        if held is not None and held.pid == pid and abs(_start(held) - start) <= CLOCKS_DIFFER:
            return
        process = _open(pid)
        # The process held so far is not the bot, or has ended.
        self._process = process if process and abs(_start(process) - start) <= CLOCKS_DIFFER else None

    def stats(self) -> ProcessStats | None:
        """What can be read of the process; None where there is none. CollectorError where it cannot be decided."""
        process = self._alive() or self._found()
        if process is None:
            self._process = None
            return None
        try:
            stats = self._read(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            self._process = None
            return None
        self._process = process
        return stats

    def missing(self) -> str:
        """Why there is no process, in words."""
        if self._pid_file is not None:
            return f"no process runs under the id in {self._pid_file} (bot.pid_file)"
        if self._pattern is not None:
            return "no process has a command line that bot.command_pattern matches"
        return "its process cannot be seen from here"

    def _alive(self) -> psutil.Process | None:
        process = self._process
        return process if process is not None and _is_alive(process) else None

    def _found(self) -> psutil.Process | None:
        if self._pid_file is not None:
            return _from_file(self._pid_file)
        return _matching(self._pattern) if self._pattern is not None else None

    def _read(self, process: psutil.Process) -> ProcessStats:
        hidden: set[str] = set()

        def seen(what: str, read: Callable[[], T]) -> T | None:
            try:
                return read()
            except (psutil.AccessDenied, PermissionError):
                hidden.add(what)
            except AttributeError:
                pass  # not on this system
            return None

        with process.oneshot():
            cpu = seen("cpu", process.cpu_times)
            memory = seen("memory", process.memory_info)
            stats = ProcessStats(
                pid=process.pid,
                start=_start(process),
                user=cpu.user if cpu else None,
                system=cpu.system if cpu else None,
                resident=memory.rss if memory else None,
                fds=seen("open_fds", lambda: process.num_fds()),
                threads=seen("threads", process.num_threads),
            )
        self._log_hidden(process.pid, frozenset(hidden))
        return stats

    def _log_hidden(self, pid: int, hidden: frozenset[str]) -> None:
        """Once, and again when it changes."""
        if hidden and hidden != self._hidden:
            what = ",".join(sorted(hidden))
            log.warning("of the bot's process this user may not see everything", pid=pid, left_out=what)
        self._hidden = hidden


def _start(process: psutil.Process) -> float:
    return float(process.create_time())


def _is_alive(process: psutil.Process) -> bool:
    """Whether it is still that very process, and more than a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _open(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
    except (psutil.Error, ValueError, OverflowError):
        return None
    return process if _is_alive(process) else None


def _from_file(file: Path) -> psutil.Process | None:
    """None where there is no file, as between a stop and a start, and where nothing runs under its id."""
    try:
        found = read_small(file, "bot.pid_file", LARGEST_PID_FILE)
    except UnreadableFileError as error:
        raise CollectorError(str(error)) from None
    if found is None:
        return None
    text, written = found
    if not re.fullmatch(b"[1-9][0-9]{0,9}", text):
        raise CollectorError(f"{file} (bot.pid_file) does not hold a process id")
    process = _open(int(text))
    if process is not None and _start(process) > written + CLOCKS_DIFFER:
        raise CollectorError(
            f"the process under the id in {file} (bot.pid_file) started after the file was written: it is "
            "not the bot, which has ended"
        )
    return process


def _matching(pattern: re.Pattern[str]) -> psutil.Process | None:
    """The one process whose command line matches; not this one nor those that started it."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {
        process.pid: process
        for process in psutil.process_iter()
        if process.pid not in own and pattern.search(_command(process))
    }
    for process in list(found.values()):
        # A shell or npm that started the bot has its command line in its own.
        for parent in _parents(process):
            found.pop(parent, None)
    if len(found) > 1:
        raise CollectorError(
            "several processes have a command line that bot.command_pattern matches; make it narrower, or "
            "use bot.pid_file"
        )
    return next((process for process in found.values() if _is_alive(process)), None)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:LONGEST_COMMAND]
    except (psutil.Error, OSError):
        return ""


def _parents(process: psutil.Process) -> list[int]:
    try:
        return [parent.pid for parent in process.parents()]
    except psutil.Error:
        return []
